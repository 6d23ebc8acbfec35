package lan

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/tenon-net/tenon/internal/throttle"
)

// Groups and port of multicast DNS (RFC 6762 section 3).
var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353}
)

// mark is in every message about a service of ours, and the others are not looked at.
var mark = []byte("_tenon")

// A packet is what has arrived.
type packet struct {
	link int // index of the interface, 0 = the system does not tell
	src  netip.AddrPort
	data []byte
}

// sockets send to and hear the groups on any number of interfaces. All methods but
// read are called by one goroutine.
type sockets struct {
	p4      *ipv4.PacketConn // or nil
	p6      *ipv6.PacketConn // or nil
	joined  map[membership]bool
	holders []net.PacketConn // sockets that are members of groups, and hear nothing themselves

	from throttle.Set[netip.Addr] // messages from one address, before they are looked at
	lost atomic.Bool              // something that was sent to us was not handed on
}

// Somebody who floods the network is heard no oftener than this, so that there is time
// for the others. A node of ours needs a few messages a second.
const (
	heardEvery = 5 * time.Millisecond
	heardBurst = 256
)

type membership struct {
	link int
	six  bool
}

func newSockets() *sockets {
	return &sockets{joined: map[membership]bool{},
		from: throttle.Set[netip.Addr]{Every: heardEvery, Burst: heardBurst, Keys: 1024}}
}

// listen opens the sockets. The port is shared with other programs that speak multicast
// DNS: package net sees to that for an address of a group, and binds the port alone.
func listen() (*sockets, error) {
	s := newSockets()
	c4, err4 := net.ListenPacket("udp4", group4.String())
	if err4 == nil {
		s.p4 = ipv4.NewPacketConn(c4)
		s.p4.SetControlMessage(ipv4.FlagInterface, true) //nolint:errcheck // then the source must do
		s.p4.SetMulticastTTL(255)                        //nolint:errcheck // RFC 6762 section 11 says should
		s.p4.SetMulticastLoopback(true)                  //nolint:errcheck // it is the default
	}
	c6, err6 := net.ListenPacket("udp6", group6.String())
	if err6 == nil {
		s.p6 = ipv6.NewPacketConn(c6)
		s.p6.SetControlMessage(ipv6.FlagInterface, true) //nolint:errcheck // then the source must do
		s.p6.SetMulticastHopLimit(255)                   //nolint:errcheck // RFC 6762 section 11 says should
		s.p6.SetMulticastLoopback(true)                  //nolint:errcheck // it is the default
	}
	if err4 != nil && err6 != nil {
		return nil, fmt.Errorf("listen for multicast DNS: %w", err4)
	}
	return s, nil
}

// onlyHere is where a loopback interface that carries no multicast, as that of Linux, is
// sent to instead: all sockets of the port hear it.
var onlyHere = &net.UDPAddr{IP: net.IPv4(127, 255, 255, 255), Port: group4.Port}

func isOnlyHere(l *net.Interface) bool {
	return l.Flags&net.FlagLoopback != 0 && l.Flags&net.FlagMulticast == 0
}

// join becomes a member of the groups on an interface, and tells whether of any.
func (s *sockets) join(l *net.Interface) bool {
	if isOnlyHere(l) {
		return s.p4 != nil
	}
	any := false
	if s.p4 != nil {
		any = s.member(l, false, func() error { return s.p4.JoinGroup(l, group4) }) || any
	}
	if s.p6 != nil {
		any = s.member(l, true, func() error { return s.p6.JoinGroup(l, group6) }) || any
	}
	return any
}

func (s *sockets) member(l *net.Interface, six bool, join func() error) bool {
	m := membership{l.Index, six}
	if !s.joined[m] {
		err := join()
		if err != nil && !six {
			err = s.hold(l)
		}
		s.joined[m] = err == nil
	}
	return s.joined[m]
}

// hold joins the IPv4 group with another socket: Linux lets a socket be a member of 20
// only (net.ipv4.igmp_max_memberships), and lets all sockets of the port hear what one
// is a member of.
func (s *sockets) hold(l *net.Interface) error {
	if n := len(s.holders); n > 0 && ipv4.NewPacketConn(s.holders[n-1]).JoinGroup(l, group4) == nil {
		return nil
	}
	c, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	if err := ipv4.NewPacketConn(c).JoinGroup(l, group4); err != nil {
		return errors.Join(err, c.Close())
	}
	s.holders = append(s.holders, c)
	return nil
}

// forget is called when an interface is gone.
func (s *sockets) forget(index int) {
	delete(s.joined, membership{index, false})
	delete(s.joined, membership{index, true})
}

// send sends to the groups on an interface. An interface that does not carry one of the
// families, or is going down, is no matter.
func (s *sockets) send(l *net.Interface, b []byte) {
	if isOnlyHere(l) {
		s.p4.WriteTo(b, nil, onlyHere) //nolint:errcheck // as said
		return
	}
	if s.joined[membership{l.Index, false}] && s.p4.SetMulticastInterface(l) == nil {
		s.p4.WriteTo(b, nil, group4) //nolint:errcheck // as said
	}
	if s.joined[membership{l.Index, true}] && s.p6.SetMulticastInterface(l) == nil {
		s.p6.WriteTo(b, nil, &net.UDPAddr{IP: group6.IP, Port: group6.Port, Zone: l.Name}) //nolint:errcheck // as said
	}
}

// read hands on what arrives until the sockets are closed. What is too much of one
// source, or more than the receiver has time for, is lost.
func (s *sockets) read(to chan<- packet) {
	var wg sync.WaitGroup
	if s.p4 != nil {
		wg.Go(func() {
			s.hear(to, func(b []byte) (int, int, net.Addr, error) {
				n, cm, src, err := s.p4.ReadFrom(b)
				if cm == nil {
					return n, 0, src, err
				}
				return n, cm.IfIndex, src, err
			})
		})
	}
	if s.p6 != nil {
		wg.Go(func() {
			s.hear(to, func(b []byte) (int, int, net.Addr, error) {
				n, cm, src, err := s.p6.ReadFrom(b)
				if cm == nil {
					return n, 0, src, err
				}
				return n, cm.IfIndex, src, err
			})
		})
	}
	wg.Wait()
}

func (s *sockets) hear(to chan<- packet, read func([]byte) (n, link int, src net.Addr, err error)) {
	b := make([]byte, maxMessage)
	for {
		n, link, src, err := read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(10 * time.Millisecond) // an error that stays must not take a processor
			continue
		}
		from, ok := src.(*net.UDPAddr)
		if !ok {
			continue
		}
		ap := netip.AddrPortFrom(from.AddrPort().Addr().Unmap(), uint16(from.Port))
		if !s.from.Allow(ap.Addr()) {
			s.lost.Store(true)
			continue
		}
		if !bytes.Contains(bytes.ToLower(b[:n]), mark) {
			continue
		}
		select {
		case to <- packet{link, ap, bytes.Clone(b[:n])}:
		default:
			s.lost.Store(true)
		}
	}
}

func (s *sockets) close() {
	if s.p4 != nil {
		s.p4.Close() //nolint:errcheck // nothing is lost
	}
	if s.p6 != nil {
		s.p6.Close() //nolint:errcheck // nothing is lost
	}
	for _, c := range s.holders {
		c.Close() //nolint:errcheck // nothing is lost
	}
}
