package inet

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// UDPRecv receives datagrams from anybody: Meta.From tells from whom. It sends
// none. Those that nobody reads in time are dropped, the newest first, and counted.
type UDPRecv struct {
	UDPLocal
	Groups Groups // multicast groups to be a member of
	Queue  int64  // bytes that wait to be read; 0 is DefaultQueue
}

var (
	_ transport.Dialer    = (*UDPRecv)(nil)
	_ transport.Validator = (*UDPRecv)(nil)
)

// Bind binds the target and the options.
func (r *UDPRecv) Bind(s *opt.Set) {
	s.Embed(&r.UDPLocal)
	s.Size(&r.Queue, "queue", DefaultQueue, "bytes that may wait to be read; what comes then is dropped")
	s.Embed(&r.Groups)
}

// Validate looks at the parts that are addresses, and at the groups.
func (r *UDPRecv) Validate() error {
	if err := r.UDPLocal.Validate(); err != nil {
		return err
	}
	return r.Groups.validate()
}

// Dial opens the sockets. Without a host in Addr they receive what comes from this
// machine only; as a member of groups, what comes from any.
func (r *UDPRecv) Dial(ctx context.Context) (transport.Conn, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	at := loopback
	if len(r.Groups) > 0 {
		at = unspecified
	}
	addrs, err := r.addrs(ctx, at)
	if err != nil {
		return nil, err
	}
	if addrs, err = r.Groups.matching(addrs); err != nil {
		return nil, err
	}
	socks, err := r.open(ctx, addrs, func(fd int, v6 bool) error { return r.Groups.join(fd, v6) })
	if err != nil {
		return nil, err
	}
	c := &udpCollector{info: &transport.Info{Kind: udpRecvKind}, socks: socks}
	c.queue = newMsgQueue(int(cmp.Or(r.Queue, DefaultQueue)), new(atomic.Int64))
	for _, s := range socks {
		c.readers.Go(func() { c.receive(s) })
	}
	return c, nil
}

// A udpCollector is what arrives at some sockets, whoever sent it.
type udpCollector struct {
	info    *transport.Info
	socks   []*udpSocket
	queue   *msgQueue
	readers sync.WaitGroup

	closing  sync.Once
	closeErr error
}

var (
	_ transport.MsgConn     = (*udpCollector)(nil)
	_ transport.MsgBatcher  = (*udpCollector)(nil)
	_ transport.MsgLender   = (*udpCollector)(nil)
	_ transport.DropCounter = (*udpCollector)(nil)
)

// receive queues what arrives at one socket, until it is closed.
func (c *udpCollector) receive(s *udpSocket) {
	in := newBatchReader(s)
	defer in.release()
	for {
		batch, err := in.wait(rxSlots)
		if isClosed(err) {
			return
		}
		if err != nil {
			time.Sleep(errorPause)
			continue // want of memory; udp(7)
		}
		wake := false
		for i := range batch {
			from := batch[i].from
			woken, _ := c.queue.put(&batch[i], &from)
			wake = wake || woken
		}
		if wake {
			c.queue.wake()
		}
	}
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

func (c *udpCollector) ReadMsg(p []byte) (int, transport.Meta, error) { return c.queue.readMsg(p) }

// LendMsg implements [transport.MsgLender].
func (c *udpCollector) LendMsg() ([]byte, transport.Meta, error) { return c.queue.lendMsg() }

// ReadMsgs implements [transport.MsgBatcher].
func (c *udpCollector) ReadMsgs(ms []transport.Msg) (int, error) { return c.queue.readMsgs(ms) }

// WriteMsg is unsupported: there is nobody in particular to send to.
func (c *udpCollector) WriteMsg([]byte, transport.Meta) error { return c.oneWay("write") }

// WriteMsgs is unsupported, as WriteMsg is.
func (c *udpCollector) WriteMsgs([]transport.Msg) (int, error) { return 0, c.oneWay("write") }

// CloseWrite is unsupported: UDP has no way to say that nothing more will come.
func (c *udpCollector) CloseWrite() error { return c.oneWay("close") }

func (c *udpCollector) oneWay(op string) error {
	return c.socks[0].opError(op, errors.ErrUnsupported)
}

func (c *udpCollector) Close() error {
	c.closing.Do(func() {
		c.queue.finish(net.ErrClosed, true)
		c.closeErr = closeSockets(c.socks)
		c.readers.Wait()
	})
	return c.closeErr
}

// Dropped is how many datagrams were dropped because nobody read in time.
func (c *udpCollector) Dropped() int64 { return c.queue.dropped.Load() }

// MaxMsg is [MaxUDP].
func (c *udpCollector) MaxMsg() int { return MaxUDP }

func (c *udpCollector) Info() *transport.Info { return c.info }
func (c *udpCollector) LocalAddr() net.Addr   { return c.socks[0].local }

// RemoteAddr is the address of nobody in particular.
func (c *udpCollector) RemoteAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(unspecified(false), 0))
}

func (c *udpCollector) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *udpCollector) SetReadDeadline(t time.Time) error { return c.queue.setDeadline(t) }

// Directions implements [transport.Directed].
func (*udpCollector) Directions() transport.Use { return transport.ReadOnly }

// SetWriteDeadline has nothing to bound.
func (c *udpCollector) SetWriteDeadline(time.Time) error { return c.queue.isCut() }
