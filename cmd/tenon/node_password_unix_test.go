//go:build unix && node

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/tenon-net/tenon/internal/agefile"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A typist answers the questions of a program on a terminal, and returns all that was to be seen.
func typist(t *testing.T, cmd *exec.Cmd, answers map[string]string) string {
	t.Helper()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close() //nolint:errcheck // it is over
	var all, line strings.Builder
	for in := bufio.NewReader(tty); ; {
		b, err := in.ReadByte()
		if err != nil {
			break // EIO, when the program has ended
		}
		all.WriteByte(b)
		if line.WriteByte(b); b == '\n' {
			line.Reset()
		}
		for question, answer := range answers {
			if strings.HasSuffix(line.String(), question) {
				line.Reset()
				fmt.Fprint(tty, answer) //nolint:errcheck // what is seen tells
			}
		}
	}
	cmd.Wait() //nolint:errcheck // what is seen tells
	return all.String()
}

// On a terminal the password of an export is asked for, twice, and never shown; what is sealed so can be opened by it. Where
// none is said, or the export is cut, there is no file.
func TestPasswordIsAskedFor(t *testing.T) {
	whole := true
	dir := fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/rooms/{room}/export": func(w http.ResponseWriter, _ *http.Request) {
			to := api.NewStreamWriter(w)
			io.WriteString(to, "what was said\n") //nolint:errcheck // the client tells
			if !whole {
				to.Fail(io.ErrUnexpectedEOF)
			}
		},
	})
	out := t.TempDir()
	t.Setenv("PASSWORD", "hunter2")
	export := func(answers map[string]string, more ...string) (seen string, file []byte) {
		t.Helper()
		path := filepath.Join(out, "plans.room")
		os.Remove(path) //nolint:errcheck // it may not be there
		cmd := exec.Command("tenon", append([]string{"room", "export", "plans", path}, more...)...)
		cmd.Env = append(os.Environ(), "TENON_DIR="+dir)
		seen = typist(t, cmd, answers)
		file, _ = os.ReadFile(path)
		if left, _ := filepath.Glob(filepath.Join(out, ".tenon-*")); len(left) > 0 {
			t.Errorf("left is %q", left)
		}
		return seen, file
	}
	first, again := "a password for "+filepath.Join(out, "plans.room")+": ", "the same again: "
	seen, file := export(map[string]string{first: "hunter2\n", again: "hunter2\n"})
	if strings.Contains(seen, "hunter2") || !agefile.Is(file) {
		t.Fatalf("%q leads to %q", seen, file)
	}
	r, err := agefile.Open(strings.NewReader(string(file)), "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || string(plain) != "what was said\n" {
		t.Errorf("in it is %q, %v", plain, err)
	}
	for what, answers := range map[string]map[string]string{
		"needs a password":        {first: "\n"},
		"these are two passwords": {first: "hunter2\n", again: "hunter3\n"},
	} {
		if seen, file := export(answers); !strings.Contains(seen, what) || file != nil {
			t.Errorf("%q does not say %q, and leads to %q", seen, what, file)
		}
	}
	if seen, file := export(nil, "--plain"); string(file) != "what was said\n" {
		t.Errorf("%q leads to %q", seen, file)
	}
	whole = false
	if seen, file := export(nil, "--password", "env:PASSWORD"); file != nil {
		t.Errorf("though it was cut, %q leads to %q", seen, file)
	}
}
