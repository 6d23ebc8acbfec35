//go:build unix

package proc

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

// pipeSize is the capacity asked for, in bytes. It carries bulk data at twice the
// speed of the system's own 64 KiB, and two of it a program stay within what one
// user may have for a hundred programs (pipe(7), pipe-user-pages-soft); beyond
// that, pipes stay as they are.
const pipeSize = 256 << 10

// A wire is what connects us with a program.
type wire struct {
	in, out     *os.File // ours: out is what we write to, in what we read; one file but for pipes
	stdin       *os.File // the program's
	stdout      *os.File
	pty, socket bool
}

// closeProgram closes the program's side.
func (w *wire) closeProgram() {
	w.stdin.Close()
	w.stdout.Close() // where it is the same file, an error that says so
}

// close closes our side. A socket with something unread in it would be reset, which
// to a program is an error and not the end of its reader; so it is emptied first.
func (w *wire) close() {
	if w.socket {
		_ = term.Control(w.in, func(fd int) error { // fails if it is closed already
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

// shutdown ends one direction of a socket.
func shutdown(f *os.File) error {
	return term.Control(f, func(fd int) error {
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil && err != unix.ENOTCONN {
			return os.NewSyscallError("shutdown", err)
		}
		return nil
	})
}
