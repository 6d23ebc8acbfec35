//go:build unix

package proxy

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A list of users that comes through a pipe, such as that of a shell's <(command), is read
// once: nobody who logs in waits for somebody to write it again.
func TestUsersComeFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error)
	go func() { wrote <- os.WriteFile(pipe, []byte("a:1\n"), 0) }()
	a := &Access{Users: pipe}
	if err := errors.Join(a.Validate(), <-wrote); err != nil {
		t.Fatal(err)
	}
	commit, err := a.Reload()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if err := a.login("a", "1"); err != nil {
		t.Error(err)
	}
	if err := a.login("a", "2"); err == nil {
		t.Error("a wrong password is taken")
	}
}
