//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/devtools"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

// A tab is a page of the show in a browser.
type tab struct{ *devtools.Tab }

var pictureFile = flag.String("picture", "", "write what the slide with the video looks like to this `file` (PNG)")

// The tests start this program as the slide show, and as `tenon A B`.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_AS") {
	case "slideshow":
		main()
	case "tenon":
		if _, err := tenon.Join(context.Background(), os.Args[1], os.Args[2], join.Options{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// startAs starts this program as another.
func startAs(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TEST_AS="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// startCommand starts a program, which ends with the test, its children too.
func startCommand(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, pid := range append(children(cmd.Process.Pid), cmd.Process.Pid) {
			syscall.Kill(-pid, syscall.SIGKILL)
		}
		cmd.Wait()
	})
}

// startShow starts a slide show and returns where its page is.
func startShow(t *testing.T, args ...string) (show *exec.Cmd, url string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: apt-get install ffmpeg")
	}
	show = startAs(t, "slideshow", args...)
	out, err := show.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startCommand(t, show)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the slide show says %q and %v", line, err)
	}
	return show, strings.TrimSpace(strings.TrimPrefix(line, "the slides are at "))
}

// children are the processes that a process has started.
func children(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// onlyChild is the ffmpeg that a slide show has started.
func onlyChild(t *testing.T, pid int) int {
	t.Helper()
	pids := children(pid)
	if len(pids) != 1 {
		t.Fatalf("the slide show has the children %v, want one", pids)
	}
	return pids[0]
}

func signalTo(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// What the tests ask of a page. A hash of the pixels tells whether the video moves;
// the colours, whether there is one.
const (
	pixels = `(() => {
		const canvas = document.querySelector("section:not([hidden]) canvas"), colours = new Set();
		const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		let hash = 0;
		for (let i = 0; i < data.length; i += 4) {
			const colour = data[i] << 16 | data[i + 1] << 8 | data[i + 2];
			hash = Math.imul(hash, 31) + colour | 0;
			if (i % 1024 === 0) colours.add(colour);
		}
		return {hash, colours: colours.size};
	})()`
	remember = `window.seen = []; new MutationObserver(() => window.seen.push(
		document.documentElement.dataset.video + ": " + document.querySelector("section:not([hidden]) .message")?.textContent))
		.observe(document.documentElement, {attributes: true, attributeFilter: ["data-video"]})`
	shown = `(() => { const s = getComputedStyle(document.querySelector("section:not([hidden]) .message")); return s.visibility === "visible"; })()`
)

// wantMoving checks that the pixels of the video change, and come from a picture.
func (t tab) wantMoving() {
	t.Helper()
	t.Until(`document.documentElement.dataset.video === "live"`)
	var first struct{ Hash, Colours int }
	t.Value(pixels, &first)
	t.Until(fmt.Sprintf("%s.hash !== %d", pixels, first.Hash))
	t.Value(pixels, &first)
	if first.Colours < 20 {
		t.Errorf("the video has %d colours: that is no picture", first.Colours)
	}
	t.Until("!" + shown)
}

// wantWords checks that the slide shows a state, and says so.
func (t tab) wantWords(s state) {
	t.Helper()
	t.Until(fmt.Sprintf(`document.documentElement.dataset.video === %q && %s &&
		document.querySelector("section:not([hidden]) .message").textContent.startsWith(%q)`, s, shown, s.text()))
}

func (t tab) wantSlide(n int) {
	t.Helper()
	t.Until(fmt.Sprintf(`document.documentElement.dataset.slide === "%d" && location.hash === "#%d" &&
		[...document.querySelectorAll("main > section")].findIndex(s => !s.hidden) === %d - 1`, n, n, n))
}

func TestSlideShow(t *testing.T) {
	show, url := startShow(t, "-from", videoAt(t))
	b := devtools.Start(t, func(cmd *exec.Cmd) { startCommand(t, cmd) })
	one := tab{b.Open(url)}
	one.Until(`document.documentElement.dataset.link === "open"`)
	one.wantSlide(1)
	one.Press("ArrowRight")
	one.wantSlide(2)
	one.Click("#on")
	one.wantSlide(3)
	one.Until(`document.querySelector("section:not([hidden]) img").naturalWidth > 0`)
	one.Press(" ")
	one.wantSlide(4)
	one.wantMoving()

	two := tab{b.Open(url)} // a second browser
	two.wantSlide(4)
	two.wantMoving()
	two.Press("ArrowLeft")
	one.wantSlide(3)
	one.Value(`void (location.hash = "#4")`, nil)
	two.wantSlide(4)
	two.wantMoving()
	if *pictureFile != "" {
		two.Until(`/^2\d/.test(document.querySelector("section:not([hidden]) .pace").textContent)`)
		if err := os.WriteFile(*pictureFile, two.Picture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	// A program that is stopped: the slide says so, and is a slide still.
	ffmpeg := onlyChild(t, show.Process.Pid)
	signalTo(t, ffmpeg, syscall.SIGSTOP)
	one.wantWords(stalled)
	two.wantWords(stalled)
	one.Press("End")
	two.wantSlide(5)
	two.Press("p")
	one.wantSlide(4)
	three := tab{b.Open(url)} // comes while it is stopped, and sees the last picture
	three.wantWords(stalled)
	three.Until(pixels + ".colours >= 20")
	signalTo(t, ffmpeg, syscall.SIGCONT)
	one.wantMoving()
	three.wantMoving()

	// A program that is killed: the slide says so, and plays what comes next.
	one.Value(remember, nil)
	signalTo(t, ffmpeg, syscall.SIGKILL)
	one.Until(fmt.Sprintf(`window.seen.some(s => s.startsWith("%s: %s"))`, ended, ended.text()))
	one.wantMoving()
	two.wantMoving()
	if again := onlyChild(t, show.Process.Pid); again == ffmpeg {
		t.Error("the program that was killed is still there")
	}

	// Ctrl-C ends all, also a program that is stopped.
	ffmpeg = onlyChild(t, show.Process.Pid)
	signalTo(t, ffmpeg, syscall.SIGSTOP)
	signalTo(t, show.Process.Pid, syscall.SIGINT)
	if err := show.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if err := syscall.Kill(ffmpeg, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("ffmpeg after Ctrl-C: %v, want that it is gone", err)
	}
	one.Until(`document.documentElement.dataset.link === "lost"`)
}

// A video program of one's own: another process, that comes and goes as it likes.
func TestOwnVideoProgram(t *testing.T) {
	from := videoAt(t)
	_, url := startShow(t, "-no-ffmpeg", "-from", from)
	conn, err := tenon.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"live")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	page := conn.(transport.MsgConn)
	page.SetReadDeadline(time.Now().Add(patience))
	page.WriteMsg([]byte(`{"go":3}`), transport.Meta{Text: true})

	wantState(t, page, waiting)
	for range 2 {
		program := startAs(t, "tenon", "exec:'ffmpeg -loglevel fatal -f lavfi -i testsrc2=size=320x180 -vf realtime -f mpjpeg -'", feedAddress(from))
		startCommand(t, program)
		wantState(t, page, live)
		wantPicture(t, page)
		program.Process.Kill()
		wantState(t, page, ended)
	}
}

// wantState reads until the page is told that the video is so.
func wantState(t *testing.T, page transport.MsgConn, want state) {
	t.Helper()
	readUntil(t, page, string(want), func(p []byte, text bool) bool {
		var news told
		return text && json.Unmarshal(p, &news) == nil && news.Video == want && news.Slide == 3
	})
}

func wantPicture(t *testing.T, page transport.MsgConn) {
	t.Helper()
	readUntil(t, page, "a picture", func(p []byte, text bool) bool {
		return !text && p[0] == 0xFF && p[1] == 0xD8
	})
}

func readUntil(t *testing.T, page transport.MsgConn, what string, is func(p []byte, text bool) bool) {
	t.Helper()
	buf := make([]byte, maxFrame)
	for {
		n, m, err := page.ReadMsg(buf)
		if err != nil {
			t.Fatalf("waiting for %q: %v", what, err)
		}
		if !m.Text { // the next one, please
			if err := page.WriteMsg([]byte(`{"drawn":true}`), transport.Meta{Text: true}); err != nil {
				t.Fatal(err)
			}
		}
		if is(buf[:n], m.Text) {
			return
		}
	}
}

// videoAt is an address for the video that no other test has.
func videoAt(t *testing.T) string {
	return "shm-listen:" + filepath.Join(t.TempDir(), "video.sock")
}
