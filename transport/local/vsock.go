//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/mdlayher/vsock"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// AnyCID stands for all context IDs of this machine, VMADDR_CID_ANY of vsock(7).
const AnyCID = 1<<32 - 1

// Vsock connects a virtual machine with its host, or a host with its machines.
type Vsock struct {
	CID  uint32 // of the machine to connect to; 1 is this one, 2 the host
	Port uint32
}

// VsockListen waits for connections between a virtual machine and its host. Only
// they can connect; there is no network on which others could.
type VsockListen struct {
	CID  uint32 // to listen on; 0 and AnyCID are all of this machine
	Port uint32 // 0 is any that is free
}

var (
	_ transport.Dialer   = (*Vsock)(nil)
	_ transport.Listener = (*VsockListen)(nil)
	_ socket             = (*vsock.Conn)(nil)
)

// Bind binds the target.
func (v *Vsock) Bind(s *opt.Set) {
	s.Target(opt.Text, "CID:PORT", func(t address.Target) (err error) {
		v.CID, v.Port, err = parseVsock(t.Text)
		if err == nil && (!strings.Contains(t.Text, ":") || v.CID == AnyCID) {
			err = usage("there is no context ID to connect to", "write CID:PORT, as in vsock:host:5000")
		}
		return err
	})
}

// Dial connects.
func (v *Vsock) Dial(ctx context.Context) (transport.Conn, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	c, err := vsock.DialContext(ctx, v.CID, v.Port, nil)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, contextError(ctx)
	case err != nil:
		return nil, vsockError(err)
	}
	return newConn(c, vsockKind, c.LocalAddr(), c.RemoteAddr()), nil
}

// Bind binds the target.
func (v *VsockListen) Bind(s *opt.Set) {
	s.Target(opt.Text, "[CID:]PORT", func(t address.Target) (err error) {
		v.CID, v.Port, err = parseVsock(t.Text)
		return err
	})
}

// Listen opens the socket.
func (v *VsockListen) Listen(ctx context.Context) (transport.Acceptor, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	cid := v.CID
	if cid == 0 {
		cid = AnyCID
	}
	ln, err := vsock.ListenContextID(cid, v.Port, nil)
	if err != nil {
		return nil, vsockError(err)
	}
	return &vsockAcceptor{ln: ln}, nil
}

type vsockAcceptor struct {
	ln *vsock.Listener

	closing  sync.Once
	closeErr error
}

func (a *vsockAcceptor) Accept() (transport.Conn, error) {
	c, err := a.ln.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(c.(*vsock.Conn), vsockListenKind, c.LocalAddr(), c.RemoteAddr()), nil
}

func (a *vsockAcceptor) Addr() net.Addr { return a.ln.Addr() }

func (a *vsockAcceptor) Close() error {
	a.closing.Do(func() { a.closeErr = a.ln.Close() })
	return a.closeErr
}

// parseVsock reads "CID:PORT" and "PORT"; without a CID it is AnyCID.
func parseVsock(text string) (cid, port uint32, err error) {
	cid = AnyCID
	portText := text
	if name, rest, ok := strings.Cut(text, ":"); ok {
		portText = rest
		if cid, err = parseCID(name); err != nil {
			return 0, 0, err
		}
	}
	n, err := strconv.ParseUint(portText, 10, 32)
	if err != nil || n == AnyCID {
		return 0, 0, usage(fmt.Sprintf("%q is not a port of a VM socket", portText), "ports are numbers from 0 to 4294967294")
	}
	return cid, uint32(n), nil
}

func parseCID(name string) (uint32, error) {
	switch strings.ToLower(name) {
	case "any", "*", "":
		return AnyCID, nil
	case "hypervisor":
		return vsock.Hypervisor, nil
	case "local":
		return vsock.Local, nil
	case "host":
		return vsock.Host, nil
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return 0, usage(fmt.Sprintf("%q is not a context ID", name), "write a number, host, local or any")
	}
	return uint32(n), nil
}

// vsockError says what can be done about err.
func vsockError(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return transport.WithHint(err, "/dev/vsock says who may use VM sockets")
	case isNoVsock(err):
		return transport.WithHint(err, "this machine has no VM sockets: is it a virtual machine, and is the module vsock there?")
	case isUnreachable(err):
		return transport.WithHint(err, "no machine with this context ID can be reached from here")
	}
	return err
}
