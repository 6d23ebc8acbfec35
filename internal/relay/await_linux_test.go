package relay_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

// A descriptor that is awaited is told of once, when something has come or the other side has
// ended, and not after its wait was stopped.
func TestAwait(t *testing.T) {
	e := newEngine(t)
	for what, do := range map[string]func(c net.Conn) error{
		"bytes": func(c net.Conn) error { _, err := io.WriteString(c, "x"); return err },
		"end":   closeWrite,
		"reset": func(c net.Conn) error { abortConn(t, c); return nil },
	} {
		far, fd := tcpPair(t)
		ready := make(chan struct{}, 2)
		stop, err := e.Await(fd, func() { ready <- struct{}{} })
		must(t, err)
		if !stop() || stop() {
			t.Errorf("%s: stop is not true once", what)
		}
		stop, err = e.Await(fd, func() { ready <- struct{}{} })
		must(t, err)
		must(t, do(far))
		<-ready
		if stop() {
			t.Errorf("%s: stopped after it was told", what)
		}
		if len(ready) > 0 {
			t.Errorf("%s: told twice", what)
		}
		must(t, syscall.Close(fd))
	}
}

// Who waits when the engine is closed is told, and nobody can wait then.
func TestAwaitClosed(t *testing.T) {
	e := newEngine(t)
	_, fd := tcpPair(t)
	defer syscall.Close(fd)
	ready := make(chan struct{}, 1)
	stop, err := e.Await(fd, func() { ready <- struct{}{} })
	must(t, err)
	must(t, e.Close())
	<-ready
	if stop() {
		t.Error("stopped after it was told")
	}
	if _, err := e.Await(fd, func() {}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// A regular file is always readable, and not for epoll.
func TestAwaitFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer f.Close()
	if _, err := newEngine(t).Await(int(f.Fd()), func() {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
