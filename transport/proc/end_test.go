//go:build unix

package proc

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

func TestExitStatus(t *testing.T) {
	for _, test := range []struct {
		text string
		code int
		say  string
	}{
		{"exec:true", 0, ""},
		{"exec:false", 1, "false ended with status 1"},
		{"sh:exit 3", 3, "the command ended with status 3"},
		{"sh:kill -USR1 $$", 138, "the command was ended by SIGUSR1"},
		{"exec:false,pty", 1, "false ended with status 1"},
		{"exec:false,wire=socketpair", 1, "false ended with status 1"},
	} {
		out, err := run(t, test.text)
		if test.code == 0 {
			if err != nil || out != "" {
				t.Errorf("%s: %q, error %v", test.text, out, err)
			}
			continue
		}
		if e := wantExit(t, err, test.code); e.Error() != test.say {
			t.Errorf("%s: error %q, want %q", test.text, e, test.say)
		}
	}
}

// sort writes nothing before its input ends.
func TestHalfCloseReachesProgram(t *testing.T) {
	for _, text := range []string{"exec:sort -u", "exec:sort -u,wire=socketpair", "exec:sort -u,pty,echo=no,raw=no"} {
		got, err := finish(t, dial(t, text), "b\na\nb\n")
		if got = strings.ReplaceAll(got, "\r", ""); got != "a\nb\n" || err != nil {
			t.Errorf("%s: got %q, error %v", text, got, err)
		}
	}
}

// In the middle of a line, one ^D only hands the line over.
func TestHalfCloseInsideALine(t *testing.T) {
	got, err := finish(t, dial(t, "exec:cat,pty,echo=no"), "no newline")
	if got != "no newline" || err != nil {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestHalfCloseOfRawTerminal(t *testing.T) {
	c := dial(t, "exec:cat,pty,raw")
	if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want errors.ErrUnsupported", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("hanging up on cat: %v", err)
	}
}

func TestBash(t *testing.T) {
	c := dial(t, "exec:bash --norc --noprofile -i,pty,rows=30,cols=90,env=PS1=ready>,env=TERM=dumb")
	readUntil(t, c, "ready>")
	say := func(line, want string) {
		t.Helper()
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			t.Fatal(err)
		}
		readUntil(t, c, want)
	}
	say("stty size", "30 90")
	if err := c.(transport.Resizer).Resize(40, 100); err != nil {
		t.Fatal(err)
	}
	say("stty size", "40 100")
	say("echo $((6*7))", "42")
	say("exit 5", "exit")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("after the exit: %v", err)
	}
	wantExit(t, c.Close(), 5)
}

func TestHangUpEndsBash(t *testing.T) {
	c := dial(t, "exec:bash --norc --noprofile -i,pty,env=PS1=ready>")
	readUntil(t, c, "ready>")
	start := time.Now()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}

// A program that ends without reading all of its input leaves a clean end.
func TestInputLeftUnread(t *testing.T) {
	for _, text := range []string{"sh:'sleep 0.1; echo done'", "sh:'sleep 0.1; echo done',wire=socketpair"} {
		c := dial(t, text)
		if _, err := c.Write(make([]byte, 10000)); err != nil {
			t.Fatal(err)
		}
		if out, err := io.ReadAll(c); string(out) != "done\n" || err != nil {
			t.Errorf("%s: got %q, error %v", text, out, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: Close: %v", text, err)
		}
	}
}

// yes(1) never ends by itself: it does when nobody reads any more, and that is no
// failure.
func TestNobodyReads(t *testing.T) {
	for _, text := range []string{"exec:yes", "exec:yes,wire=socketpair", "exec:yes,pty", "sh:yes; exit $?"} {
		c := dial(t, text)
		readUntil(t, c, "y")
		if err := c.Close(); err != nil {
			t.Errorf("%s: Close: %v", text, err)
		}
	}
}

func TestNoZombie(t *testing.T) {
	for _, options := range []string{"", ",wire=socketpair", ",pty"} {
		c := dial(t, "sh:'sleep 1000 & echo $! $$; wait'"+options)
		fields := strings.Fields(readUntil(t, c, "\n"))
		if err := transport.Abort(c, errors.New("cut")); err != nil {
			t.Errorf("Abort: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close after Abort: %v", err)
		}
		for _, field := range fields {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			wantGone(t, pid)
		}
	}
}

// Input that is cut off must not look complete: the program is ended before it
// sees the end of its input.
func TestAbortIsNotAnEndOfInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "complete")
	c := dial(t, "sh:'trap \"\" TERM; echo ready; cat >/dev/null; touch "+file+"'")
	readUntil(t, c, "ready")
	transport.Abort(c, errors.New("cut"))
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the program took the cut for the end: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Abort: %v", err)
	}
}

