package lan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
)

// Limits of pairing.
const (
	maxWaiting    = 8                // connections that Accept has not been asked for yet
	callEvery     = 3 * time.Second  // an address may connect so often
	callBurst     = 10               // after so many times
	allEvery      = time.Second      // and all together
	allBurst      = 60               //
	maxCandidates = 64               // addresses that a joiner tries
	maxOfOne      = 8                // that one source has announced
	maxAtOnce     = 16               // at a time
	tryFor        = 3 * time.Second  // each
	tryAgain      = 2 * time.Second  // after it has failed
	tooLong       = 10 * time.Minute // for a channel to be offered
)

// askForPairs is when a joiner asks, from the beginning and from the last time on.
var askForPairs = []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}

// An Offer is a channel on which we can be met on the local network. It has a TCP port
// to which only addresses of the local network may connect.
type Offer struct {
	lan     *LAN
	service *local
	tcp     *net.TCPListener
	conns   chan *net.TCPConn
	accepts sync.WaitGroup
	calls   throttle.Set[netip.Addr]
	all     throttle.Set[struct{}]
}

// Offer begins to offer a channel. It ends with Close, or that of the LAN.
func (l *LAN) Offer(channel int) (*Offer, error) {
	tcp, err := net.ListenTCP("tcp", nil)
	if err != nil {
		return nil, fmt.Errorf("offer a channel on the local network: %w", err)
	}
	port := uint16(tcp.Addr().(*net.TCPAddr).Port) //nolint:errcheck // it is one of TCP
	o := &Offer{lan: l, tcp: tcp, conns: make(chan *net.TCPConn, maxWaiting),
		calls: throttle.Set[netip.Addr]{Every: callEvery, Burst: callBurst, Keys: 256},
		all:   throttle.Set[struct{}]{Every: allEvery, Burst: allBurst, Keys: 1},
		service: &local{typ: pairType, port: port, text: func(string) []string {
			return []string{"v=1", "channel=" + strconv.Itoa(channel)}
		}}}
	if err := l.call(func() { l.add(o.service) }); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	o.accepts.Go(o.accept)
	return o, nil
}

// accept takes connections. Those that are too many, or from elsewhere, are closed.
func (o *Offer) accept() {
	for {
		c, err := o.tcp.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // too many open files, say
			continue
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() //nolint:errcheck // it is one of TCP
		near := from.Is6() && from.IsLinkLocalUnicast() || within(*o.lan.local.Load(), from)
		if !near || !o.calls.Allow(from) || !o.all.Allow(struct{}{}) {
			c.Close() //nolint:errcheck // nothing was written
			continue
		}
		select {
		case o.conns <- c:
		default:
			c.Close() //nolint:errcheck // nothing was written
		}
	}
}

