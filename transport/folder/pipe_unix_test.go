//go:build unix

package folder

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in the folder is not there: whoever opened it would wait for a writer.
func TestPipe(t *testing.T) {
	dir := tree(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := client(t, &Folder{Path: dir})
	if status, _, _ := do(t, c, "GET", "/pipe"); status != 404 {
		t.Errorf("it is there: %d", status)
	}
	if _, list, _ := do(t, c, "GET", "/"); !strings.Contains(list, "a.txt") {
		t.Errorf("the list is %s", list)
	}
}
