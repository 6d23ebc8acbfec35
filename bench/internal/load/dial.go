package load

import (
	"crypto/tls"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialTime bounds a connect and a handshake.
const dialTime = 10 * time.Second

// clientTLS is the same for every server. The certificate's chain is not checked, its signature in the
// handshake is. No hybrid key exchange: some servers would do it, others could not. P-256 is for socat,
// which knows nothing newer and asks for it in a second flight. No session is resumed.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
}

// dial connects in the way that was asked for.
func (o *options) dial() (net.Conn, error) { return ways()[o.way].dial(o) }

// dialTCP connects from any address.
func dialTCP(o *options) (net.Conn, error) { return o.dialFrom(net.Dialer{Timeout: dialTime}) }

// dialAs connects from an address that i picks out of 127.0.0.0/8, so that ports in TIME_WAIT do not
// run out.
func (o *options) dialAs(i int) (net.Conn, error) {
	return o.dialFrom(net.Dialer{
		Timeout:   dialTime,
		LocalAddr: &net.TCPAddr{IP: source(i)},
		Control:   portAtConnect,
	})
}

func source(i int) net.IP { return net.IPv4(127, byte(1+i>>16), byte(i>>8), byte(1+i%250)) }

// portAtConnect lets connect, not bind, choose the port: one that is free towards this server.
func portAtConnect(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}); e != nil {
		return e
	}
	return err
}

func (o *options) dialFrom(d net.Dialer) (net.Conn, error) {
	c, err := d.Dial("tcp", o.addr)
	if err != nil || !o.tls {
		return c, err
	}
	t := tls.Client(c, clientTLS())
	if err := c.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return nil, err
	}
	if err := t.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return t, c.SetDeadline(time.Time{})
}

// negotiated names what TLS agreed on.
func negotiated(c net.Conn) string {
	t, ok := c.(*tls.Conn)
	if !ok {
		return ""
	}
	s := t.ConnectionState()
	return tls.VersionName(s.Version) + " " + tls.CipherSuiteName(s.CipherSuite)
}