// Accept returns a connection of somebody who wants to join the channel: anybody on
// the local network.
func (o *Offer) Accept(ctx context.Context) (transport.Stream, error) {
	select {
	case c, ok := <-o.conns:
		if !ok {
			return nil, ErrClosed
		}
		return inet.FromNet(c, "tcp"), nil
	case <-o.lan.stopped:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close ends the offer. Connections that Accept has returned go on.
func (o *Offer) Close() error {
	o.lan.call(func() { o.lan.remove(o.service) }) //nolint:errcheck // then the LAN has done so
	err := o.tcp.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	o.accepts.Wait()
	close(o.conns)
	for c := range o.conns {
		c.Close() //nolint:errcheck // nothing was written
	}
	return err
}

// A seeker is told of all channels that are offered.
type seeker struct {
	hear func(k *link, src netip.Addr, s service)
	asks int
}

// seek tells f, which must not wait, of the channels that are offered on the local
// network, with the addresses to try, until stop is called.
func (l *LAN) seek(f func(channel int, src netip.Addr, addrs []netip.AddrPort)) (stop func(), err error) {
	s := &seeker{hear: func(k *link, src netip.Addr, s service) {
		version, _ := s.value("v")
		number, _ := s.value("channel")
		channel, err := strconv.Atoi(number)
		if version != "1" || err != nil || channel < 1 || s.ttl == 0 || s.port == 0 {
			return
		}
		var addrs []netip.AddrPort
		for _, a := range candidates(k, src, s) {
			addrs = append(addrs, netip.AddrPortFrom(a, s.port))
		}
		f(channel, src, addrs)
	}}
	err = l.call(func() {
		l.seekers[s] = true
		l.seekOn(s)
	})
	return func() { l.call(func() { delete(l.seekers, s) }) }, err //nolint:errcheck // then it hears nothing
}

// seekOn asks for channels again and again, as long as somebody wants to know.
func (l *LAN) seekOn(s *seeker) {
	if !l.seekers[s] {
		return
	}
	l.ask(pairType)
	s.asks = min(s.asks+1, len(askForPairs)-1)
	l.after(askForPairs[s.asks], func() { l.seekOn(s) })
}

// Channels listens for so long to what others offer on the local network, and returns
// the numbers.
func (l *LAN) Channels(ctx context.Context, wait time.Duration) (map[int]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	numbers := make(chan int, 64)
	stop, err := l.seek(func(channel int, _ netip.Addr, _ []netip.AddrPort) {
		select {
		case numbers <- channel:
		default: // there are very many, or somebody plays
		}
	})
	if err != nil {
		return nil, err
	}
	defer stop()
	used := map[int]bool{}
	for {
		select {
		case n := <-numbers:
			if len(used) < 1024 {
				used[n] = true
			}
		case <-ctx.Done():
			return used, nil
		}
	}
}

// Join returns a connection to somebody on the local network who offers the channel. It
// looks for one until ctx ends.
func (l *LAN) Join(ctx context.Context, channel int) (transport.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	j := &joining{failed: make(chan netip.AddrPort, maxAtOnce), won: make(chan *net.TCPConn), tried: map[netip.AddrPort]*try{}, of: map[netip.Addr]int{}}
	offers := make(chan offered, maxAtOnce)
	stop, err := l.seek(func(c int, src netip.Addr, addrs []netip.AddrPort) {
		if c != channel {
			return
		}
		select {
		case offers <- offered{src, addrs}:
		default: // they are announced again
		}
	})
	if err != nil {
		return nil, err
	}
	defer j.tries.Wait()
	defer cancel()
	defer stop()
	for {
		select {
		case o := <-offers:
			j.try(ctx, o)
		case a := <-j.failed:
			j.tried[a].running, j.tried[a].until = false, time.Now().Add(tryAgain)
			j.running--
		case c := <-j.won:
			return inet.FromNet(c, "tcp"), nil
		case <-l.stopped:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// An offered channel is where somebody says that it is.
type offered struct {
	src   netip.Addr
	addrs []netip.AddrPort
}

// joining is what a joiner has tried so far.
type joining struct {
	tries   sync.WaitGroup
	failed  chan netip.AddrPort
	won     chan *net.TCPConn
	tried   map[netip.AddrPort]*try
	of      map[netip.Addr]int // how many addresses a source has announced
	running int
}

type try struct {
	running bool
	until   time.Time // it is not tried again before
}

// try connects to the addresses of an offer, as far as the limits let it.
func (j *joining) try(ctx context.Context, o offered) {
	for _, a := range o.addrs {
		t := j.tried[a]
		if t == nil && len(j.tried) < maxCandidates && j.of[o.src] < maxOfOne {
			t = &try{}
			j.tried[a] = t
			j.of[o.src]++
		}
		if t == nil || t.running || time.Now().Before(t.until) || j.running >= maxAtOnce {
			continue
		}
		t.running = true
		j.running++
		j.tries.Go(func() { j.connect(ctx, a) })
	}
}

func (j *joining) connect(ctx context.Context, a netip.AddrPort) {
	d := net.Dialer{Timeout: tryFor}
	c, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, a)
	if err != nil {
		select {
		case j.failed <- a:
		case <-ctx.Done():
		}
		return
	}
	select {
	case j.won <- c:
	case <-ctx.Done():
		c.Close() //nolint:errcheck // another one was faster
	}
}
