package punch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Types of the frames by which the two agree.
const (
	frameBegin  = 1 // what the opener contributes to the key
	frameReady  = 2 // what the accepter does
	frameHere   = 3 // classes and candidates
	frameGo     = 4
	frameChosen = 5
	frameFailed = 6
)

// Limits of what the other side may say.
const (
	version       = 1
	maxFrame      = 1024
	maxCandidates = 32 // of all ways together
	candidateLen  = 1 + 16 + 2
)

// errFrame is for whoever does not speak the protocol.
var errFrame = errors.New("punch: not the protocol")

// writeFrame writes all of a frame at once.
func writeFrame(w io.Writer, typ byte, content []byte) error {
	b := append([]byte{typ, 0, 0}, content...)
	binary.BigEndian.PutUint16(b[1:], uint16(len(content)))
	_, err := w.Write(b)
	return err
}

func readFrame(r io.Reader) (typ byte, content []byte, err error) {
	var h [3]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint16(h[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errFrame, n)
	}
	content = make([]byte, n)
	if _, err := io.ReadFull(r, content); err != nil {
		return 0, nil, err
	}
	return h[0], content, nil
}

// A candidate is an address at which a side may be reached.
type candidate struct {
	way  Way
	seen bool // by an observer, from outside
	addr netip.AddrPort
}

// seenBit marks in a frame what an observer saw.
const seenBit = 0x80

// A here is what a side says of itself.
type here struct {
	class [numWays]Class
	cands []candidate
}

func (h here) encode() []byte {
	b := make([]byte, 0, int(numWays)+1+len(h.cands)*candidateLen)
	for _, c := range h.class {
		b = append(b, byte(c))
	}
	b = append(b, byte(len(h.cands)))
	for _, c := range h.cands {
		a := c.addr.Addr().As16()
		w := byte(c.way)
		if c.seen {
			w |= seenBit
		}
		b = append(b, w)
		b = append(b, a[:]...)
		b = binary.BigEndian.AppendUint16(b, c.addr.Port())
	}
	return b
}

func parseHere(b []byte) (h here, err error) {
	if len(b) < int(numWays)+1 {
		return h, fmt.Errorf("%w: too short", errFrame)
	}
	for i := range h.class {
		if h.class[i] = Class(b[i]); h.class[i] >= numClasses {
			return h, fmt.Errorf("%w: %s", errFrame, h.class[i])
		}
	}
	n := int(b[numWays])
	b = b[numWays+1:]
	if n > maxCandidates || len(b) != n*candidateLen {
		return h, fmt.Errorf("%w: %d candidates in %d bytes", errFrame, n, len(b))
	}
	for ; len(b) > 0; b = b[candidateLen:] {
		c := candidate{Way(b[0] &^ seenBit), b[0]&seenBit != 0, netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[1:])).Unmap(), binary.BigEndian.Uint16(b[17:]))}
		if c.way >= numWays || !c.way.fits(c.addr) {
			return h, fmt.Errorf("%w: a candidate of another family", errFrame)
		}
		h.cands = append(h.cands, c)
	}
	return h, nil
}

// seen returns what observers saw of a way.
func (h here) seen(w Way) (as []netip.AddrPort) {
	for _, c := range h.cands {
		if c.way == w && c.seen {
			as = append(as, c.addr)
		}
	}
	return as
}
