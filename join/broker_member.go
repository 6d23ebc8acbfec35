package join

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// drainTime is how long, at the end of the Broker, members get to take what is queued
// for them.
const drainTime = time.Second

// A member is one end of a Broker. One goroutine reads from it and one writes.
//
//	        EOF of a client, Close             all is written, or time is up
//	here ----------------------------> leaving -----------------------------> gone
//	  |                                   |
//	  `--- failed, slow, too long a line -'---------------------------------> gone
type member struct {
	broker *Broker
	id     int
	name   string // guarded by the broker's mu
	outer  transport.Conn
	in     transport.MsgConn // outer, as it is read
	out    transport.MsgConn // outer, as it is written
	stream bool              // outer is a Stream
	host   bool              // it stays after its end of file
	outbox

	finished chan struct{} // closed when both goroutines have ended
}

func newMember(b *Broker, c transport.Conn, host bool) *member {
	m := &member{broker: b, outer: c, host: host, finished: make(chan struct{})}
	m.outbox.init(b.queue())
	s, isStream := c.(transport.Stream)
	switch {
	case !isStream:
		m.in = c.(transport.MsgConn)
		m.out = m.in
	case b.Chat:
		m.stream, m.in, m.out = true, Messages(s, Lines, b.maxLine()), Messages(s, Lines, 0)
	default:
		m.stream, m.in = true, Messages(s, b.Framing, DefaultQueue)
		m.out = m.in
	}
	return m
}

// run is the life of a member, which found that many there.
func (m *member) run(members int) {
	defer m.broker.running.Done()
	defer close(m.finished)
	m.broker.tell(BrokerEvent{Change: Joined, ID: m.id, Name: m.broker.nameOf(m), Conn: m.outer, Members: members})
	written := make(chan struct{})
	go m.write(written)
	if m.broker.Chat {
		m.welcome(members)
	}
	m.read()
	<-written
	m.stopTimer()
	m.outer.Close() //nolint:errcheck // how it ended is known
	name := m.broker.nameOf(m)
	e := BrokerEvent{Change: Left, ID: m.id, Name: name, Conn: m.outer, Members: m.broker.remove(m)}
	if e.Err = m.reason(); m.wasDropped() {
		e.Change = Dropped
	}
	m.broker.tell(e)
	if m.broker.Chat {
		m.broker.goodbye(e)
	}
}

// read passes on what the member sends. Once it is leaving, what still arrives is read
// and discarded, so that closing does not reset the connection (RFC 2525, 2.17).
func (m *member) read() {
	next := reader(m.in)
	for {
		p, meta, err := next()
		switch {
		case err == io.EOF && m.host:
			<-m.ended
			return
		case err == io.EOF:
			m.leave(m.broker.patience())
			return
		case err != nil:
			m.fail(err, errors.Is(err, transport.ErrMsgTooLong))
			return
		case m.isLeaving():
		case m.broker.Chat:
			m.say(p)
		default:
			m.broker.send(packet{
				data: bytes.Clone(p),
				text: meta.Text || m.stream && m.broker.Text,
				cuts: m.stream && m.broker.Framing == Chunks,
			}, m)
		}
	}
}

// write sends what is in the outbox until there is no more to come. Then it says
// so, and the other side may close first; a host's need not.
func (m *member) write(done chan<- struct{}) {
	defer close(done)
	for {
		p, more := m.take()
		if !more {
			break
		}
		err := m.put(p)
		switch {
		case errors.Is(err, transport.ErrMsgTooLong) || errors.Is(err, ErrSeparator):
			m.broker.tell(BrokerEvent{Change: Skipped, ID: m.id, Name: m.broker.nameOf(m), Conn: m.outer, Members: m.broker.Len(), Err: err})
		case err != nil:
			if errors.Is(err, net.ErrClosed) {
				err = ErrCut // by timeUp, if not by what comes first anyway
			}
			m.lose(err)
			m.fail(err, false)
			return
		}
	}
	if m.host || m.outer.CloseWrite() != nil {
		m.outer.Close() //nolint:errcheck // it is the end all the same
	}
}

// put writes one packet, in pieces if that is needed and allowed.
func (m *member) put(p packet) error {
	longest := m.out.MaxMsg()
	if !p.cuts && !(m.stream && m.broker.Framing == Chunks) {
		longest = max(longest, len(p.data))
	}
	for {
		piece := p.data[:min(len(p.data), longest)]
		p.data = p.data[len(piece):]
		if err := m.out.WriteMsg(piece, transport.Meta{Text: p.text}); err != nil {
			return err
		}
		if len(p.data) == 0 {
			return nil
		}
	}
}

// leave ends the member when its queue is drained, or when patience is over.
func (m *member) leave(patience time.Duration) {
	m.finish(time.AfterFunc(patience, m.timeUp))
}

// timeUp ends a member whose queue took too long to drain.
func (m *member) timeUp() {
	m.cut()
	m.outer.Close() //nolint:errcheck // it is the end all the same
}

// fail ends the member at once.
func (m *member) fail(why error, dropped bool) {
	m.discard(why, dropped)
	transport.Abort(m.outer, why) //nolint:errcheck // why is the error that counts
}
