package natlab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

var errClosed = fmt.Errorf("the laboratory is closed: %w", net.ErrClosed)

// A space is a network namespace with a thread that lives in it. The namespace is
// gone when the thread, the programs that it started and the sockets made there are.
type space struct {
	name string
	fd   *os.File // the namespace
	work chan func()
	stop chan struct{}
	done chan struct{}
}

func newSpace(name string) (*space, error) {
	s := &space{name: name, work: make(chan func()), stop: make(chan struct{}), done: make(chan struct{})}
	made := make(chan error)
	go s.live(made)
	if err := <-made; err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return s, nil
}

// live does what do wants done. Its thread is never unlocked: it ends with the goroutine,
// and takes the programs with it that it started.
func (s *space) live(made chan<- error) {
	defer close(s.done)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		made <- err
		return
	}
	fd, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		made <- err
		return
	}
	defer fd.Close()
	s.fd = fd
	made <- nil
	for {
		select {
		case f := <-s.work:
			f()
		case <-s.stop:
			return
		}
	}
}

// close ends the thread; it must be called once.
func (s *space) close() {
	close(s.stop)
	<-s.done
}

// do calls f on the thread of the namespace. f must not wait for long.
func (s *space) do(f func() error) error {
	err := make(chan error, 1)
	select {
	case s.work <- func() { err <- f() }:
		return <-err
	case <-s.done:
		return errClosed
	}
}

// start starts a program there. It is killed, at the latest, when the laboratory closes.
func (s *space) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return s.do(cmd.Start)
}

// run runs a program there and waits for its end.
func (s *space) run(stdin string, argv ...string) error {
	var out bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	err := s.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w: %s", s.name, strings.Join(argv, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// nft gives nft a script to do, whole or not at all.
func (s *space) nft(script string) error { return s.run(script, "nft", "-f", "-") }

// set sets kernel parameters below /proc/sys/net, which shows the namespace of the thread.
// Those of an IPv6 that is not there are left out.
func (s *space) set(kv ...string) error {
	return s.do(func() error {
		for _, kv := range kv {
			k, v, _ := strings.Cut(kv, "=")
			err := os.WriteFile("/proc/sys/net/"+k, []byte(v), 0)
			if err != nil && !(strings.HasPrefix(k, "ipv6/") && errors.Is(err, os.ErrNotExist)) {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		return nil
	})
}
