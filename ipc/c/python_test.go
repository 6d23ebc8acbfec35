//go:build linux

package c

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// library is tenon_shm.h as a shared library.
var library = sync.OnceValues(func() (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "libtenon_shm.so")
	return out, cc("cc", append(warnings, "-O2", "-shared", "-fPIC", "-DTENON_SHM_IMPLEMENTATION", "-x", "c", "tenon_shm.h", "-o", out)...)
})

// startPython starts testdata/end.py.
func startPython(t *testing.T, role, name, mode, action string) *program {
	t.Helper()
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "/usr/bin/env", "PYTHONPATH=.", "PYTHONDONTWRITEBYTECODE=1", "TENON_SHM_LIBRARY="+lib,
		"python3", "testdata/end.py", role, name, mode, action)
	if role == "listen" {
		p.line(t, "ready")
	}
	return p
}

// Python, through the shared library, to C and back.
func TestPythonToC(t *testing.T) {
	for _, mode := range []string{"bytes", "messages"} {
		said := "ok"
		if mode == "messages" {
			said = "Message too long\nok"
		}
		t.Run(mode+" python dials", func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "s")
			l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, messages: mode == "messages", ring: 65536, action: "echo"})
			startPython(t, "dial", name, mode, "say").ends(t, said, 0)
			l.ends(t, "", 0)
		})
		t.Run(mode+" python listens", func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "s")
			l := startPython(t, "listen", name, mode, "echo")
			startPython(t, "dial", name, mode, "say").ends(t, said, 0)
			l.ends(t, "ok", 0)
		})
	}
}

func TestPythonDescriptors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	l := startPython(t, "listen", name, "bytes", "fd")
	d := startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "give"})
	d.line(t, "through a descriptor")
	d.ok(t, 0)
	l.ends(t, "ok", 0)
}

// Errors are OSErrors, and a program that an exception ends has aborted.
func TestPythonErrors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "s")
	p := startPython(t, "dial", name, "bytes", "say")
	p.ends(t, "", 1)
	if want := "FileNotFoundError: [Errno 2] No such file or directory: 'dial'"; !strings.Contains(p.errors.String(), want) {
		t.Errorf("Python says %q, want %q", &p.errors, want)
	}
	l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, action: "sink"})
	startPython(t, "dial", name, "bytes", "fail").ends(t, "", 1)
	l.ends(t, "read: ECONNRESET", 3)
}
