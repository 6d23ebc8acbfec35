//go:build linux

package c

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// scratch is where the programs are that several tests use.
var scratch = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "tenon-shm-c-") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := scratch(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var (
	warnings = []string{"-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"}

	// Memory and undefined behaviour, and races between threads, of which the
	// compiler says that it knows no fences: the memory behind those is not watched.
	sanitizers       = []string{"-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"}
	threadSanitizers = []string{"-g", "-O1", "-fsanitize=thread", "-Wno-tsan"}
)

// The program of testdata/end.c, as users compile it and with the checks of the
// compiler.
var (
	plainEnd     = sync.OnceValues(func() (string, error) { return compileEnd("end", []string{"-O2"}) })
	sanitizedEnd = sync.OnceValues(func() (string, error) { return compileSanitized("end-sanitized", sanitizers) })
	threadedEnd  = sync.OnceValues(func() (string, error) { return compileSanitized("end-threads", threadSanitizers) })
)

func compileEnd(name string, flags []string) (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, name)
	args := append(append([]string{"-pthread", "testdata/end.c", "-o", out}, warnings...), flags...)
	return out, cc("cc", args...)
}

// errNoSanitizers is of a compiler or a kernel that does not have these checks.
var errNoSanitizers = errors.New("there are no sanitizers here")

// compileSanitized compiles with checks, if an empty program with them runs.
func compileSanitized(name string, flags []string) (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	empty := filepath.Join(dir, name+"-empty")
	if err := os.WriteFile(empty+".c", []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		return "", err
	}
	if err = cc("cc", append(flags, empty+".c", "-o", empty)...); err == nil {
		err = exec.Command(empty).Run()
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoSanitizers, err)
	}
	return compileEnd(name, flags)
}

// cc runs a compiler. That there is none is an error: these tests say nothing
// without it.
func cc(compiler string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, compiler, args...).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%w: install gcc and g++ (on Debian: apt-get install gcc g++)", err)
	case err != nil:
		return fmt.Errorf("%s %s: %w\n%s", compiler, strings.Join(args, " "), err, said)
	case len(said) > 0:
		return fmt.Errorf("%s %s says:\n%s", compiler, strings.Join(args, " "), said)
	}
	return nil
}

// end returns the plain program.
func end(t *testing.T) string {
	t.Helper()
	path, err := plainEnd()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// checkedEnd returns the program with the checks of the compiler, or the plain one
// and a line in the log where there are none.
func checkedEnd(t *testing.T) string {
	t.Helper()
	path, err := sanitizedEnd()
	if errors.Is(err, errNoSanitizers) {
		t.Log(err)
		return end(t)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The header compiles without a warning wherever it says that it does, with and
// without its implementation.
func TestHeaderCompiles(t *testing.T) {
	for _, v := range []struct{ compiler, language, std string }{
		{"cc", "c", "c99"}, {"cc", "c", "c11"}, {"cc", "c", "gnu17"},
		{"c++", "c++", "c++11"}, {"c++", "c++", "c++20"},
		{"clang", "c", "c11"}, {"clang++", "c++", "c++17"},
	} {
		t.Run(v.compiler+" "+v.std, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(v.compiler); err != nil && strings.HasPrefix(v.compiler, "clang") {
				t.Skipf("%s is not installed; it is not needed", v.compiler)
			}
			for _, define := range []string{"-DTENON_SHM_IMPLEMENTATION", "-DNOTHING"} {
				if err := cc(v.compiler, "-std="+v.std, "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", define,
					"-x", v.language, "-c", "tenon_shm.h", "-o", filepath.Join(t.TempDir(), "out.o")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A program of two files needs the implementation in one of them only, and one that
// includes it too late is told so.
func TestHeaderInSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	header, err := filepath.Abs("tenon_shm.h")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "HEADER", header)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := write("one.c", "#define TENON_SHM_IMPLEMENTATION\n#include \"HEADER\"\n#include \"HEADER\"\n")
	two := write("two.c", "#include <stdio.h>\n#include \"HEADER\"\nint main(void) { tenon_shm_close(NULL); return 0; }\n")
	late := write("late.c", "#include <fcntl.h>\n#define TENON_SHM_IMPLEMENTATION\n#include \"HEADER\"\n")
	if err := cc("cc", append(warnings, one, two, "-o", filepath.Join(dir, "two"))...); err != nil {
		t.Error(err)
	}
	if err := cc("cc", append(warnings, "-c", late, "-o", filepath.Join(dir, "late.o"))...); err == nil || !strings.Contains(err.Error(), "before any other header") {
		t.Errorf("included too late: %v; want to be told", err)
	}
}
