package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// The bounds of a header ("The PROXY protocol", sections 2.1 and 2.2). The
// shortest of version 1 is longer than the signature of version 2, so that the
// signature can be read without reading too far.
const (
	maxHeader1 = 107
	minHeader1 = len("PROXY UNKNOWN\r\n")
	lenPrefix2 = 16
	maxHeader2 = 4 << 10 // of the 64 KiB that the length has room for: it is what the library takes
)

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// What a header says; both nil for UNKNOWN and LOCAL.
type announced struct{ source, dest net.Addr }

// errNoHeader is something else than a header.
var errNoHeader = errors.New("the connection does not begin with a PROXY protocol header")

// readHeader reads a header to its last byte and no further. If it is optional
// and there is none, early is what was read instead.
func readHeader(r io.Reader, optional bool) (h announced, early []byte, err error) {
	buf, err := readSignature(r)
	if errors.Is(err, errNoHeader) && optional {
		return h, buf, nil
	}
	if err != nil {
		return h, nil, err
	}
	if buf[0] == signature1[0] {
		buf, err = readHeader1(r, buf)
	} else {
		buf, err = readHeader2(r, buf)
	}
	if err != nil {
		return h, nil, err
	}
	h, err = parseHeader(buf)
	return h, nil, err
}

// readSignature reads as much as the signature of version 2 has, or less if it
// turns out not to be a header.
func readSignature(r io.Reader) ([]byte, error) {
	buf := make([]byte, 0, 64)
	for len(buf) < len(signature2) {
		n, err := r.Read(buf[len(buf):len(signature2)])
		buf = buf[:len(buf)+n]
		if n > 0 && !beginsLike(buf, signature1) && !beginsLike(buf, signature2) {
			return buf, errNoHeader
		}
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				return buf, errNoHeader
			}
			return nil, err
		}
	}
	return buf, nil
}

// beginsLike tells whether buf and signature agree as far as both go.
func beginsLike(buf []byte, signature string) bool {
	n := min(len(buf), len(signature))
	return string(buf[:n]) == signature[:n]
}

// readHeader1 reads on up to CR LF: two bytes at a time until there is a CR,
// because that many are missing at least.
func readHeader1(r io.Reader, buf []byte) ([]byte, error) {
	missing := minHeader1 - len(buf)
	for {
		n := len(buf)
		buf = append(buf, make([]byte, missing)...)
		if err := exactly(r, buf[n:]); err != nil {
			return nil, err
		}
		if bytes.HasSuffix(buf, []byte("\r\n")) {
			return buf, nil
		}
		if missing = 2; buf[len(buf)-1] == '\r' {
			missing = 1
		}
		if len(buf)+missing > maxHeader1 {
			return nil, errors.New("the PROXY protocol header does not end")
		}
	}
}

// readHeader2 reads on as far as the length in the header says.
func readHeader2(r io.Reader, buf []byte) ([]byte, error) {
	n := len(buf)
	buf = append(buf, make([]byte, lenPrefix2-n)...)
	if err := exactly(r, buf[n:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(buf[lenPrefix2-2:]))
	if length > maxHeader2 {
		return nil, fmt.Errorf("the PROXY protocol header has %d bytes, and the most is %d", length, maxHeader2)
	}
	buf = append(buf, make([]byte, length)...)
	return buf, exactly(r, buf[lenPrefix2:])
}

// parseHeader reads a whole header.
func parseHeader(buf []byte) (announced, error) {
	src := bytes.NewReader(buf)
	h, err := proxyproto.Read(bufio.NewReaderSize(src, len(buf)))
	if err != nil {
		return announced{}, fmt.Errorf("bad PROXY protocol header: %w", err)
	}
	if h.Command == proxyproto.LOCAL || h.SourceAddr == nil || h.DestinationAddr == nil {
		return announced{}, nil
	}
	a := announced{streamAddr(h.SourceAddr), streamAddr(h.DestinationAddr)}
	if a.source.String() == "" || a.dest.String() == "" { // unix sockets without a name
		return announced{}, nil
	}
	return a, nil
}

// streamAddr returns a as the address of a stream: a relay may have had datagrams
// on its other side.
func streamAddr(a net.Addr) net.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return tcpAddr(a.AddrPort())
	case *net.UDPAddr:
		return tcpAddr(a.AddrPort())
	}
	return a
}

func tcpAddr(ap netip.AddrPort) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
}
