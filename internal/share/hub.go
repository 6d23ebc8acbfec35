package share

import (
	"cmp"
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Hub answers for the shares of this process. Its methods may be called at the same
// time. The zero Hub has none.
type Hub struct {
	mu     sync.Mutex // guards what follows
	shares map[ID]*Share
	held   map[ID]*Held // by what HeldID says
}

// Put has a share found by others until drop is called, which ends no session. Who asks for it
// afterwards is told that there is no such share: a process that ends does not drop, but closes
// the Share.
func (h *Hub) Put(s *Share) (drop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shares == nil {
		h.shares = map[ID]*Share{}
	}
	h.shares[s.ID] = s
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.shares[s.ID] == s {
			delete(h.shares, s.ID)
		}
	}
}

// Handle is the handler of [Proto]. Who knows a share's ID and not its secret gets the
// same answer as for a share that does not exist, after the same work.
func (h *Hub) Handle(stream transport.Stream) {
	from, ok := peer.Of(stream)
	if !ok {
		return
	}
	x := newSession(stream, from)
	stream.SetDeadline(time.Now().Add(silence)) //nolint:errcheck // the read below shows it
	theirs, err := x.readHello()
	if err != nil {
		transport.Abort(stream, err)
		return
	}
	h.mu.Lock()
	s, held := h.shares[theirs.share], h.held[theirs.share]
	h.mu.Unlock()
	known := s != nil
	switch {
	case known:
	case held != nil:
		s = New(Config{Self: held.Self, ID: theirs.share, Secret: held.Access[:]})
	default:
		s = New(Config{ID: theirs.share, Secret: make([]byte, 16)})
	}
	proof := s.proof(from, s.Self)
	proved := subtle.ConstantTimeCompare(theirs.proof[:], proof[:]) == 1
	if !known && held != nil && proved && held.Admit(from) {
		held.serve(x)
		return
	}
	if !known || !s.admits(from, proved) {
		x.write(frameGone, func(b []byte) []byte { return b }) //nolint:errcheck // it is not for them
		return
	}
	if s.unavailable() {
		transport.Abort(stream, errClosed) // not gone: another process may have it again
		return
	}
	if err := x.write(frameHello, hello{s.ID, s.proof(s.Self, from)}.append); err != nil {
		transport.Abort(stream, err)
		return
	}
	if e, ok := s.Ending(); ok {
		x.write(frameEnded, e.Append) //nolint:errcheck // it comes again
		stream.Close()                //nolint:errcheck // it comes again
		return
	}
	s.run(x) //nolint:errcheck // the Share's events tell
}

// unavailable tells whether nobody can take part any more, nor be shown why.
func (s *Share) unavailable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed && s.ending == nil
}

// admits decides who may take part.
func (s *Share) admits(who peer.ID, proved bool) bool {
	s.mu.Lock()
	_, banned := s.banned[who]
	gone := s.ended != nil && s.ending == nil
	s.mu.Unlock()
	switch {
	case banned, gone:
		return false
	case s.Admit != nil:
		return s.Admit(who, proved)
	}
	return proved
}

// An Opener opens streams to peers, as a [peer.Network] does.
type Opener interface {
	Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error)
}

// Ask takes part with a peer who has the share, or some of it: it opens a stream and
// returns when that has ended. The error is nil if the other side has ended it in order.
func (s *Share) Ask(ctx context.Context, net Opener, to peer.ID) error {
	s.mu.Lock()
	banned, ended := s.banned[to], s.ended
	s.mu.Unlock()
	if err := cmp.Or(banned.Err, ended); err != nil {
		return err
	}
	stream, err := net.Open(ctx, to, Proto)
	if err != nil {
		return err
	}
	defer stream.Close() //nolint:errcheck // what it has sent is what counts
	defer context.AfterFunc(ctx, func() { transport.Abort(stream, context.Cause(ctx)) })()
	x := newSession(stream, to)
	if x.sealed, err = s.openingFor(to); err != nil {
		return err
	}
	id, key := s.greeting(x.sealed)
	stream.SetDeadline(time.Now().Add(silence)) //nolint:errcheck // the read below shows it
	if err := x.write(frameHello, hello{id, prove(key, id, s.Self, to)}.append); err != nil {
		return err
	}
	theirs, err := x.readHello()
	if err != nil {
		return err
	}
	proof := prove(key, id, to, s.Self)
	if theirs.share != id || subtle.ConstantTimeCompare(theirs.proof[:], proof[:]) != 1 {
		return ErrGone
	}
	return s.run(x)
}
