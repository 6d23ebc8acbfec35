//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptTime is for how long a script may run. The slowest take two minutes on a busy machine.
const scriptTime = 5 * time.Minute

// hurry ends what a script has started when the script runs for too long: it fails then, and Go
// programs say before it where each goroutine is. Without it the time of all tests would be over first.
func hurry(env *testscript.Env) {
	dump := time.AfterFunc(scriptTime, func() { signalBelow(env.WorkDir, syscall.SIGQUIT) })
	end := time.AfterFunc(scriptTime+10*time.Second, func() { signalBelow(env.WorkDir, syscall.SIGKILL) })
	env.Defer(func() {
		dump.Stop()
		end.Stop()
	})
}

// signalBelow sends a signal to all processes that work in a directory or below it, where the
// system has a /proc that tells, and says how many there are.
func signalBelow(dir string, sig syscall.Signal) int {
	n := 0
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is well-formed
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || cwd != dir && !strings.HasPrefix(cwd, dir+"/") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err == nil && syscall.Kill(pid, sig) == nil {
			n++
		}
	}
	return n
}
