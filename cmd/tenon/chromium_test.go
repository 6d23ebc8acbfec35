//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// A browser is the one peer that says where it comes from: a page of another site
// must not reach what listens here. This page tries each door and posts what came
// of it. An echo that keeps no boundaries is compared as bytes, one that keeps them
// message by message.
const chromiumPage = `<!doctype html><meta charset=utf-8><title>tenon</title><script>
const sizes = [1, 125, 126, 65535, 65536, 1 << 20];
const bytesOf = d => typeof d === "string" ? new TextEncoder().encode(d) : new Uint8Array(d);
function messages() {
	const out = [];
	for (const n of sizes) {
		out.push("aä€😀".repeat(n).slice(0, n - n % 5 || 1));
		out.push(Uint8Array.from({length: n}, (_, i) => i * 7 ^ i >> 8).buffer);
	}
	return out;
}
function same(a, b) {
	a = bytesOf(a), b = bytesOf(b);
	return a.length === b.length && a.every((x, i) => x === b[i]);
}
function knock(url, exact) {
	return new Promise(done => {
		const ws = new WebSocket(url), send = messages();
		let opened = false, got = [], size = 0, told = "";
		ws.binaryType = "arraybuffer";
		const next = () => send.length ? ws.send(send[0]) : ws.close(1000, "enough");
		ws.onopen = () => { opened = true; next(); };
		ws.onmessage = e => {
			got.push(e.data);
			size += bytesOf(e.data).length;
			if (size < bytesOf(send[0]).length) return;
			const sent = send.shift();
			if (exact && (got.length !== 1 || typeof got[0] !== typeof sent)) told = "other messages: " + got.length;
			const all = new Uint8Array(size);
			got.reduce((at, d) => (all.set(bytesOf(d), at), at + bytesOf(d).length), 0);
			if (!same(all, sent)) told = "other bytes";
			got = [], size = 0;
			told ? ws.close() : next();
		};
		ws.onclose = e => done(told || (opened ? (e.wasClean ? "echo " : "cut ") + e.code : "refused"));
	});
}
(async () => {
	const out = {};
	for (const d of DOORS) out[d.name] = await knock(d.url, d.exact);
	await fetch("/verdict", {method: "POST", body: JSON.stringify(out)});
})();
</script>`

func TestChromium(t *testing.T) {
	t.Parallel()
	chromium, err := installed("chromium")
	if err != nil {
		t.Fatal(err)
	}

	// The page and the doors each need the other's address: the page is made last.
	verdict := make(chan map[string]string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /verdict", func(w http.ResponseWriter, r *http.Request) {
		var v map[string]string
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
			t.Error(err)
		}
		verdict <- v
	})
	site := httptest.NewServer(mux)
	defer site.Close()

	own, _ := startTenon(t, "ws-listen:0", "exec:cat")
	named, _ := startTenon(t, "ws-listen:0,origin="+site.URL, "exec:cat")
	foreign, foreignErrs := startTenon(t, "ws-listen:0", "exec:cat")
	rebound, reboundErrs := startTenon(t, "ws-listen:0,origin="+site.URL, "exec:cat")
	hosted, _ := startTenon(t, "ws-listen:0,host=example.org,origin="+site.URL, "exec:cat")
	relay, _ := startTenon(t, "ws-listen:0,origin="+site.URL, "ws://"+echoMessages(t))

	// The server of the page passes /ws on, as nginx would: host and origin agree.
	mux.Handle("/ws", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: own, Path: "/"})
		r.Out.URL.Path, r.Out.Host = "/", r.In.Host
	}})
	type door struct {
		Name  string `json:"name"`
		URL   string `json:"url"`
		Exact bool   `json:"exact"`
	}
	_, reboundPort, _ := net.SplitHostPort(rebound)
	_, hostedPort, _ := net.SplitHostPort(hosted)
	doors, err := json.Marshal([]door{
		{"own", "ws" + strings.TrimPrefix(site.URL, "http") + "/ws", false},
		{"named", "ws://" + named + "/", false},
		{"relay", "ws://" + relay + "/", true},
		{"foreign", "ws://" + foreign + "/", false},
		{"rebound", "ws://example.org:" + reboundPort + "/", false},
		{"hosted", "ws://example.org:" + hostedPort + "/", false},
	})
	if err != nil {
		t.Fatal(err)
	}

	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Replace(chromiumPage, "DOORS", string(doors), 1))
	})

	browse(t, chromium, site.URL+"/")
	select {
	case got := <-verdict:
		want := map[string]string{"own": "echo 1000", "named": "echo 1000", "relay": "echo 1000",
			"foreign": "refused", "rebound": "refused", "hosted": "echo 1000"}
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s: the page says %q, want %q", name, got[name], want[name])
			}
		}
	case <-time.After(3 * time.Minute): // on a busy machine
		t.Fatal("the page does not answer")
	}
	if text := foreignErrs(); !strings.Contains(text, "another origin") {
		t.Errorf("a page of another origin was refused, and tenon says: %q", text)
	}
	if text := reboundErrs(); !strings.Contains(text, "another host") {
		t.Errorf("a page with a name that points here was refused, and tenon says: %q", text)
	}
}

// browse has a browser of its own load a page, until the test ends.
func browse(t *testing.T, chromium, page string) {
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", page)
	startCommand(t, cmd)
}

// startTenon runs the program with a listener and returns where it listens, and
// what it has said on standard error.
func startTenon(t *testing.T, args ...string) (addr string, errs func() string) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	log, err := os.Create(t.TempDir() + "/err")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tenon", append(args, "--ready-fd=3")...)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{w}, log
	startCommand(t, cmd)
	w.Close()
	log.Close()
	errs = func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("tenon %q does not listen: %v: %s", args, err, errs())
	}
	return strings.TrimSpace(line), errs
}

// startCommand starts a program, which ends with the test, its children too.
func startCommand(t *testing.T, cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
}

// echoMessages gives back WebSocket messages as they are, text as text.
func echoMessages(t *testing.T) (addr string) {
	acc, err := tenon.Listen(context.Background(), "ws-listen:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := acc.Accept()
			if err != nil {
				return
			}
			echoOne(conn.(transport.MsgConn))
		}
	}()
	t.Cleanup(func() { acc.Close(); <-done })
	return fmt.Sprint(acc.Addr())
}

func echoOne(conn transport.MsgConn) {
	defer conn.Close()
	buf := make([]byte, 2<<20)
	for {
		n, meta, err := conn.ReadMsg(buf)
		if err != nil {
			return
		}
		if err := conn.WriteMsg(buf[:n], transport.Meta{Text: meta.Text}); err != nil {
			return
		}
	}
}
