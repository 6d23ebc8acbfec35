package transport

import (
	"io"
	"time"
)

// The bounds of [LingeringClose].
const (
	LingeringCloseTime  = 2 * time.Second // in all
	LingeringCloseBytes = 64 << 20        // read and thrown away
)

// LingeringClose ends a connection after a last answer that the other side must
// get, though it may still be sending: it half-closes c, reads on and throws away
// what comes until the other side ends too, and then closes c. A plain Close would
// have TCP answer the unread bytes with a reset, which destroys the answer
// (RFC 9112 section 9.6). Both bounds are hard: a sender that goes on for ever is
// cut. Whoever refuses, and answers before it has read everything, ends so.
func LingeringClose(c Stream) error {
	if c.SetDeadline(time.Now().Add(LingeringCloseTime)) == nil && c.CloseWrite() == nil {
		io.Copy(io.Discard, io.LimitReader(c, LingeringCloseBytes)) //nolint:errcheck // what comes is of no interest, nor why it ended
	}
	return c.Close()
}
