//go:build unix

package proc

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
)

// pipeSize is the capacity asked for, in bytes. It carries bulk data at twice the
// speed of the system's own 64 KiB, and two of it a program stay within what one
// user may have for a hundred programs (pipe(7), pipe-user-pages-soft); beyond
// that, pipes stay as they are.
const pipeSize = 256 << 10

// A wire is what connects us with a program. Of a direction that is not used the files
// are nil, and the program has our own standard input or output instead.
type wire struct {
	in, out     *os.File // ours: out is what we write to, in what we read; one file but for pipes
	stdin       *os.File // the program's
	stdout      *os.File
	pty, socket bool
}

// closeProgram closes the program's side.
func (w *wire) closeProgram() {
	w.stdin.Close()  // of a file that is nil, an error that says so
	w.stdout.Close() // where it is the same file, likewise
}

// file returns the file that is both directions of a terminal or a socket.
func (w *wire) file() *os.File {
	if w.in != nil {
		return w.in
	}
	return w.out
}

// limit takes away what the use of the end does not need.
func (w *wire) limit(use transport.Use) {
	both := w.pty || w.socket
	switch use {
	case transport.WriteOnly:
		if !both {
			w.in.Close()
			w.stdout.Close()
		}
		w.in, w.stdout = nil, nil
	case transport.ReadOnly:
		if !both {
			w.out.Close()
			w.stdin.Close()
		}
		w.out, w.stdin = nil, nil
	}
}

// close closes our side. A socket with something unread in it would be reset, which
// to a program is an error and not the end of its reader; so it is emptied first.
func (w *wire) close() {
	if w.socket {
		_ = term.Control(w.file(), func(fd int) error { // fails if it is closed already
			if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
				return err
			}
			p := make([]byte, 64<<10)
			for n := 1; n > 0; {
				n, _ = unix.Read(fd, p)
			}
			return nil
		})
	}
	w.in.Close()
	w.out.Close()
}

func newPipes() (*wire, error) {
	stdin, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	in, stdout, err := os.Pipe()
	if err != nil {
		stdin.Close()
		out.Close()
		return nil, err
	}
	growPipe(in)
	growPipe(out)
	return &wire{in: in, out: out, stdin: stdin, stdout: stdout}, nil
}

func newSocketpair() (*wire, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	err = syscall.SetNonblock(fds[0], true)
	ours, its := os.NewFile(uintptr(fds[0]), "socketpair"), os.NewFile(uintptr(fds[1]), "socketpair")
	if err != nil {
		ours.Close()
		its.Close()
		return nil, err
	}
	return &wire{in: ours, out: ours, stdin: its, stdout: its, socket: true}, nil
}

func newPTY(o *Options, rows, cols int, owner *identity) (*wire, error) {
	master, slave, _, err := term.OpenPTY()
	if err != nil {
		return nil, err
	}
	w := &wire{in: master, out: master, stdin: slave, stdout: slave, pty: true}
	_, err = term.Change(slave, func(s *term.State) {
		if o.Raw {
			term.Raw(s)
		}
		term.Echo(s, o.Echo.Or(!o.Raw))
	})
	if rows > 0 || cols > 0 {
		err = errors.Join(err, term.SetSize(master, rows, cols))
	}
	if owner != nil {
		err = errors.Join(err, slave.Chown(int(owner.cred.Uid), -1))
	}
	if err != nil {
		w.closeProgram()
		w.close()
		return nil, err
	}
	return w, nil
}

// isDeaf tells whether nobody can read any more what is written to f: no process has
// the other side open (POLLERR of a pipe and POLLHUP of a socket, poll(2)).
func isDeaf(f *os.File) (deaf bool) {
	_ = term.Control(f, func(fd int) error { // fails if we have closed f
		fds := []unix.PollFd{{Fd: int32(fd)}}
		_, err := unix.Poll(fds, 0)
		deaf = err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		return err
	})
	return deaf
}

// shutdown ends one direction of a socket.
func shutdown(f *os.File) error {
	return term.Control(f, func(fd int) error {
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil && err != unix.ENOTCONN {
			return os.NewSyscallError("shutdown", err)
		}
		return nil
	})
}
