//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/rundir"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// Dial connects to a [Listen] of the same name.
type Dial struct {
	// Name is a name that this user's programs know, the path of a socket if
	// there is a slash in it, or "@" and an abstract name.
	Name     string
	Messages bool // carry messages and not bytes: a MsgConn and not a Conn

	// AllowUID and AllowGID are users and groups, by name or number, whose
	// programs may be the listener, beside this user's and root's. "*" is anybody.
	AllowUID, AllowGID []string
}

var (
	_ transport.Dialer    = (*Dial)(nil)
	_ transport.Validator = (*Dial)(nil)
)

// Bind binds the target and the options.
func (d *Dial) Bind(s *opt.Set) {
	bindName(s, &d.Name)
	s.Group("access")
	s.Strings(&d.AllowUID, "allow-uid", "user", "let a program of this user be the listener, beside those of the own user and root; may be given again")
	s.Strings(&d.AllowGID, "allow-gid", "group", "let a program of this group be the listener; may be given again")
	s.Group("")
}

// Validate looks the users and groups up.
func (d *Dial) Validate() error {
	a := local.Access{AllowUID: d.AllowUID, AllowGID: d.AllowGID}
	return a.Validate()
}

// bindName binds a target that is a name.
func bindName(s *opt.Set, p *string) {
	s.Target(opt.Text, nameSyntax, func(t address.Target) error {
		*p = t.Text
		return checkName(*p)
	})
}

const nameSyntax = "NAME|PATH|@NAME"

// checkName finds fault with a name without looking at any file.
func checkName(name string) error {
	if name == "" || name == "@" {
		return transport.WithHint(transport.Mark(errors.New("there is no name"), transport.ErrUsage),
			"write a name, the path of a socket, or @ and an abstract name")
	}
	return nil
}

// rendezvous is where the two sides meet.
func rendezvous(name string, a local.Access) *rundir.Rendezvous {
	return &rundir.Rendezvous{Name: name, Ext: ".shm", Access: a,
		Hint: "allow-uid=USER lets a program of another user be the other side"}
}

// Dial connects. The context bounds the wait for the other side's Accept.
func (d *Dial) Dial(ctx context.Context) (transport.Conn, error) {
	if err := checkName(d.Name); err != nil {
		return nil, err
	}
	c, err := rendezvous(d.Name, local.Access{AllowUID: d.AllowUID, AllowGID: d.AllowGID}).Dial(ctx)
	if err != nil {
		return nil, err
	}
	info := &transport.Info{Kind: dialKind(modeOf(d.Messages)), Cred: c.Info().Cred}
	sock, err := detach(c)
	if err != nil {
		return nil, err
	}
	region, err := meet(ctx, sock, modeOf(d.Messages))
	if err != nil {
		sock.Close()
		return nil, fmt.Errorf("%s %s: %w", info.Kind, d.Name, err)
	}
	return newConn(sock, region, modeOf(d.Messages), true, info, d.Name), nil
}

// detach takes the socket out of a Conn of package local.
func detach(c transport.Conn) (*os.File, error) {
	fd, err := c.(transport.Detacher).Detach()
	if err != nil {
		c.Close()
		return nil, err
	}
	return os.NewFile(uintptr(fd), "shm"), nil
}

// meet waits for the greeting and maps the memory that comes with it.
func meet(ctx context.Context, sock *os.File, m mode) (*region, error) {
	b, memory, err := readGreeting(ctx, sock)
	if err != nil {
		return nil, err
	}
	defer unix.Close(memory)
	g, err := decodeGreeting(b)
	if err != nil {
		return nil, err
	}
	if g.mode != m {
		return nil, transport.WithHint(fmt.Errorf("who listens there carries %s", g.mode),
			fmt.Sprintf("use %s: on this side, or %s: on the other", dialKind(g.mode), listenKind(m)))
	}
	return openRegion(memory, g)
}

// readGreeting waits for the greeting and the descriptor, which the caller owns.
func readGreeting(ctx context.Context, sock *os.File) (b [greetingSize]byte, memory int, err error) {
	raw, err := sock.SyscallConn()
	if err != nil {
		return b, -1, err
	}
	stop := context.AfterFunc(ctx, func() { _ = sock.SetReadDeadline(time.Unix(1, 0)) })
	var (
		m    received
		fds  []int
		got  int
		rerr error
	)
	err = raw.Read(func(fd uintptr) bool {
		for got < greetingSize {
			n, more, err := m.read(int(fd), greetingSize-got)
			switch {
			case err == unix.EAGAIN:
				return false
			case err == unix.EINTR:
				continue
			case err == nil && n == 0:
				err = io.ErrUnexpectedEOF
			}
			fds = append(fds, more...)
			if rerr = err; err != nil {
				return true
			}
			got += copy(b[got:], m.data[:n])
			if k := min(got, len(magic)); string(b[:k]) != magic[:k] {
				rerr = errStranger // which may never say as much as we wait for
				return true
			}
		}
		return true
	})
	over := !stop()
	switch {
	case over:
		err = transport.WithHint(contextError(ctx), "nothing came from who listens there: is it a shm-listen:, and does it accept?")
	case err == nil && (rerr == io.ErrUnexpectedEOF || rerr == unix.ECONNRESET):
		err = transport.WithHint(syscall.ECONNRESET, "who listens there closed the connection: it may be busy, have refused us, or not be a shm-listen:")
	case err == nil:
		err = rerr
	}
	if err == nil && len(fds) != 1 {
		err = violation("%d descriptors with the greeting", len(fds))
	}
	if err != nil {
		closeAll(fds)
		return b, -1, err
	}
	return b, fds[0], nil
}

// newConn makes a Conn or a MsgConn of a socket and the memory, which it takes.
func newConn(sock *os.File, r *region, m mode, dialed bool, info *transport.Info, name string) transport.Conn {
	if m == messagesMode {
		c := new(MsgConn)
		c.start(sock, r, m, dialed, info, name)
		return c
	}
	c := new(Conn)
	c.start(sock, r, m, dialed, info, name)
	return c
}

// contextError is why ctx ended. It matches ctx.Err() whatever the cause is.
func contextError(ctx context.Context) error {
	err := transport.Mark(context.Cause(ctx), ctx.Err())
	if ctx.Err() == context.DeadlineExceeded {
		err = transport.Mark(err, transport.ErrTimeout)
	}
	return err
}