func TestAbortEndsTheWaitOfClose(t *testing.T) {
	c := dial(t, `sh:'trap "" TERM HUP PIPE; echo ready; while :; do sleep 0.05; done',kill-after=never`)
	readUntil(t, c, "ready")
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	transport.Abort(c, errors.New("enough"))
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ text, want, hint string }{
		{"exec:no-such-program", "no-such-program: executable file not found in $PATH", "there is no program of that name in PATH; a line of shell is run by sh:"},
		{"exec:/no/such/program", "/no/such/program: no such file or directory", "there is no such file"},
		{"exec:" + file("data", "x", 0o644), dir + "/data: permission denied", "the file must be executable, and the directories above it open to us"},
		{"exec:" + file("lost", "#!/no/such/shell\n", 0o755), dir + "/lost: no such file or directory", "the file is there, but the interpreter that its first line names is not"},
		{"exec:" + file("plain", "echo\n", 0o755), dir + "/plain: exec format error", "it does not begin with #! and an interpreter; sh: runs it all the same"},
		{"exec:cat,dir=/no/such", "cat: directory /no/such: stat /no/such: no such file or directory\nno such file or directory", ""},
	} {
		_, err := dialFor(t, nil, test.text)
		if err == nil || err.Error() != test.want || transport.Hint(err) != test.hint {
			t.Errorf("%s: error %q, hint %q;\nwant %q, %q", test.text, err, transport.Hint(err), test.want, test.hint)
		}
	}
	wantOutput(t, "exec:./script,dir="+filepath.Dir(file("script", "#!/bin/sh\necho here\n", 0o755)), "here\n")
}

func TestQuotesAreAShells(t *testing.T) {
	for _, line := range []string{`a  b`, `'a  b' "c\"d"`, `a\ b`, `"\$x" '$x'`, `""`, `"a\b"`, "a\\\nb"} {
		words, err := Split(line)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\n' `+line).Output()
		if want := strings.Join(words, "\n") + "\n"; string(out) != want || err != nil {
			t.Errorf("%s: we make %q of it, a shell %q, error %v", line, want, out, err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"sort -u", `grep "a b" 'c'\''d'`, `\`, `"`, "a\\\nb", "'\xff'", `""`, "\r\n\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			return
		}
		again, err := Split(Quote(words))
		if err != nil || len(again) != len(words) || strings.Join(again, "\x00") != strings.Join(words, "\x00") {
			t.Errorf("%q: %q, then %q, error %v", line, words, again, err)
		}
	})
}

// The program has said that it is ready before the key is pressed: what is typed
// while a signal is under way, a terminal throws away.
func TestCtrlC(t *testing.T) {
	c := dial(t, `sh:'trap "echo caught; exit 6" INT; echo ready; while :; do sleep 0.1; done',pty`)
	readUntil(t, c, "ready")
	if _, err := c.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	readUntil(t, c, "caught")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("after the exit: %v", err)
	}
	wantExit(t, c.Close(), 6)
}
