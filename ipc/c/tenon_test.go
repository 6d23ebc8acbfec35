//go:build linux

package c

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tenonProgram is cmd/tenon.
var tenonProgram = sync.OnceValues(func() (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "tenon")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if said, err := exec.CommandContext(ctx, "go", "build", "-o", out, "../../cmd/tenon").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, said)
	}
	return out, nil
})

// runTenon runs tenon to its end, and returns what it has written.
func runTenon(t *testing.T, input []byte, args ...string) string {
	t.Helper()
	path, err := tenonProgram()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if ee := (*exec.ExitError)(nil); errors.As(err, &ee) {
		t.Fatalf("tenon %s: %v\n%s", strings.Join(args, " "), err, ee.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// tenon dials a C program, with bytes and with messages.
func TestTenonToC(t *testing.T) {
	data := patterned(0, 3_000_000)
	name := filepath.Join(t.TempDir(), "s")
	p := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "pump", n: 2_000_000})
	if got := runTenon(t, data, "-", "shm:"+name); got != string(patterned(0, 2_000_000)) {
		t.Errorf("tenon has read %d bytes that are not what the C program sent", len(got))
	}
	p.ok(t, len(data))

	p = startEnd(t, checkedEnd(t), howto{role: "listen", name: name, messages: true, action: "echo"})
	lines := "one\n\nthree\n" + strings.Repeat("x", 1000) + "\n"
	if got := runTenon(t, []byte(lines), "-", "shm-msg:"+name+",frame=lines"); got != lines {
		t.Errorf("tenon has read %q, want %q", got, lines)
	}
	p.ok(t, 4)
}

// A C program dials tenon, and has all that it sends back.
func TestCToTenon(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	cat := startTenon(t, "shm-listen:"+name+",once", "exec:cat")
	startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "pump", n: 3_000_000}).ok(t, 3_000_000)
	cat.ends(t, "", 0)
}

// The example of the README does what it says.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	hello, name := filepath.Join(dir, "hello"), filepath.Join(dir, "greeter")
	if err := cc("cc", append(warnings, "-O2", "example/hello.c", "-o", hello)...); err != nil {
		t.Fatal(err)
	}
	p := start(t, hello, name)
	for limit := time.Now().Add(patience); ; {
		if _, err := os.Stat(name); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("hello does not listen: %v\n%s", err, &p.errors)
		}
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		if got := runTenon(t, []byte("Ada\nAlan\n"), "-", "shm-msg:"+name+",frame=lines"); got != "hello, Ada\nhello, Alan\n" {
			t.Errorf("hello answers %q", got)
		}
	}
}

// The program in the README reads what the command beside it sends.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```c\n")
	source, _, found := strings.Cut(rest, "```")
	if !found || !strings.Contains(string(text), "tenon file:film.mp4 shm-listen:video`") {
		t.Fatal("the README has no program, or not the command that this test runs")
	}
	header, err := filepath.Abs("tenon_shm.h")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name, program, film := filepath.Join(dir, "video"), filepath.Join(dir, "program"), filepath.Join(dir, "film.mp4")
	source = strings.NewReplacer(`"tenon_shm.h"`, `"`+header+`"`, `"video"`, `"`+name+`"`).Replace(source)
	want := patterned(0, 1_000_000)
	if err := errors.Join(os.WriteFile(program+".c", []byte(source), 0o600), os.WriteFile(film, want, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := cc("cc", append(warnings, program+".c", "-o", program)...); err != nil {
		t.Fatal(err)
	}
	startTenon(t, "file:"+film, "shm-listen:"+name)
	if got, err := io.ReadAll(start(t, program).out); !bytes.Equal(got, want) || err != nil {
		t.Errorf("the program writes %d bytes that are not the film, %v", len(got), err)
	}
}

// startTenon starts tenon with an end that listens.
func startTenon(t *testing.T, args ...string) *program {
	t.Helper()
	path, err := tenonProgram()
	if err != nil {
		t.Fatal(err)
	}
	ready, signal, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	p := startWith(t, []*os.File{signal}, path, append([]string{"--ready-fd=3"}, args...)...)
	signal.Close()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatalf("tenon is not ready: %v\n%s", err, &p.errors)
	}
	return p
}
