//go:build unix

// Package irctest has real IRC clients for tests: irssi and WeeChat, each on a terminal of its own, and HexChat on a
// display, driven by what a person types.
package irctest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// Patience is how long a real client may take on a machine that is busy.
const Patience = time.Minute

// A Screen is what a program has written to its terminal.
type Screen struct {
	t     *testing.T
	keys  *os.File // where what is typed goes
	enter string   // the key at the end of a line

	mu   sync.Mutex // guards text
	text bytes.Buffer
	more chan struct{}
}

// onScreen starts a program on a terminal. It is ended with the test.
func onScreen(t *testing.T, home string, name string, args ...string) *Screen {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no %s on this machine", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"HOME=" + home, "TERM=xterm", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + home}
	cmd.Dir = home
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 180})
	if err != nil {
		t.Fatal(err)
	}
	s := &Screen{t: t, keys: tty, enter: "\r", more: make(chan struct{}, 1)}
	done := make(chan struct{})
	go s.read(tty, done)
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it may be over
		cmd.Wait()                          //nolint:errcheck // it was killed
		tty.Close()
		<-done
	})
	return s
}

func (s *Screen) read(from io.Reader, done chan<- struct{}) {
	defer close(done)
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		s.mu.Lock()
		s.text.Write(b[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?<>=]*[a-zA-Z]|[()][A-Z0-9]|\\][^\x07]*\x07|[=>78])")

// Shown is all that was written, without what moves the cursor.
func (s *Screen) Shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return escapes.ReplaceAllString(s.text.String(), "")
}

// Wait waits until a text was on the screen.
func (s *Screen) Wait(text string) {
	s.t.Helper()
	late := time.After(Patience)
	for !strings.Contains(s.Shown(), text) {
		select {
		case <-s.more:
		case <-late:
			s.t.Fatalf("%q is not shown, but\n%s", text, s.Shown())
		}
	}
}

// Enter types a line.
func (s *Screen) Enter(line string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(line + s.enter); err != nil {
		s.t.Fatal(err)
	}
}

// A Client is a real one that has logged in.
type Client struct {
	*Screen
	Room  string // the command that shows the first room
	Query string // the one that shows the conversation with somebody, whose nick follows
}

// documented are the commands that docs/irc.md has people type in a client.
func documented(t *testing.T, client string, port int, password string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/irc.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := bytes.Cut(text, []byte("\n**"+client+"**"))
	if !ok {
		t.Fatalf("docs/irc.md has nothing about %s", client)
	}
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok && commands != nil {
			break
		} else if ok {
			commands = append(commands, strings.NewReplacer("PASSWORD", password, "6667", fmt.Sprint(port), "\n", "").Replace(command))
		}
	}
	return commands
}

// Irssi starts irssi, which logs in with SASL at a port of this computer, as docs/irc.md says. It returns when the first room is there. The
// password has no spaces.
func Irssi(t *testing.T, port int, password string) *Client {
	t.Helper()
	home := t.TempDir()
	s := onScreen(t, home, "irssi", "--home="+home, "--noconnect")
	s.Wait("[(status)]")
	for _, command := range documented(t, "irssi", port, password) {
		s.Enter(command)
	}
	s.Wait("[Act: 2")
	c := &Client{s, "/window 2", "/query "}
	c.Enter(c.Room)
	return c
}

// WeeChat is Irssi for WeeChat.
func WeeChat(t *testing.T, port int, password string) *Client {
	t.Helper()
	home := t.TempDir()
	args := []string{"-d", home}
	for _, command := range documented(t, "WeeChat", port, password) {
		args = append(args, "-r", command)
	}
	s := onScreen(t, home, "weechat", args...)
	s.Wait("2.  #")
	c := &Client{s, "/buffer 2", "/query "}
	c.Enter(c.Room)
	return c
}
