package tenon

import (
	"net"

	"github.com/tenon-net/tenon/transport"
)

// NetListener makes a net.Listener of an Acceptor whose ends carry bytes, for
// http.Serve and its like. Ends that carry messages are closed.
func NetListener(a transport.Acceptor) net.Listener { return netListener{a} }

type netListener struct{ transport.Acceptor }

// Accept returns the next end that is a Stream, and so a net.Conn.
func (l netListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Acceptor.Accept()
		if err != nil {
			return nil, err
		}
		if s, ok := c.(transport.Stream); ok {
			return s, nil
		}
		c.Close()
	}
}
