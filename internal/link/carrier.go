package link

import (
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A carrier is a stream of the network below, as long as it carries a session. The mutex
// of the session guards it, but for what the one who reads has to itself.
type carrier struct {
	below    transport.Stream
	path     peer.Path
	gone     chan struct{} // closed when it is of no use any more
	once     sync.Once
	greeting []byte // to be sent before all else
	last     bool   // the last word has been said, with the end of the stream
	poked    bool   // its read deadline has been set to interrupt who reads

	head     [headSize]byte // of the frame that is being read
	headHas  int
	frame    head
	body     [16]byte
	long     []byte // in place of body, of a frame that has more
	bodyHas  int
	position int64 // of the next byte of a frame of data
	left     int   // of it
}

func newCarrier(below transport.Stream, p peer.Path) *carrier {
	return &carrier{below: below, path: p, gone: make(chan struct{})}
}

// content is where the content of the frame is, or is read to, if it is no data.
func (c *carrier) content() []byte {
	if c.frame.size > len(c.body) {
		return c.long[:c.frame.size]
	}
	return c.body[:c.frame.size]
}

// release closes the stream below, or aborts it if there is a cause.
func (c *carrier) release(cause error) {
	c.once.Do(func() {
		if cause != nil {
			abort(c.below, cause)
		} else {
			c.below.Close() //nolint:errcheck // there is nothing more to do
		}
		close(c.gone)
	})
}

// poke interrupts who reads.
func (c *carrier) poke() {
	if !c.poked {
		c.poked = true
		c.below.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // it has deadlines
	}
}

// unpoke is called before reading.
func (c *carrier) unpoke() {
	if c.poked {
		c.poked = false
		c.below.SetReadDeadline(time.Time{}) //nolint:errcheck // it has deadlines
	}
}
