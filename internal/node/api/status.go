package api

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// A close status is a byte of length and the protocol that it is one of, "websocket", eight
// bytes of code, and a reason. It goes in front of the frame that ends a direction, if the
// other side knows the frame.
const (
	maxProtocol = 64
	maxReason   = maxAbort - 1 - maxProtocol - 8
)

// carried are the close statuses of the two sides.
type carried struct {
	mu       sync.Mutex // guards all
	known    bool       // the other side knows the frame
	ours     []byte     // as it is to be sent; nil if there is none, or it was sent
	sent     bool
	theirs   transport.CloseStatus
	protocol string // of theirs; "" if there is none
}

func (c *carried) receive(content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(content) == 0 || len(content) < 1+int(content[0])+8 || c.protocol != "" {
		return // nothing that can be used, or a second one
	}
	name, rest := content[1:1+content[0]], content[1+content[0]:]
	c.protocol = string(name)
	c.theirs = transport.CloseStatus{Code: binary.BigEndian.Uint64(rest), Reason: strings.ToValidUTF8(string(rest[8:]), "\uFFFD")}
}

// take returns what is to be sent, once.
func (c *carried) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.ours == nil {
		return nil
	}
	c.sent = true
	b := c.ours
	c.ours = nil
	return b
}

// untake has b sent the next time: it was not.
func (c *carried) untake(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ours, c.sent = b, false
}

// waits tells whether there is something to send.
func (c *carried) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known && c.ours != nil
}

func marshalStatus(protocol string, s transport.CloseStatus) []byte {
	b := append([]byte{byte(len(protocol))}, protocol...)
	b = binary.BigEndian.AppendUint64(b, s.Code)
	return append(b, strings.ToValidUTF8(s.Reason[:min(len(s.Reason), maxReason)], "")...)
}

// KnowsStatus says that the other side knows the frame of a close status. It is called
// before anything is written.
func (m *MsgConn) KnowsStatus() { m.status.known = true }

// CarriedStatus implements [transport.StatusCarrier].
func (m *MsgConn) CarriedStatus() (protocol string, s transport.CloseStatus, ok bool) {
	c := &m.status
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.protocol, c.theirs, c.protocol != ""
}

// CarryStatus implements [transport.StatusCarrier].
func (m *MsgConn) CarryStatus(protocol string, s transport.CloseStatus) {
	c := &m.status
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sent && protocol != "" && len(protocol) <= maxProtocol {
		c.ours = marshalStatus(protocol, s)
	}
}

// tellsStatus tells whether an Abort has a close status to carry.
func (e *end) tellsStatus() bool { return e.status.waits() }
