package punch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What goes to an observer and back. A question is longer than its answer, so that an observer
// is no use to who wants to send more to somebody than he has himself.
const (
	questionLen = 48
	answerLen   = 40
	nonceLen    = 16
)

// magic begins every packet. Its first bits say that it is not QUIC (RFC 9443).
var magic = [3]byte{'*', 'T', 'N'}

// Types of packets.
const (
	typeQuestion = 1
	typeAnswer   = 2
	typeProbe    = 0x10 // and 0x11, from the one who accepts
	typeEcho     = 0x12 // and 0x13
	typeChosen   = 0x14
)

type nonce [nonceLen]byte

func question(n nonce) []byte {
	b := make([]byte, questionLen)
	copy(b, magic[:])
	b[3] = typeQuestion
	copy(b[4:], n[:])
	return b
}

func parseQuestion(b []byte) (n nonce, ok bool) {
	if len(b) != questionLen || [3]byte(b) != magic || b[3] != typeQuestion {
		return n, false
	}
	return nonce(b[4:]), true
}

// answer hides the address by the nonce, for some NATs change every address that they find.
func answer(n nonce, seen netip.AddrPort) []byte {
	b := make([]byte, answerLen)
	copy(b, magic[:])
	b[3] = typeAnswer
	copy(b[4:], n[:])
	a := seen.Addr().Unmap()
	b[20] = 6
	if a.Is4() {
		b[20] = 4
	}
	binary.BigEndian.PutUint16(b[22:], seen.Port())
	copy(b[24:], a.AsSlice())
	for i := range b[22:] {
		b[22+i] ^= n[i%nonceLen]
	}
	return b
}

func parseAnswer(b []byte) (n nonce, seen netip.AddrPort, ok bool) {
	if len(b) != answerLen || [3]byte(b) != magic || b[3] != typeAnswer {
		return n, seen, false
	}
	n = nonce(b[4:])
	var clear [18]byte
	for i := range clear {
		clear[i] = b[22+i] ^ n[i%nonceLen]
	}
	port := binary.BigEndian.Uint16(clear[:])
	switch b[20] {
	case 4:
		return n, netip.AddrPortFrom(netip.AddrFrom4([4]byte(clear[2:])), port), true
	case 6:
		return n, netip.AddrPortFrom(netip.AddrFrom16([16]byte(clear[2:])), port), true
	}
	return n, seen, false
}

// Limits of an observer.
const (
	observerRate  = 5000             // answers a second, over UDP
	observerConns = 512              // TCP connections at a time
	observerStay  = 30 * time.Second // how long each may stay: a NAT keeps a port as long
)

// An Observer tells those who ask which address they are seen at. It keeps nothing of them.
type Observer struct {
	rate *rate.Limiter
	wg   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	open    map[io.Closer]struct{}
	clients int
	closed  bool
}

// NewObserver makes an observer that serves nothing yet.
func NewObserver() *Observer {
	return &Observer{rate: rate.NewLimiter(observerRate, observerRate/10), open: map[io.Closer]struct{}{}}
}

// Listen begins to answer at an address, over UDP and TCP, and returns the address: it has the port if that was 0.
// An observer that is to tell one sort of NAT from another listens at two addresses, or at two ports at least.
func (o *Observer) Listen(at netip.AddrPort) (netip.AddrPort, error) {
	fail := func(err error) (netip.AddrPort, error) { return netip.AddrPort{}, fmt.Errorf("observer: %w", err) }
	udp, tcp := "udp6", "tcp6"
	if at.Addr().Is4() {
		udp, tcp = "udp4", "tcp4"
	}
	for tries := 0; ; tries++ {
		l, err := net.ListenTCP(tcp, net.TCPAddrFromAddrPort(at))
		if err != nil {
			return fail(err)
		}
		got := l.Addr().(*net.TCPAddr).AddrPort()
		c, err := net.ListenUDP(udp, net.UDPAddrFromAddrPort(got))
		if err != nil {
			l.Close()
			if at.Port() == 0 && tries < 10 { // the port is free for one of the two only
				continue
			}
			return fail(err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.closed {
			l.Close()
			c.Close()
			return fail(net.ErrClosed)
		}
		o.open[l], o.open[c] = struct{}{}, struct{}{}
		o.wg.Go(func() { o.packets(c) })
		o.wg.Go(func() { o.accept(l) })
		return netip.AddrPortFrom(got.Addr().Unmap(), got.Port()), nil
	}
}

// Close ends everything.
func (o *Observer) Close() error {
	o.mu.Lock()
	o.closed = true
	for c := range o.open {
		c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
	return nil
}

func (o *Observer) packets(c *net.UDPConn) {
	var b [questionLen + 1]byte
	for {
		n, from, err := c.ReadFromUDPAddrPort(b[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of one packet, as Windows has it
			continue
		}
		if q, ok := parseQuestion(b[:n]); ok && o.rate.Allow() {
			_, _ = c.WriteToUDPAddrPort(answer(q, from), from)
		}
	}
}

func (o *Observer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors, say
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if !o.enter(c) {
			c.Close()
			continue
		}
		o.wg.Go(func() {
			o.serve(c)
			o.leave(c)
		})
	}
}

func (o *Observer) enter(c net.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.clients >= observerConns {
		return false
	}
	o.clients++
	o.open[c] = struct{}{}
	return true
}

func (o *Observer) leave(c net.Conn) {
	c.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clients--
	delete(o.open, c)
}

// serve answers one question, and stays until the client goes: as long as the connection is
// there, so is the port that the NAT has given it.
func (o *Observer) serve(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(observerStay))
	var b [questionLen]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return
	}
	q, ok := parseQuestion(b[:])
	if !ok {
		return
	}
	if _, err := c.Write(answer(q, c.RemoteAddr().(*net.TCPAddr).AddrPort())); err != nil {
		return
	}
	_, _ = c.Read(b[:1])
}
