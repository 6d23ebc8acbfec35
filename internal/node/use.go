package node

import (
	"cmp"
	"context"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A use is an end of a joint that is in the hands of somebody else: of a program that
// has dialed a peer, or accepts peers. It counts, and it ends when the joint is cut.
type use struct {
	conn  transport.Conn
	joint *joint
	ctx   context.Context // of the joint
	ended func(error)     // called once
	stop  func() bool

	once sync.Once
	err  error
}

// newUse returns a Stream or a MsgConn, as conn is one. The joint lives until ended is
// called.
func newUse(ctx context.Context, conn transport.Conn, j *joint, ended func(error)) transport.Conn {
	u := &use{conn: conn, joint: j, ctx: ctx, ended: ended}
	u.stop = context.AfterFunc(ctx, u.cut)
	if m, ok := conn.(transport.MsgConn); ok {
		return &useMsgs{u, m}
	}
	return &useStream{u, conn.(transport.Stream)} // a Conn is one or the other
}

type useStream struct {
	*use
	stream transport.Stream
}

type useMsgs struct {
	*use
	msgs transport.MsgConn
}

var (
	_ transport.Stream  = (*useStream)(nil)
	_ transport.MsgConn = (*useMsgs)(nil)
	_ transport.Aborter = (*use)(nil)
	_ transport.Resizer = (*use)(nil)
	_ transport.Wrapper = (*use)(nil)

	_ transport.StatusPromiser = (*use)(nil)
	_ transport.LateCloser     = (*use)(nil)
)

func (u *useStream) Read(p []byte) (int, error) {
	n, err := u.stream.Read(p)
	u.joint.count.AB.Add(int64(n))
	return n, u.failed(err)
}

func (u *useStream) Write(p []byte) (int, error) {
	n, err := u.stream.Write(p)
	u.joint.count.BA.Add(int64(n))
	return n, u.failed(err)
}

func (u *useMsgs) ReadMsg(p []byte) (int, transport.Meta, error) {
	n, m, err := u.msgs.ReadMsg(p)
	u.joint.count.AB.Add(int64(n))
	return n, m, u.failed(err)
}

func (u *useMsgs) WriteMsg(p []byte, m transport.Meta) error {
	err := u.msgs.WriteMsg(p, m)
	if err == nil {
		u.joint.count.BA.Add(int64(len(p)))
	}
	return u.failed(err)
}

func (u *useMsgs) MaxMsg() int { return u.msgs.MaxMsg() }

// failed returns why the joint was cut in place of what comes of that.
func (u *use) failed(err error) error {
	if err != nil && u.ctx.Err() != nil {
		if cause := context.Cause(u.ctx); cause != context.Canceled { //nolint:errorlint // that is a joint that has ended by itself
			return cause
		}
	}
	return err
}

// cut ends the joint from this side.
func (u *use) cut() {
	u.end(context.Cause(u.ctx), func() error { return transport.Abort(u.conn, context.Cause(u.ctx)) })
}

func (u *use) end(why error, how func() error) error {
	u.once.Do(func() {
		u.err = how()
		u.ended(why)
	})
	return u.err
}

func (u *use) CloseWrite() error { return u.failed(u.conn.CloseWrite()) }

func (u *use) Close() error {
	u.stop()
	return u.end(nil, func() error {
		err := u.conn.Close()
		if u.joint.out {
			err = cmp.Or(err, transport.CarriedExit(u))
		}
		return err
	})
}

// CarriedStatus implements [transport.StatusCarrier].
func (u *use) CarriedStatus() (protocol string, s transport.CloseStatus, ok bool) {
	if c, ok := transport.About[transport.StatusCarrier](u.conn); ok {
		return c.CarriedStatus()
	}
	return "", s, false
}

// CarryStatus implements [transport.StatusCarrier].
func (u *use) CarryStatus(protocol string, s transport.CloseStatus) {
	if c, ok := transport.About[transport.StatusCarrier](u.conn); ok {
		c.CarryStatus(protocol, s)
	}
}

// PromiseStatus implements [transport.StatusPromiser]: who uses a service is told how a program
// behind it has ended, and tells nobody.
func (u *use) PromiseStatus() bool {
	p, ok := transport.About[transport.StatusPromiser](u.conn)
	return ok && !u.joint.out && p.PromiseStatus()
}

// ClosesLate implements [transport.LateCloser].
func (u *use) ClosesLate() bool {
	l, ok := transport.About[transport.LateCloser](u.conn)
	return ok && u.joint.out && l.ClosesLate()
}

// Abort ends both directions so that the peer sees a failure.
func (u *use) Abort(cause error) error {
	u.stop()
	return u.end(cause, func() error { return transport.Abort(u.conn, cause) })
}

// Resize tells the peer the size of the window here, where the service is a terminal.
func (u *use) Resize(rows, cols int) error {
	if r, ok := transport.About[transport.Resizer](u.conn); ok {
		return r.Resize(rows, cols)
	}
	return nil
}

func (u *use) Inner() transport.Conn              { return u.conn }
func (u *use) Info() *transport.Info              { return u.conn.Info() }
func (u *use) LocalAddr() net.Addr                { return u.conn.LocalAddr() }
func (u *use) RemoteAddr() net.Addr               { return u.conn.RemoteAddr() }
func (u *use) SetDeadline(t time.Time) error      { return u.conn.SetDeadline(t) }
func (u *use) SetReadDeadline(t time.Time) error  { return u.conn.SetReadDeadline(t) }
func (u *use) SetWriteDeadline(t time.Time) error { return u.conn.SetWriteDeadline(t) }
