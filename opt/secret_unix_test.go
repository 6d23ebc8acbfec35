//go:build unix

package opt

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe can be read once; what it said is what counts for ever, and nobody waits for more.
func TestSecretComesFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error)
	go func() { wrote <- os.WriteFile(pipe, []byte("once\n"), 0) }()
	var s Set
	var secret Secret
	s.Secret(&secret, "password", "")
	if err := errors.Join(s.Set("password", "@"+pipe, true), <-wrote); err != nil {
		t.Fatal(err)
	}
	commit, err := s.Reload()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if got := secret.Text(); got != "once" {
		t.Errorf("the secret is %q", got)
	}
}
