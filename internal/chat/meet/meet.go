package meet

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Blob is an event as it is sent.
type Blob struct {
	rbsr.Key
	Author  [32]byte // on whose account it is; zero = nobody's
	Parents [][32]byte
	Bytes   []byte // at most MaxEvent
}

// A Set is where the events of a room are. Its methods are called from several goroutines,
// but Take only from one at a time.
type Set interface {
	// Index returns the keys of the events that are there. It is always the same one, and the
	// Set adds to it.
	Index() *rbsr.Set

	// Lacks returns those of the IDs whose events are not there.
	Lacks(ctx context.Context, ids [][32]byte) ([][32]byte, error)

	// Get returns the events of these IDs that are there, in this order: their Keys and Bytes, that is what is sent.
	Get(ctx context.Context, ids [][32]byte) ([]Blob, error)

	// Take adds events, none of which was there. Their parents are there or precede them. When it
	// returns they are kept; which of them is seen by the Index: a Set may refuse some. An error
	// means that nothing can be kept any more; it ends all sessions.
	Take(ctx context.Context, blobs []Blob) error

	// Marks returns what devices say of themselves, such as how far they have got, and came after a
	// number, at most so many rows, each at most MaxRow bytes, and the number of the last. The slice
	// is the caller's.
	Marks(ctx context.Context, after int64, limit int) (rows [][]byte, last int64, err error)

	// TakeMarks adds rows as Marks returns them, from a member. An error that is [ErrInvalid] means that no
	// honest member sends them, any other that they cannot be kept now; it ends the session.
	TakeMarks(ctx context.Context, from peer.ID, rows [][]byte) error
}

// A Config is what a room is.
type Config struct {
	Secret []byte // all members know it, and nobody else
	Set    Set

	// Parse makes Blobs of the bytes of events, after it has checked all that can be checked without other
	// events. It may keep them. An error means that no honest member sends them.
	Parse func(rows [][]byte) ([]Blob, error)

	// Members returns the devices that take part now, maybe with the own one. A session with
	// somebody else is neither opened nor let in.
	Members func() []peer.ID

	// Parted returns by which event somebody is no member any more, if he was one and may be told; he knows Secret. nil: nobody is told.
	// What it stands on is given to him as well.
	Parted func(peer.ID) (by [32]byte, ok bool)

	Places Places // nil: nobody is told where others are, and what is told is passed over

	Rate int // events of one author in ten seconds, by their times; 0 = DefaultRate

	// These are called if they are not nil, one at a time for each session, and must not block.
	Note  func(from peer.ID, note []byte)         // a note has come
	Given func(to peer.ID, keys []rbsr.Key)       // events were sent to somebody
	Event func(who peer.ID, what string, e error) // for people: a session began or ended
}

// Span is the time of which so many events of one author are taken at once: each ten seconds of the clock.
const Span = 10 * time.Second

// DefaultRate is how many events of one author in ten seconds are taken at once. More come later.
const DefaultRate = 30

const (
	maxHeld     = 64 << 20 // bytes, for all rooms
	maxRoomHeld = 16 << 20
	maxSessions = 32 // of a room
	silence     = 15 * time.Second
)

// A Meeting is the rooms of this process. Its methods may be called from any goroutine.
type Meeting struct {
	net  peer.Network
	held account.Account

	mu      sync.Mutex // guards what follows
	rooms   map[*Room]bool
	closed  bool
	unserve func()
}

// New serves [Proto] on a network until Close is called.
func New(net peer.Network) *Meeting {
	m := &Meeting{net: net, held: account.Account{Limit: maxHeld}, rooms: map[*Room]bool{}}
	m.unserve = net.Serve(Proto, m.handle)
	return m
}

// Close ends all rooms and waits for what is under way.
func (m *Meeting) Close() {
	m.unserve()
	m.mu.Lock()
	m.closed = true
	var rooms []*Room
	for r := range m.rooms {
		rooms = append(rooms, r)
	}
	m.mu.Unlock()
	for _, r := range rooms {
		r.Close()
	}
}

