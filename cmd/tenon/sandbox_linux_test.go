package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/rundir"
)

// scriptsAtOnce is how many scripts run at the same time: they wait more than they work.
func scriptsAtOnce() int { return 2 * runtime.GOMAXPROCS(0) }

// hosts are the names that stand for this machine in the sandbox, as README and
// scripts use them.
const hosts = `127.0.0.1 localhost db host example.org
::1 localhost ip6-localhost
`

// enterSandbox runs this test binary again in a network namespace of its own, with
// loopback only and its own list of hosts, and ends with its status. Inside, it
// does nothing.
func enterSandbox() {
	switch os.Getenv("TENON_SANDBOX") {
	case "":
	case "new":
		if err := setUpSandbox(); err != nil {
			fmt.Fprintln(os.Stderr, "sandbox:", err)
			os.Exit(1)
		}
		os.Setenv("TENON_SANDBOX", "inside")
		return
	default:
		return
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "TENON_SANDBOX=new")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "the tests need a network namespace of their own; run them as root, or allow user namespaces:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// setUpSandbox brings up loopback and puts the list of hosts in its place.
func setUpSandbox() error {
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	f, err := os.CreateTemp("", "hosts")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(hosts); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := unix.Mount(f.Name(), "/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return nil
}

// ownSandbox gives the goroutine that calls it, and all programs that this one starts,
// a network and a place of names such as "shm:video" that nobody else has. Its thread
// ends with it.
func ownSandbox() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return err
	}
	socket, err := rundir.Socket("any", "")
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", filepath.Dir(socket), "tmpfs", 0, "mode=0700"); err != nil {
		return err
	}
	return loopbackUp()
}

func loopbackUp() error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %w: %s", err, out)
	}
	return nil
}
