package load

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
)

// The first byte of a datagram tells the server what to do with it.
const (
	wantEcho  = 'e'
	wantCount = 'c'
)

const (
	batchSize   = 64
	maxDatagram = 2048
	udpBuffer   = 4 << 20
	// outstanding is how many datagrams a window has on the way; small enough for every relay's buffers.
	outstanding = 64
	// lossTime is how long a window waits before it takes what is missing for lost.
	lossTime = 100 * time.Millisecond
)

// batch makes messages with one buffer each.
func batch(n, size int, first byte) []ipv4.Message {
	ms := make([]ipv4.Message, n)
	for i := range ms {
		b := make([]byte, size)
		b[0] = first
		ms[i].Buffers = [][]byte{b}
	}
	return ms
}

// serveUDP echoes or counts, many datagrams per system call.
func serveUDP(o *options) error {
	var counted atomic.Int64
	var addrs []string
	for range o.ports {
		c, err := net.ListenPacket("udp4", o.addr)
		if err != nil {
			return err
		}
		_ = c.(*net.UDPConn).SetReadBuffer(udpBuffer) // as much as the system lets us
		addrs = append(addrs, c.LocalAddr().String())
		go answerUDP(ipv4.NewPacketConn(c), &counted)
	}
	return o.serve(addrs, counted.Load)
}

func answerUDP(c *ipv4.PacketConn, counted *atomic.Int64) {
	in, out := batch(batchSize, maxDatagram, 0), make([]ipv4.Message, 0, batchSize)
	for {
		n, err := c.ReadBatch(in, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		out = out[:0]
		for _, m := range in[:max(n, 0)] {
			switch b := m.Buffers[0][:m.N]; {
			case len(b) > 0 && b[0] == wantEcho:
				out = append(out, ipv4.Message{Buffers: [][]byte{b}, Addr: m.Addr})
			case len(b) > 0 && b[0] == wantCount:
				counted.Add(1)
			}
		}
		writeAll(c, out)
	}
}

// writeAll drops what cannot be sent: a datagram that is refused is a lost one.
func writeAll(c *ipv4.PacketConn, ms []ipv4.Message) {
	for len(ms) > 0 {
		n, err := c.WriteBatch(ms, 0)
		if err != nil {
			n = max(n, 1)
		}
		ms = ms[n:]
	}
}

// dialUDP connects a socket and waits until an echo proves that datagrams go both ways.
func (o *options) dialUDP() (*net.UDPConn, *ipv4.PacketConn, error) {
	c, err := net.Dial("udp4", o.addr)
	if err != nil {
		return nil, nil, err
	}
	u := c.(*net.UDPConn)
	_ = u.SetReadBuffer(udpBuffer)
	probe, in := []byte{wantEcho}, make([]byte, maxDatagram)
	for start := time.Now(); time.Since(start) < dialTime; {
		_, err = u.Write(probe)
		if err == nil {
			_ = u.SetReadDeadline(time.Now().Add(lossTime))
			if _, err = u.Read(in); err == nil {
				return u, ipv4.NewPacketConn(u), u.SetReadDeadline(time.Time{})
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(lossTime / 10) // refused: nobody listens yet
		}
	}
	u.Close()
	return nil, nil, errors.Join(errors.New("no echo"), err)
}

// flood sends as fast as it can. The server knows what arrived.
func flood(o *options) error {
	u, c, err := o.dialUDP()
	if err != nil {
		return err
	}
	defer u.Close()
	ms := batch(batchSize, o.size, wantCount)
	return o.work(func() (Result, error) {
		sent := 0
		start := time.Now()
		for time.Since(start) < o.duration {
			writeAll(c, ms)
			sent += len(ms)
		}
		return Result{Count: float64(sent), Seconds: time.Since(start).Seconds()}, nil
	})
}

// window keeps a number of datagrams on the way and counts the echoes.
func window(o *options) error {
	u, c, err := o.dialUDP()
	if err != nil {
		return err
	}
	defer u.Close()
	out, in := batch(outstanding, o.size, wantEcho), batch(outstanding, maxDatagram, 0)
	return o.work(func() (Result, error) {
		echoed, lost := 0, 0
		start := time.Now()
		for send := outstanding; time.Since(start) < o.duration; {
			writeAll(c, out[:send])
			_ = u.SetReadDeadline(time.Now().Add(lossTime))
			n, err := c.ReadBatch(in, 0)
			switch {
			case err == nil:
				echoed += n
				send = n
			case errors.Is(err, os.ErrDeadlineExceeded):
				lost += outstanding
				send = outstanding
			default: // a reset of an earlier datagram
				send = 0
			}
		}
		return Result{Count: float64(echoed), Seconds: time.Since(start).Seconds(), Lost: lost}, nil
	})
}
