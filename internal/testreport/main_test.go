package main

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// The exit status is that of go test.
func TestExitStatus(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what failed leaves its output there
	for body, want := range map[string]int{"": 0, "t.Error()": 1, "syntax error": 1} {
		t.Chdir(t.TempDir())
		write(t, "go.mod", "module example.org/m\n")
		write(t, "m_test.go", "package m\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { "+body+" }\n")
		got := 0
		if err := run([]string{"./..."}); err != nil {
			exit := (*exec.ExitError)(nil)
			if !errors.As(err, &exit) {
				t.Fatal(err)
			}
			got = exit.ExitCode()
		}
		if got != want {
			t.Errorf("a test of %q: exit status %d, want %d", body, got, want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
