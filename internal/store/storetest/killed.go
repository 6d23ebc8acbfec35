// Package storetest has the tests that every keeper of something has in common.
package storetest

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

const dirVar, lastVar = "STORETEST_DIR", "STORETEST_LAST"

// Killed has a process of its own run child in a directory, and kills it when it has told of what it keeps in more than so
// many lines on standard output; that so many times, in the same directory. It returns the directory and all lines.
//
// The process is the test that calls Killed, run again. The child is given the last line that was told before, and does
// not return; what it says on standard error is shown.
func Killed(t *testing.T, times, lines int, child func(dir, last string)) (dir string, told []string) {
	t.Helper()
	if dir := os.Getenv(dirVar); dir != "" {
		child(dir, os.Getenv(lastVar))
		os.Exit(1)
	}
	dir = t.TempDir()
	last := ""
	for range times {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), dirVar+"="+dir, lastVar+"="+last)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in, n := bufio.NewScanner(out), 0
		for ; in.Scan(); n++ {
			last = in.Text()
			told = append(told, last)
			if n == lines {
				cmd.Process.Kill() //nolint:errcheck // the loop ends then
			}
		}
		cmd.Wait() //nolint:errcheck // it was killed
		if n <= lines {
			t.Fatalf("it has ended by itself, after %d lines", n)
		}
	}
	return dir, told
}