// tag names a room to one other: who does not know the secret learns nothing by it, and
// cannot show it to anybody else.
func tag(secret []byte, from, to peer.ID) (t [32]byte) {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("tenon room 1\x00"))
	h.Write(from.Bytes())
	h.Write(to.Bytes())
	h.Sum(t[:0])
	return t
}

// find returns the room that a peer names, and whether it is a member. It takes as long for a tag that is wrong.
func (m *Meeting) find(from peer.ID, named [32]byte) (found *Room, member bool) {
	m.mu.Lock()
	rooms := make([]*Room, 0, len(m.rooms))
	for r := range m.rooms {
		rooms = append(rooms, r)
	}
	m.mu.Unlock()
	for _, r := range rooms {
		t := tag(r.Secret, from, m.net.Self())
		if subtle.ConstantTimeCompare(t[:], named[:]) == 1 {
			found = r
		}
	}
	return found, found != nil && found.member(from)
}

// Errors of a session, as [Config.Event] tells them.
var (
	ErrGone    = errors.New("the other one does not know the room, or not us in it")
	errBusy    = errors.New("too many take part with us at once")
	errClosed  = errors.New("the room was closed")
	errSilent  = errors.New("it does not answer any more")
	errLies    = errors.New("it has said that it has what it has not")
	errOrphans = errors.New("it has sent an event without those before it")
	ErrInvalid = errors.New("it has sent an event or a mark that is not valid")
	errTwice   = errors.New("there is another stream with it")
	errShunned = errors.New("it has sent what nobody honest sends")
)

// handle is the handler of [Proto].
func (m *Meeting) handle(stream transport.Stream) {
	from, ok := peer.Of(stream)
	if !ok {
		return
	}
	stream.SetDeadline(time.Now().Add(silence)) //nolint:errcheck // the read below shows it
	in := bufio.NewReaderSize(stream, readSize)
	named, err := readHello(in)
	if err != nil {
		transport.Abort(stream, err)
		return
	}
	r, member := m.find(from, named)
	if r != nil && !member && r.part(stream, in, from) {
		return
	}
	if !member {
		stream.Write(frame.Close(frame.Begin(nil, frameGone))) //nolint:errcheck // it is not for them
		return
	}
	if err := writeHello(stream, tag(r.Secret, m.net.Self(), from)); err != nil {
		transport.Abort(stream, err)
		return
	}
	r.run(newSession(r, from, from, stream, in)) //nolint:errcheck // Config.Event tells
}

// ask opens a stream with a member and runs a session.
func (r *Room) ask(ctx context.Context, to peer.ID) error {
	stream, err := r.m.net.Open(ctx, to, Proto)
	if err != nil {
		return err
	}
	defer stream.Close() //nolint:errcheck // what was sent is what counts
	stop := context.AfterFunc(ctx, func() { transport.Abort(stream, context.Cause(ctx)) })
	defer stop()
	self := r.m.net.Self()
	stream.SetDeadline(time.Now().Add(silence)) //nolint:errcheck // the write below shows it
	if err := writeHello(stream, tag(r.Secret, self, to)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(stream, readSize)
	named, err := readHello(in)
	if err != nil {
		return err
	}
	if want := tag(r.Secret, to, self); subtle.ConstantTimeCompare(named[:], want[:]) != 1 {
		return ErrGone
	}
	return r.run(newSession(r, to, self, stream, in))
}

func writeHello(stream transport.Stream, t [32]byte) error {
	_, err := stream.Write(frame.Close(append(append(frame.Begin(nil, frameHello), version), t[:]...)))
	return err
}

func readHello(in *bufio.Reader) (t [32]byte, err error) {
	kind, p, err := readFrame(in)
	switch {
	case err != nil:
		return t, err
	case kind == frameGone:
		return t, ErrGone
	case kind != frameHello || len(p) != 1+len(t) || p[0] != version:
		return t, errWire
	}
	copy(t[:], p[1:])
	return t, nil
}
