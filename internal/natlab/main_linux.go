package natlab

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Environment variables by which a test binary knows what it was started for.
const (
	helperEnv = "TENON_NATLAB_HELPER"
	insideEnv = "TENON_NATLAB_INSIDE"
)

// Helpers are functions of a test binary that can be run in a host, each as a process of
// its own: see [Host.Helper]. An error is printed to standard error and makes the exit status 1.
type Helpers map[string]func(args []string) error

// Main is what TestMain calls. It runs the helper that this process was started for, or
// the tests, in a user namespace of their own if they are not run by root, and then what is to
// be done after them.
func Main(m *testing.M, h Helpers, after ...func()) {
	if name, ok := os.LookupEnv(helperEnv); ok {
		f, err := h[name], error(nil)
		if f == nil {
			err = fmt.Errorf("no helper %q", name)
		} else {
			err = f(os.Args[1:])
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "helper %s: %v\n", name, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if _, inside := os.LookupEnv(insideEnv); os.Geteuid() != 0 && !inside {
		if status, ok := again(); ok {
			os.Exit(status)
		}
	}
	status := m.Run()
	for _, f := range after {
		f()
	}
	os.Exit(status)
}

// again runs this program once more, as root of a user namespace; ok is false if the kernel
// does not let it.
func again() (status int, ok bool) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return 0, false
	}
	// go test asks a test that hangs for its goroutines by this signal.
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-quit:
				_ = cmd.Process.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		return 2, true
	}
	return cmd.ProcessState.ExitCode(), true
}
