package join

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// The defaults of a [Broker].
const (
	DefaultPatience = 10 * time.Second // see Broker.Patience
	DefaultQueue    = 1 << 20          // bytes that wait for one member
	DefaultMaxLine  = 4096             // bytes in a line of a chat
)

// acceptPause is how long Serve waits after an Accept that failed.
const acceptPause = 50 * time.Millisecond

// A Broker joins many ends to each other: what one sends, every other receives, in
// order. Of what several send, two others may see different orders. Streams and MsgConns may be mixed. The zero Broker is ready; its fields must not
// change once it is in use, and it must not be copied. All methods may be called
// from any goroutine.
//
// The rule for slow members: each has a queue of bounded size. When the queue of
// one is full, whoever sends waits for it, and so slows down to its pace; with
// Drop, or when it has made no room for a message after Patience, it is removed,
// with its connection aborted and the reason told in an event and, in a chat, to
// the others. Patience is for each message, whatever the member takes meanwhile, so
// that one that takes a byte now and then cannot stop the others. No member that
// stays loses anything.
//
// What is read from a Stream is cut by Framing. With [Chunks], what one read
// returns is passed on whole, and so is never interleaved with what others send;
// with [Lines] or another framing this holds for whole messages. Chunks are divided
// where a member carries shorter messages only. A message that a member's end or
// framing cannot carry does not reach that member, which an event tells: to remove
// the member, or the sender, would let one client harm another.
//
// In a chat, members send lines. The others see them as "<user7> hello", with what
// could change a terminal escaped as [Neutral] does, and notices that begin with a
// star: who joins, leaves and is dropped. A line that is too long drops its sender.
// A line that begins with a slash is a command: /name NAME and /who. Messages are
// taken for one line or several, and sent as text without a newline.
type Broker struct {
	Framing  Framing           // how Streams are cut, and messages marked in them
	Text     bool              // what comes from Streams is text, where the kind tells text from binary
	Chat     bool              // a conversation of people; see below
	Drop     bool              // a member whose queue is full is removed at once
	Patience time.Duration     // how long one message waits for slow members; 0 means DefaultPatience
	Queue    int64             // bytes that wait for one member; 0 means DefaultQueue
	MaxLine  int               // bytes in a line of a chat; 0 means DefaultMaxLine
	Events   func(BrokerEvent) // if not nil, told who comes and goes; see BrokerEvent

	mu      sync.Mutex      // guards what follows
	members map[int]*member // by number
	last    int             // number given to a member
	closed  bool
	running sync.WaitGroup // all members; Add with mu held
}

// A Change is what happened to a member.
type Change int

// The changes.
const (
	Joined  Change = iota
	Left           // of its own will, or its connection failed: Err is not nil then
	Dropped        // by the rules: Err says which
	Skipped        // a message could not be carried to the member, which stays: Err says why
	Refused        // a connection could not be accepted: ID and Conn are unset
)

// A BrokerEvent says who came or went. Events about one member come in order, and
// those about different members maybe at the same time. The function that is told
// may take its time, but must not wait for the Broker.
type BrokerEvent struct {
	Change  Change
	ID      int            // number of the member, from 1; never used again
	Name    string         // in the chat, such as user7
	Conn    transport.Conn // the end, for its addresses and Info
	Members int            // how many there are now
	Err     error
}

// Why members are dropped or leave. Another reason is [transport.ErrMsgTooLong]:
// it sent too long a line or record.
var (
	ErrSlow = errors.New("too slow: what others sent did not fit into its queue")
	ErrCut  = errors.New("left before all that waited for it was sent")
)

// Add makes c a member, which it stays until Close, until reading or writing fails,
// or until it is dropped. At its end of file it goes on receiving: it is for ends of
// the host, such as stdio, and not for clients that may have gone. The Broker owns
// c. The error is [net.ErrClosed] after Close.
func (b *Broker) Add(c transport.Conn) error {
	_, err := b.add(c, true)
	return err
}

