package proxy

import (
	"os"
	"testing"
)

func closeDescriptor(t testing.TB, fd int) {
	t.Helper()
	if err := os.NewFile(uintptr(fd), "detached").Close(); err != nil {
		t.Error(err)
	}
}
