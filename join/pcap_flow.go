package join

import (
	"fmt"
	"io"
)

// Limits of the made-up packets, in bytes.
const (
	maxSegment  = 65_000 // of data in a TCP segment: with its headers it fits IPv4
	maxDatagram = 65_507 // of data in a UDP datagram over IPv4
	ackEvery    = 1 << 20
)

// synOptions say that segments are large, and that windows are to be read times
// 2^14: 1 GiB, which the other side never fills (RFC 7323, section 2).
var synOptions = [...]byte{2, 4, maxSegment >> 8, maxSegment & 0xff, 1, 3, 3, 14}

// A pcapStream records bytes as a TCP connection.
type pcapStream struct {
	pcap   *Pcap // its mutex guards all that follows
	w      packetWriter
	seq    [2]uint32 // of the next byte that a side sends
	silent [2]uint32 // what a side has received and not acknowledged
	ended  [2]bool
	failed error // how a direction ended first that did not end cleanly
	broken Side  // whose data that was
	reset  bool
}

var _ Failer = (*pcapStream)(nil)

// Err is that of the file.
func (c *pcapStream) Err() error { return c.pcap.Err() }

func (c *pcapStream) handshake(dst []byte, comment string) []byte {
	c.seq = [2]uint32{1, 1}
	dst = c.w.tcp(dst, A, 0, 0, flagSYN, synOptions[:], nil, comment)
	dst = c.w.tcp(dst, B, 0, 1, flagSYN|flagACK, synOptions[:], nil, "")
	return c.w.tcp(dst, A, 1, 1, flagACK, nil, nil, "")
}

// Data writes p in segments of any length that IP can carry.
func (c *pcapStream) Data(d Direction, p []byte, _ bool) {
	c.pcap.sink.mu.Lock()
	defer c.pcap.sink.mu.Unlock()
	from, to := Side(d), 1-Side(d)
	var out []byte
	for len(p) > 0 && !c.ended[from] && !c.reset {
		data := p[:min(len(p), maxSegment)]
		p = p[len(data):]
		out = c.send(out, from, flagPSH|flagACK, data, "")
		c.seq[from] += uint32(len(data))
		if c.silent[to] += uint32(len(data)); c.silent[to] >= ackEvery {
			out = c.send(out, to, flagACK, nil, "")
		}
	}
	c.pcap.sink.put(out)
}

// send appends a segment that acknowledges all that the side has received.
func (c *pcapStream) send(dst []byte, from Side, flags byte, data []byte, comment string) []byte {
	c.silent[from] = 0
	return c.w.tcp(dst, from, c.seq[from], c.seq[1-from], flags, nil, data, comment)
}

// End writes a FIN after a clean end. A failure is a RST, which waits until the
// other direction has ended as well.
func (c *pcapStream) End(d Direction, err error) {
	c.pcap.sink.mu.Lock()
	defer c.pcap.sink.mu.Unlock()
	from := Side(d)
	if c.ended[from] {
		return
	}
	c.ended[from] = true
	var out []byte
	if err == nil || err == io.EOF {
		out = c.send(out, from, flagFIN|flagACK, nil, "")
		c.seq[from]++
		out = c.send(out, 1-from, flagACK, nil, "")
	} else if c.failed == nil {
		c.failed, c.broken = err, from
	}
	if c.failed != nil && c.ended[1-from] {
		c.reset = true
		out = c.send(out, c.broken, flagRST|flagACK, nil, c.failed.Error())
	}
	c.pcap.sink.put(out)
}

// A pcapMsgs records messages as UDP datagrams.
type pcapMsgs struct {
	pcap    *Pcap // its mutex guards all that follows
	w       packetWriter
	comment string // of the first packet
}

var _ Failer = (*pcapMsgs)(nil)

// Err is that of the file.
func (c *pcapMsgs) Err() error { return c.pcap.Err() }

// Data writes a datagram or, for a message that is longer than one can be, several
// with a comment on each.
func (c *pcapMsgs) Data(d Direction, p []byte, _ bool) {
	c.pcap.sink.mu.Lock()
	defer c.pcap.sink.mu.Unlock()
	comment := c.comment
	c.comment = ""
	total, parts := len(p), (len(p)+maxDatagram-1)/maxDatagram
	var out []byte
	for i := 1; i == 1 || len(p) > 0; i++ {
		data := p[:min(len(p), maxDatagram)]
		p = p[len(data):]
		if parts > 1 {
			comment = fmt.Sprintf("part %d of %d of one message of %d bytes", i, parts, total)
		}
		out = c.w.udp(out, Side(d), data, comment)
		comment = ""
	}
	c.pcap.sink.put(out)
}

// End does nothing: UDP has no end.
func (c *pcapMsgs) End(Direction, error) {}
