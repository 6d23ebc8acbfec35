//go:build linux

package c

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a program may take that does not hang.
const patience = 30 * time.Second

// A program is one that runs.
type program struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	errors bytes.Buffer
}

// start starts a program, which is killed at the end of the test.
func start(t *testing.T, path string, args ...string) *program {
	t.Helper()
	return startWith(t, nil, path, args...)
}

// startWith starts a program that has these files from descriptor 3 on.
func startWith(t *testing.T, files []*os.File, path string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.ExtraFiles = files
	return run(t, cmd)
}

// run starts a command, which is killed at the end of the test.
func run(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd}
	p.cmd.Stderr = &p.errors
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // it may have been waited for
	})
	return p
}

// startEnd starts testdata/end.c.
func startEnd(t *testing.T, path string, how howto) *program {
	t.Helper()
	mode := "bytes"
	if how.messages {
		mode = "messages"
	}
	if how.timeout == 0 {
		how.timeout = patience
	}
	p := start(t, path, how.role, how.name, mode, strconv.Itoa(how.ring),
		strconv.FormatInt(how.timeout.Milliseconds(), 10), how.action, strconv.Itoa(how.n))
	if how.role == "listen" {
		p.line(t, "ready")
	}
	return p
}

// A howto is the arguments of testdata/end.c.
type howto struct {
	role, name string
	messages   bool
	ring       int
	timeout    time.Duration
	action     string
	n          int
}

// line reads a line, which must be this one.
func (p *program) line(t *testing.T, want string) {
	t.Helper()
	if got, err := p.out.ReadString('\n'); strings.TrimSpace(got) != want {
		t.Fatalf("%s says %q (%v), want %q\n%s", p, got, err, want, &p.errors)
	}
}

// ends waits for the end of the program, whose last line must be this one, with
// that exit status. A program that a signal has ended has the status -1.
func (p *program) ends(t *testing.T, want string, status int) {
	t.Helper()
	rest, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the state says more
	got := strings.TrimSpace(string(rest))
	if code := p.cmd.ProcessState.ExitCode(); code != status || (want != "" && got != want) {
		t.Errorf("%s ended with %q, %v; want %q and status %d\n%s", p, got, p.cmd.ProcessState, want, status, &p.errors)
	}
}

// ok waits for a program that has read n bytes or messages.
func (p *program) ok(t *testing.T, n int) {
	t.Helper()
	p.ends(t, fmt.Sprintf("ok %d", n), 0)
}

func (p *program) String() string {
	return filepath.Base(p.cmd.Path) + " " + strings.Join(p.cmd.Args[1:], " ")
}

// pattern is the byte at a position of what testdata/end.c sends.
func pattern(i uint64) byte { return byte(i*131 + (i>>8)*29 + (i>>16)*7) }

// length is how long its message k is.
func length(k, longest uint64) uint64 {
	switch {
	case k%7 == 0:
		return 0
	case k%11 == 0:
		return longest
	case k%3 != 0:
		return k * 7919 % 100
	}
	return k * 7919 % longest
}

// patterned returns n bytes of the pattern from a position on.
func patterned(at uint64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = pattern(at + uint64(i))
	}
	return p
}