// Serve makes members of all that a accepts, until ctx is done or a is closed. A
// member that it accepted leaves at its end of file. Before it returns, Serve
// closes a and sends the members it accepted what waits for them, for at most a
// second, and closes them. The error is nil if a was closed, else
// context.Cause(ctx). A failure to accept one connection is told as an event.
func (b *Broker) Serve(ctx context.Context, a transport.Acceptor) error {
	stop := context.AfterFunc(ctx, func() { a.Close() })
	defer stop()
	var mine []*member
	err := b.accept(ctx, a, &mine)
	a.Close()
	for _, m := range mine {
		m.leave(drainTime)
	}
	for _, m := range mine {
		<-m.finished
	}
	return err
}

// accept fills mine with the members that are there when it returns, and maybe
// some that have left.
func (b *Broker) accept(ctx context.Context, a transport.Acceptor, mine *[]*member) error {
	for {
		c, err := a.Accept()
		switch {
		case err == nil:
			m, err := b.add(c, false)
			if err != nil {
				return err
			}
			*mine = append(withoutFinished(*mine), m)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			b.tell(BrokerEvent{Change: Refused, Members: b.Len(), Err: err})
			pause(ctx, acceptPause)
		}
	}
}

// withoutFinished removes those that have left, each time that the slice is full.
func withoutFinished(ms []*member) []*member {
	if len(ms) < cap(ms) {
		return ms
	}
	kept := ms[:0]
	for _, m := range ms {
		select {
		case <-m.finished:
		default:
			kept = append(kept, m)
		}
	}
	clear(ms[len(kept):])
	return kept
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Len returns how many members there are.
func (b *Broker) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.members)
}

// Close sends all members what waits for them, for at most a second, closes them
// and returns when no goroutine of the Broker is left. No member can be added any
// more. It may be called more than once.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	for _, m := range b.all(nil) {
		m.leave(drainTime)
	}
	b.running.Wait()
	return nil
}

// add makes c a member and starts its goroutines.
func (b *Broker) add(c transport.Conn, host bool) (*member, error) {
	m := newMember(b, c, host)
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		c.Close()
		return nil, net.ErrClosed
	}
	b.last++
	m.id = b.last
	m.name = defaultName(m.id)
	if b.members == nil {
		b.members = map[int]*member{}
	}
	b.members[m.id] = m
	n := len(b.members)
	b.running.Add(1)
	b.mu.Unlock()
	go m.run(n)
	return m, nil
}

// remove takes m off the list, and returns how many are left.
func (b *Broker) remove(m *member) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.members, m.id)
	return len(b.members)
}

// all returns the members but one.
func (b *Broker) all(but *member) []*member {
	b.mu.Lock()
	defer b.mu.Unlock()
	ms := make([]*member, 0, len(b.members))
	for _, m := range b.members {
		if m != but {
			ms = append(ms, m)
		}
	}
	return ms
}

// send passes p on to all but one.
func (b *Broker) send(p packet, but *member) { b.sendTo(p, b.all(but)) }

// sendTo returns when all have p in their queues or are dropped. Those that have
// room get it first.
func (b *Broker) sendTo(p packet, ms []*member) {
	var full []*member
	for _, m := range ms {
		if m.offer(p) != nil {
			full = append(full, m)
		}
	}
	if len(full) == 0 {
		return
	}
	late := make(chan struct{})
	timer := time.AfterFunc(b.patience(), func() { close(late) })
	defer timer.Stop()
	for _, m := range full {
		if b.Drop || !m.wait(p, late) {
			m.fail(ErrSlow, true)
		}
	}
}

func (b *Broker) patience() time.Duration {
	if b.Patience == 0 {
		return DefaultPatience
	}
	return b.Patience
}

func (b *Broker) queue() int64 {
	if b.Queue == 0 {
		return DefaultQueue
	}
	return b.Queue
}

func (b *Broker) maxLine() int {
	if b.MaxLine == 0 {
		return DefaultMaxLine
	}
	return b.MaxLine
}

func (b *Broker) tell(e BrokerEvent) {
	if b.Events != nil {
		b.Events(e)
	}
}
