//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Every name that Tenon shares with the socat that is installed is in docs/socat.md,
// where somebody has thought about what it means there and here.
func TestSocatNames(t *testing.T) {
	help, err := exec.Command("socat", "-hhh").Output()
	if err != nil {
		t.Fatalf("socat -hhh: %v; ./check installs socat", err)
	}
	page, err := os.ReadFile("../../docs/socat.md")
	if err != nil {
		t.Fatal(err)
	}
	addresses, options, ok := strings.Cut(string(help), "\n   opts:\n")
	if !ok {
		t.Fatal("socat -hhh does not list options")
	}
	ours := make(map[string]bool)
	for _, k := range kinds() {
		defs, err := newOpener().Options(k.Name + ":")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range defs {
			for _, name := range append(d.Aliases, d.Name) {
				ours[name] = true
			}
		}
	}
	shared := 0
	for _, m := range regexp.MustCompile(`(?m)^ {6,9}([a-z][a-z0-9_-]*)(\[?:|\t| is an alias)`).FindAllStringSubmatch(addresses, -1) {
		if _, ok := kinds().Lookup(m[1]); ok {
			shared++
			checkNamed(t, string(page), "kind", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ {6}([a-z][a-z0-9_-]*)(\t| is an alias)`).FindAllStringSubmatch(options, -1) {
		if ours[m[1]] {
			shared++
			checkNamed(t, string(page), "option", m[1])
		}
	}
	if shared < 150 {
		t.Errorf("only %d names are shared", shared)
	}
}

func checkNamed(t *testing.T, page, sort, name string) {
	t.Helper()
	if !strings.Contains(page, "`"+name+"`") {
		t.Errorf("docs/socat.md does not say what the %s %s means here, and socat has it", sort, name)
	}
}

// What is typed for socat does the same with Tenon, or is refused with a hint. Each
// line of testdata/socat.txt is a name and a shell script, which runs in a folder of
// its own with $P as the program, and a file f of ten digits. Output and files are
// compared, and whether all went well; what socat refuses may be refused without a
// hint.
func TestSameAsSocat(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/socat.txt")
	if err != nil {
		t.Fatal(err)
	}
	tenon, err := exec.LookPath("tenon")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, script, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := ownSandbox(); err != nil {
				t.Fatal(err)
			}
			want, _ := runAs(t, "socat", script)
			got, status := runAs(t, tenon, script)
			refused := status == exitUsage && (strings.Contains(got, "hint: ") || strings.HasPrefix(want, "well false"))
			if got != want && !refused {
				t.Errorf("%s\nsocat: %s\ntenon: %s", script, want, got)
			}
		})
	}
}

// runAs runs a script with a program, and returns what it wrote and left behind.
func runAs(t *testing.T, program, script string) (result string, status int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "P="+program, "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	status = cmd.ProcessState.ExitCode()
	if status == exitUsage {
		return errs.String(), status
	}
	var b strings.Builder
	fmt.Fprintf(&b, "well %v, output %q", status == 0, out.String())
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data := []byte("no file")
		if f.Type().IsRegular() {
			data, _ = os.ReadFile(filepath.Join(dir, f.Name()))
		}
		fmt.Fprintf(&b, ", %s %q", f.Name(), data)
	}
	return b.String(), status
}
