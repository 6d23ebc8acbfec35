//go:build unix && !node && !nopeer

package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/devtools"
)

// chromium starts a browser, and has the image that knows peers beside the program.
func chromium(t *testing.T) *devtools.Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the other image")
	}
	t.Parallel()
	if _, err := nodeImage(); err != nil {
		t.Fatal(err)
	}
	return devtools.Start(t, func(cmd *exec.Cmd) { startCommand(t, cmd) })
}

// A teller is a program that tells with --json what it does.
type teller struct {
	*testing.T
	cmd  *exec.Cmd
	out  *json.Decoder
	errs *bytes.Buffer // to be read when it has ended
}

// startTeller starts the program with a state of its own.
func startTeller(t *testing.T, args ...string) *teller {
	t.Helper()
	cmd := exec.Command("tenon", append([]string{"--json"}, args...)...)
	cmd.Env = append(os.Environ(), "TENON_DIR="+filepath.Join(t.TempDir(), "state"))
	errs := new(bytes.Buffer)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startCommand(t, cmd)
	return &teller{t, cmd, json.NewDecoder(out), errs}
}

// told is some of what such a program tells.
type told struct {
	Type, Path, Name, State, Ticket string
	Links                           []string
	Share                           struct{ Have int64 }
}

// until reads what it tells until is says that this is the one.
func (p *teller) until(is func(told) bool) (v told) {
	p.Helper()
	for {
		v = told{}
		if err := p.out.Decode(&v); err != nil {
			p.cmd.Wait() //nolint:errcheck // what it says is shown
			p.Fatalf("it tells no more: %v: %s", err, p.errs)
		}
		if is(v) {
			return v
		}
	}
}

func (p *teller) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // Wait tells
	p.cmd.Wait()         //nolint:errcheck // it was killed
}

// A gate is a way to a program that lets only so many bytes through.
type gate struct {
	net.Listener
	to string

	mu   sync.Mutex // guards what follows
	more sync.Cond
	left int64         // bytes that may go through, from clients
	shut chan struct{} // closed when there are none
}

const allBytes = 1 << 60 // bytes of a gate that is open

// newGate makes one that is open, until the test ends.
func newGate(t *testing.T, to string) *gate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, to: to}
	g.more.L = &g.mu
	g.let(allBytes)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { g.pass(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		g.let(allBytes)
		all.Wait()
	})
	return g
}

// let lets so many bytes through from now on; shut is closed when these have gone.
func (g *gate) let(n int64) (shut <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.shut = n, make(chan struct{})
	g.more.Broadcast()
	return g.shut
}

func (g *gate) take(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.left < int64(n) {
		select {
		case <-g.shut:
		default:
			close(g.shut)
		}
		g.more.Wait()
	}
	g.left -= int64(n)
}

func (g *gate) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer up.Close()
	var down sync.WaitGroup
	down.Go(func() { // its end is that of the client
		io.Copy(c, up) //nolint:errcheck // how it ends does not matter
		c.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		g.take(n)
		if _, err2 := up.Write(buf[:n]); err != nil || err2 != nil {
			break
		}
	}
	up.Close()
	down.Wait()
}

