//go:build !linux

package inet

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/tenon-net/tenon/opt"
)

// attempt is a connection that is going to be made.
type attempt struct {
	dial  *Dial
	to    netip.AddrPort
	local localAddr
}

// begin leaves everything to wait.
func (d *Dial) begin(to netip.AddrPort, local localAddr) (*Conn, *attempt, error) {
	return nil, &attempt{d, to, local}, nil
}

// wait connects.
func (a *attempt) wait(ctx context.Context) (*Conn, error) {
	d, on := a.dial, a.to.Addr().IsLoopback()
	switch {
	case d.ReuseAddr == opt.On:
		return nil, unsupported("reuseaddr")
	case d.ReusePort:
		return nil, unsupported("reuseport")
	}
	nd := net.Dialer{Control: control(func(fd int, v6 bool) error {
		if err := d.Socket.set(fd, v6); err != nil {
			return err
		}
		return d.Tuning.set(fd, on, false)
	})}
	if local, ok := a.local.of(!a.to.Addr().Is4()); ok {
		nd.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	idle, interval, count := d.Tuning.probes(on)
	nd.KeepAliveConfig = net.KeepAliveConfig{Enable: idle > 0, Count: count,
		Idle: time.Duration(idle) * time.Second, Interval: time.Duration(interval) * time.Second}
	if idle == 0 {
		nd.KeepAlive = -1
	}
	c, err := nd.DialContext(ctx, "tcp", a.to.String())
	if err != nil {
		return nil, err
	}
	tc := c.(*net.TCPConn)
	if !d.NoDelay.Or(true) {
		if err := tc.SetNoDelay(false); err != nil {
			tc.Close()
			return nil, err
		}
	}
	return FromNet(tc, dialInfo.Kind), nil
}
