package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/tenon-net/tenon/transport"
)

// readSOCKS4 reads a request of SOCKS 4 or 4A after its version, and answers it if
// it cannot be granted.
func (l *SOCKSServer) readSOCKS4(s transport.Stream) (target, error) {
	var head [7]byte // command, port, address
	if err := exactly(s, head[:]); err != nil {
		return target{}, err
	}
	if _, err := readZeroEnded(s, maxSOCKS4User); err != nil {
		return target{}, err
	}
	ip := [4]byte(head[3:])
	host := netip.AddrFrom4(ip).String()
	if ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0 { // SOCKS 4A: a name follows
		var err error
		if host, err = readZeroEnded(s, maxName); err != nil {
			return target{}, err
		}
	}
	to, err := newTarget(host, uint16(head[1])<<8|uint16(head[2]))
	switch {
	case l.Authenticates():
		err = denied("the client speaks SOCKS 4, which has no passwords")
	case head[0] != cmdConnect:
		err = fmt.Errorf("the client wants command %d, and only CONNECT is offered", head[0])
	}
	if err != nil {
		_ = refuse(s, socks4Replier{}.failed(badRequest))
	}
	return to, err
}

// readZeroEnded reads a text up to its zero byte, a byte at a time because nothing
// says how much may be read.
func readZeroEnded(r io.Reader, most int) (string, error) {
	var text []byte
	var b [1]byte
	for {
		if err := exactly(r, b[:]); err != nil {
			return "", err
		}
		if b[0] == 0 {
			return string(text), nil
		}
		if len(text) == most {
			return "", errors.New("the client sends a text without end")
		}
		text = append(text, b[0])
	}
}

// A socks4Replier answers by the SOCKS 4 memo, which has one code for all that can
// go wrong with a target.
type socks4Replier struct{}

func (socks4Replier) granted(local netip.AddrPort) []byte {
	addr := local.Addr().Unmap()
	if !addr.Is4() {
		addr = netip.IPv4Unspecified()
	}
	ip := addr.As4()
	return append(appendPort([]byte{0, socks4Granted}, local.Port()), ip[:]...)
}

func (socks4Replier) failed(reason) []byte { return []byte{0, socks4Rejected, 0, 0, 0, 0, 0, 0} }