// People drop files on a page in a browser. One goes on by itself when the program that takes it was killed and is there
// again, and when it is chosen again on a page that was loaded anew; under a final name there is never less than all of it.
func TestDropInChromium(t *testing.T) {
	b := chromium(t)
	dir, to := t.TempDir(), t.TempDir()
	write := func(name string, size int) string {
		whole := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(size)}).Read(whole) //nolint:errcheck // it does not fail
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same := func(path, at string) {
		t.Helper()
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(to, at)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", at, len(got), len(want), err)
		}
	}
	isLink := func(v told) bool { return v.Type == "link" }
	landed := func(name string) func(told) bool {
		return func(v told) bool { return v.Type == "landed" && v.Name == name }
	}
	small, big, other := write("<b>ü&amp; x.html", 5000), write("big.bin", 20<<20), write("other.bin", 12<<20)

	p := startTeller(t, "receive", "--web", "127.0.0.1:0", "--to", to)
	link := p.until(isLink).Links[0]
	at := strings.Split(link, "/")[2]
	g := newGate(t, at)
	page := strings.Replace(link, at, g.Addr().String(), 1)
	tab := b.Open(page)
	tab.Drop(small)
	p.until(landed(filepath.Base(small)))
	same(small, filepath.Base(small))
	tab.Until(`document.querySelector("li.done")?.textContent.startsWith("<b>ü&amp; x.html: is there")`)
	tab.Until(`document.querySelectorAll("#list b").length === 0`)

	// The program is killed in the middle, and comes back.
	shut := g.let(10 << 20)
	tab.Choose("#file", big)
	<-shut
	p.kill()
	g.let(allBytes)
	if _, err := os.Stat(filepath.Join(to, "big.bin")); err == nil {
		t.Error("half a file has its name")
	}
	tab.Until(`document.querySelector("#list").textContent.includes("connection is lost")`)
	p = startTeller(t, "receive", "--web", at, "--to", to)
	if again := p.until(isLink).Links[0]; again != link {
		t.Errorf("the link is another: %s, %s", link, again)
	}
	p.until(landed("big.bin"))
	same(big, "big.bin")

	// The page is closed in the middle, and the file chosen again later.
	shut = g.let(10 << 20)
	tab.Choose("#file", other)
	<-shut
	tab.Value(`void (window.onbeforeunload = null)`, nil)
	tab.Close()
	g.let(allBytes)
	tab = tab.Another(page)
	tab.Value(`void (window.least = 1e18, new MutationObserver(() => {
		const at = document.querySelector("progress")?.value;
		if (at > 0) window.least = Math.min(window.least, at);
	}).observe(document, {subtree: true, childList: true, characterData: true}))`, nil)
	tab.Choose("#file", other)
	p.until(landed("other.bin"))
	same(other, "other.bin")
	var least float64
	if tab.Value(`window.least`, &least); least < 8<<20 {
		t.Errorf("it began again at %.0f", least)
	}

	// What is not taken is said.
	tab.Choose("#file", write(".bashrc", 10))
	tab.Until(`document.querySelector("li.failed")?.textContent.includes("not taken")`)
	p.cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // Wait tells
	p.cmd.Wait()                         //nolint:errcheck // it was interrupted
	if left, _ := filepath.Glob(filepath.Join(to, ".*")); len(left) > 0 {
		t.Errorf("there is more: %v", left)
	}
}

// A share in a browser: files are saved and not shown, the zip has all, and names are text whatever is in them.
func TestPagesInChromium(t *testing.T) {
	b := chromium(t)
	dir := filepath.Join(t.TempDir(), "photos")
	names := map[string]string{"a.txt": "a", `<img src=x onerror="document.title='bad'">.txt`: "b", `"><script>document.title='bad'<` + `.html`: "<script>document.title='bad'</script>",
		"javascript:alert(1)": "c", "sub/'&lt;.svg": "<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='bad'\"/>", "sub/\x1b[31m\u202ered": "d"}
	for name, text := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := startTeller(t, "share", dir, "--web", "127.0.0.1:0", "--lan-only")
	v := p.until(func(v told) bool { return v.State == "ready" && len(v.Links) > 0 })
	tab := b.Open(v.Links[0])
	tab.Click(`a[href*="/files/photos"]`)
	tab.Until(`document.readyState === "complete" && document.querySelectorAll("td a").length === 6`)
	var inline int
	tab.Value(`document.querySelectorAll("script, img, [onclick], [onerror], [onload], [href^='javascript:']").length`, &inline)
	var title, text string
	tab.Value(`document.title`, &title)
	tab.Value(`document.body.innerText`, &text)
	if inline > 0 || title != "photos" || !strings.Contains(text, `<img src=x onerror="document.title='bad'">.txt`) || !strings.Contains(text, "javascript:alert(1)") {
		t.Errorf("%d elements that do something; %q: %s", inline, title, text)
	}

	to := t.TempDir()
	for _, link := range []string{`a[href$="%3C.html"]`, `a[href*="onerror"]`} {
		name := tab.Download(link, to)
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != names[`"><script>document.title='bad'<`+`.html`] && string(got) != "b" {
			t.Errorf("%s: %q is %q, %v", link, name, got, err)
		}
	}
	name := tab.Download(`a[href$="all.zip"]`, to)
	z, err := zip.OpenReader(filepath.Join(to, name))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	found := 0
	for _, f := range z.File {
		if _, ok := names[strings.TrimPrefix(f.Name, "photos/")]; ok {
			found++
		}
	}
	tab.Value(`document.title`, &title)
	if found != len(names) || name != "photos.zip" || title != "photos" {
		t.Errorf("%s has %d of %d files, and the page is called %q", name, found, len(names), title)
	}
}
