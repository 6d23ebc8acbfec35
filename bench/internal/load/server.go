package load

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

const (
	bufferSize = 1 << 20
	// ackEvery is how many bytes a sink takes between two acknowledgements. They let the client know
	// what has arrived, without a half-close, which not every relay passes on.
	ackEvery = 4 << 20
)

// serveSink reads and acknowledges.
func serveSink(o *options) error { return o.serveStreams(sink) }

// serveEcho sends back what it gets.
func serveEcho(o *options) error { return o.serveStreams(o.echo) }

// serveKeep keeps connections and does nothing with them: not even a goroutine waits.
func serveKeep(o *options) error {
	var kept []net.Conn
	defer func() { runtime.KeepAlive(&kept) }()
	return o.serveAccepted(func(c net.Conn) { kept = append(kept, c) })
}

// serveMixed is a sink for those who begin with a byte of a blast, and an echo for others.
func serveMixed(o *options) error {
	return o.serveStreams(func(c net.Conn) {
		first := make([]byte, 1)
		if _, err := io.ReadFull(c, first); err != nil {
			return
		}
		c = &begun{c, first}
		if first[0] == blastByte {
			sink(c)
		} else {
			o.echo(c)
		}
	})
}

// begun is a connection of which something was read already.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

func (o *options) serveStreams(handle func(net.Conn)) error {
	return o.serveAccepted(func(c net.Conn) { go serveConn(c, handle) })
}

// serveAccepted counts connections. Who asks how many there are wants to know next what they cost, and
// that shall not be garbage.
func (o *options) serveAccepted(take func(net.Conn)) error {
	var addrs []string
	var accepted atomic.Int64
	for range o.ports {
		l, err := ways()[o.way].listen(o)
		if err != nil {
			return err
		}
		addrs = append(addrs, l.Addr().String())
		go acceptAll(l, take, &accepted)
	}
	return o.serve(addrs, func() int64 {
		debug.FreeOSMemory()
		return accepted.Load()
	})
}

func listenTCP(o *options) (net.Listener, error) {
	if o.cert == "" {
		return net.Listen("tcp", o.addr)
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", o.addr, &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true})
}

// acceptAll serves until the process ends.
func acceptAll(l net.Listener, take func(net.Conn), accepted *atomic.Int64) {
	for {
		c, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			return
		}
		take(c)
		accepted.Add(1)
	}
}

func serveConn(c net.Conn, handle func(net.Conn)) {
	defer c.Close()
	handle(c)
}

// sink answers every ackEvery bytes with the number of bytes so far.
func sink(c net.Conn) {
	buf := make([]byte, bufferSize)
	var total, acked uint64
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		total += uint64(n)
		if full := total - total%ackEvery; full > acked {
			acked = full
			if _, err := c.Write(binary.BigEndian.AppendUint64(nil, acked)); err != nil {
				return
			}
		}
	}
}

// echo has a buffer of one message, so that connections that wait are not a matter of buffers.
func (o *options) echo(c net.Conn) {
	buf := make([]byte, o.size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// copyRelay is the relay anybody writes in Go first.
func copyRelay(o *options) error {
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	for {
		a, err := l.Accept()
		if err != nil {
			return err
		}
		go relay(a, o.to)
	}
}

func relay(a net.Conn, to string) {
	defer a.Close()
	b, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer b.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		copyHalf(a, b)
	}()
	copyHalf(b, a)
	<-back
}

func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
}
