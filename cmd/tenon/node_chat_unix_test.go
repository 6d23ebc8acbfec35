//go:build unix && node

package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
)

// A chatting is tenon chat on a terminal.
type chatting struct {
	cmd *exec.Cmd
	tty *os.File
	raw strings.Builder
}

// chatEnv is the environment of a node in dir, and of what talks to it.
func chatEnv(dir string) []string {
	return append(os.Environ(), "TENON_DIR="+filepath.Join(dir, "state"), "XDG_CONFIG_HOME="+dir, "TERM=xterm-256color")
}

// upForChat starts a node that reaches nobody, until the end of the test.
func upForChat(t *testing.T, dir string) {
	t.Helper()
	node := exec.Command("tenon", "up", "--lan-only", "--discovery=none", "--ready-fd=3")
	node.Env = chatEnv(dir)
	ready, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	node.ExtraFiles = []*os.File{says}
	if err := errors.Join(node.Start(), says.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		node.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it has ended, then
		node.Wait()                          //nolint:errcheck // by that signal
	})
	if line, err := io.ReadAll(ready); err != nil || len(line) == 0 {
		t.Fatalf("the node is not up: %q, %v", line, err)
	}
}

// startChat starts it.
func startChat(t *testing.T, dir string, args ...string) *chatting {
	t.Helper()
	c := &chatting{cmd: exec.Command("tenon", append([]string{"chat"}, args...)...)}
	c.cmd.Env = chatEnv(dir)
	tty, err := pty.StartWithSize(c.cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	c.tty = tty
	t.Cleanup(func() {
		c.cmd.Process.Kill() //nolint:errcheck // it has ended, mostly
		c.tty.Close()        //nolint:errcheck // nobody reads any more
	})
	return c
}

// sees reads what is drawn until something was; "" is until the end.
func (c *chatting) sees(t *testing.T, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	for want == "" || !strings.Contains(ansi.Strip(c.raw.String()), want) {
		n, err := c.tty.Read(buf)
		c.raw.Write(buf[:n])
		if err != nil && want == "" {
			return
		}
		if err != nil {
			t.Fatalf("no %q in %q: %v", want, c.raw.String(), err)
		}
	}
}

func (c *chatting) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(c.tty, keys); err != nil {
		t.Fatal(err)
	}
}

// ends waits for its end, and looks whether the terminal is as it was.
func (c *chatting) ends(t *testing.T, status int) {
	t.Helper()
	c.sees(t, "")
	var exit *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("exit status %d, not %d: %q", got, status, c.raw.String())
	}
	raw := c.raw.String()
	if begin, end := strings.LastIndex(raw, ansi.SetModeAltScreenSaveCursor), strings.LastIndex(raw, ansi.ResetModeAltScreenSaveCursor); begin < 0 || end < begin {
		t.Errorf("the terminal is not as it was: %q", raw)
	}
}

// A room is made, and something said in it, on a terminal; it is there the next time, and a signal ends the screen
// and leaves the terminal as it was.
func TestNodeChatOnATerminal(t *testing.T) {
	dir := t.TempDir()
	upForChat(t, dir)
	c := startChat(t, dir)
	c.sees(t, "No room is here yet.")
	c.types(t, "/new lobby\r")
	c.sees(t, "made the room") // of the list of rooms, only what has changed is drawn
	c.types(t, "hello from the terminal\r")
	c.types(t, "/quit\r")
	c.ends(t, 0)

	for signal, status := range map[syscall.Signal]int{syscall.SIGTERM: 128 + 15, syscall.SIGHUP: 128 + 1} {
		c = startChat(t, dir, "lobby")
		c.sees(t, "hello from the terminal")
		if err := c.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		c.ends(t, status)
	}
}

// What was typed and not sent is there the next time, though a signal has ended the screen; when it was said, it is not.
func TestNodeChatKeepsDrafts(t *testing.T) {
	dir := t.TempDir()
	upForChat(t, dir)
	c := startChat(t, dir)
	c.sees(t, "No room is here yet.")
	c.types(t, "/new lobby\r")
	c.sees(t, "made the room")
	c.types(t, "½")
	c.sees(t, "½")
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.ends(t, 128+1)

	c = startChat(t, dir, "lobby")
	c.sees(t, "½")
	c.types(t, "\r")
	c.types(t, "/quit\r")
	c.ends(t, 0)

	c = startChat(t, dir, "lobby")
	c.sees(t, "½") // as it was said
	c.types(t, "!\r")
	c.types(t, "/quit\r")
	c.ends(t, 0)
	tail := exec.Command("tenon", "tail", "lobby")
	tail.Env = chatEnv(dir)
	out, err := tail.CombinedOutput()
	if err != nil || !regexp.MustCompile(`½\n(.*\n)*.* !\n`).Match(out) {
		t.Errorf("said was %s, %v", out, err)
	}
}

// Where there is no terminal it says what else there is.
func TestNodeChatNeedsATerminal(t *testing.T) {
	cmd := exec.Command("tenon", "chat", "lobby")
	cmd.Env = append(os.Environ(), "TENON_DIR="+t.TempDir())
	out, _ := cmd.CombinedOutput() //nolint:errcheck // the status is looked at
	if got := string(out); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(got, "standard output is none") || !strings.Contains(got, "tenon tail lobby -f") {
		t.Errorf("exit status %d: %s", cmd.ProcessState.ExitCode(), got)
	}
}
