//go:build linux

package bus

import (
	"bufio"
	"errors"
	"os"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// peerBuffer is the size in bytes of what a hub reads from a member at once.
const peerBuffer = 4 << 10

// A peer is a member as the hub sees it.
type peer struct {
	hub    *hub
	conn   transport.Stream
	origin uint64
	limits
	awake chan struct{} // holds a token when there may be something to do for write

	// Guarded by the hub's mu:
	since     uint64    // place of the first message that was published with it there
	next      uint64    // place of the next message to take for it
	handed    uint64    // it has been handed all before this place
	skip      skipped   // what it has to be told
	ended     bool      // its farewell may be answered
	gone      bool      // it is no member any more
	fullSince time.Time // by waitRule, when others began to wait for it; zero if they do not
}

// skipped is what a member has been too slow for.
type skipped struct {
	pending bool
	lost    uint64 // messages of others
	own     uint64 // the last one of its own
}

// wake has write look for something to do.
func (p *peer) wake() {
	select {
	case p.awake <- struct{}{}:
	default:
	}
}

// serve is the life of a connection.
func (h *hub) serve(conn transport.Stream) {
	defer h.running.Done()
	defer h.exit(conn)
	r := bufio.NewReaderSize(conn, peerBuffer)
	p, w, err := h.greet(conn, r)
	if err != nil {
		var why refusal
		if errors.As(err, &why) {
			conn.Write(append(open(nil, frameRefuse, 1), byte(why))) //nolint:errcheck // it may be gone
		}
		return
	}
	wrote := make(chan struct{})
	go p.write(w, wrote)
	err = p.read(r)
	if deadline.IsClosed(h.quit) && (err == errLeaving || errors.Is(err, os.ErrDeadlineExceeded)) {
		<-h.flushed // it is handed what there is
	}
	p.leave()
	<-wrote
}

// errLeaving means that the hub takes nothing in any more, or not from this member.
var errLeaving = errors.New("the hub is leaving")

// leave ends the membership.
func (p *peer) leave() {
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	p.hub.remove(p, false)
}

// exit forgets a connection.
func (h *hub) exit(conn transport.Conn) {
	conn.Close()
	h.mu.Lock()
	delete(h.conns, conn)
	h.mu.Unlock()
}

// read takes what the member publishes until it or the hub leaves.
func (p *peer) read(r *bufio.Reader) error {
	for {
		s, body, err := readFrame(r)
		if err != nil {
			return err
		}
		switch s {
		case framePublish:
			m, err := parsePublish(body)
			if err != nil {
				return err
			}
			if !p.hub.publish(p, m) {
				return errLeaving
			}
		case frameEnd:
			if !p.farewell() {
				return errLeaving
			}
		default:
			return errFrame
		}
	}
}

// farewell answers the end of what a member publishes, once all others have it in
// their hands.
func (p *peer) farewell() bool {
	h := p.hub
	h.flush(h.head(), farewell)
	h.mu.Lock()
	defer h.mu.Unlock()
	p.ended = !h.leaving // the next hub can answer better
	p.wake()
	return p.ended
}
