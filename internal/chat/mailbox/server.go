package mailbox

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
)

// A Config is what a Server stands on.
type Config struct {
	DB   *store.DB // for this alone
	Self peer.ID   // of the network whose streams are handled

	// Caller returns on whose account a stream is; ok is false if nothing is kept for him. nil: each peer
	// is a guest, on its own account.
	Caller func(peer.ID, transport.Stream) (c Caller, ok bool)

	Limits
}

// A Caller is on whose account something is kept.
type Caller struct {
	Name   string // the same for all that one person may use many of: a host rather than a peer
	Friend bool   // the limits of guests are not his
}

// A Server keeps blobs. Its methods may be called from any goroutine.
type Server struct {
	config Config
	keep   keep
	asks   throttle.Set[owner]
	moves  throttle.Set[owner]
	ctx    context.Context //nolint:containedctx // it lives as long as the Server
	stop   context.CancelFunc
	work   sync.WaitGroup
	memory account.Account
	turn   chan struct{} // has room for one: whoever has put something in changes what is kept

	mu      sync.Mutex // guards what follows, and what boxes say it guards
	boxes   map[ID]*box
	callers map[owner]*caller
	streams int
	all     usage
	guests  usage
	owners  map[owner]usage
	day     day
}

// A caller is somebody who asks now, by one stream or several.
type caller struct {
	streams int
	memory  account.Account
}

// A box is one that is in use: some stream has shown its key.
type box struct {
	key ID
	set rbsr.Set

	// The Server's mu guards these.
	users   int
	used    usage
	parts   map[owner]usage
	changed chan struct{} // closed when something is new
}

// Open opens the mailbox that is in the database. The context bounds the call. The DB stays the caller's, and
// has to outlive the Server.
func Open(ctx context.Context, config Config) (*Server, error) {
	config.defaults()
	s := &Server{config: config, boxes: map[ID]*box{}, callers: map[owner]*caller{}, owners: map[owner]usage{}, turn: make(chan struct{}, 1)}
	s.asks.Every, s.asks.Burst, s.asks.Keys = time.Minute/time.Duration(config.Asks), config.Asks, maxKeys
	s.moves.Every, s.moves.Burst, s.moves.Keys = time.Minute/time.Duration(config.Moves), config.Moves, maxKeys
	s.memory.Limit = maxMemory
	if err := s.keep.open(ctx, config.DB); err != nil {
		return nil, err
	}
	if err := s.keep.used(ctx, func(who owner, u usage) { s.book(nil, who, u.bytes, u.blobs) }); err != nil {
		return nil, err
	}
	d := s.today()
	if err := s.keep.since(ctx, d.begin, func(box ID, who owner, u usage) { d.add(box, who, u.bytes, u.blobs) }); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.work.Go(s.sweep)
	return s, nil
}

// Close ends all streams and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.work.Wait()
}

// Stats are how much a mailbox keeps.
type Stats struct {
	Bytes   int64
	Blobs   int
	Streams int

	Today Quota // what was taken since the day began, by UTC
}

// Limits returns what the mailbox keeps to.
func (s *Server) Limits() Limits { return s.config.Limits }

// Stats returns how much is kept now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.today()
	return Stats{s.all.bytes, s.all.blobs, s.streams, Quota{d.all.bytes, d.all.blobs}}
}

// enter counts a stream.
func (s *Server) enter(who owner) (*caller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callers[who]
	if c == nil {
		c = &caller{memory: account.Account{Limit: maxCaller, Parent: &s.memory}}
	}
	if s.streams >= maxStreams || who.guest() && c.streams >= s.config.Streams || s.ctx.Err() != nil {
		return nil, false
	}
	s.streams++
	c.streams++
	s.callers[who] = c
	s.work.Add(1)
	return c, true
}

func (s *Server) leave(who owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
	if c := s.callers[who]; c.streams > 1 {
		c.streams--
	} else {
		delete(s.callers, who)
	}
	s.work.Done()
}

// use returns a box that is in use from now on, until it is given back.
func (s *Server) use(key ID) (*box, error) {
	give, err := s.take()
	if err != nil {
		return nil, err
	}
	defer give()
	s.mu.Lock()
	b := s.boxes[key]
	if b != nil {
		b.users++
	}
	s.mu.Unlock()
	if b != nil {
		return b, nil
	}
	n, err := s.keep.count(s.ctx, key)
	if err != nil {
		return nil, err
	}
	if !s.memory.Take(int64(n)*keyBytes, false) {
		return nil, ErrBusy
	}
	b = &box{key: key, users: 1, parts: map[owner]usage{}, changed: make(chan struct{})}
	if err := s.keep.box(s.ctx, key, func(r row) {
		b.set.Add(KeyOf(r.id))
		b.used.add(r.size, 1)
		bookIn(b.parts, r.who, r.size, 1)
	}); err != nil {
		s.memory.Give(int64(n) * keyBytes)
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boxes[key] = b
	return b, nil
}

// unuse gives a box back.
func (s *Server) unuse(b *box) {
	if b == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.users--; b.users == 0 {
		s.memory.Give(int64(b.used.blobs) * keyBytes)
		delete(s.boxes, b.key)
	}
}

// take takes the turn to change what is kept, or to read what is in a box. Who has it gives it back by calling the
// function.
func (s *Server) take() (give func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// put keeps blobs in a box, as far as there is room, and returns what has become of each. When it returns,
// what is kept is on the disk. Seen is what news has returned before; if nothing has come since but this, the one that is
// returned is not closed.
func (s *Server) put(b *box, who owner, blobs [][]byte, seen <-chan struct{}) (outcomes []byte, now <-chan struct{}, err error) {
	ids := make([]ID, len(blobs))
	for i, blob := range blobs {
		ids[i] = IDOf(blob)
	}
	give, err := s.take()
	if err != nil {
		return nil, seen, err
	}
	defer give()
	outcomes = make([]byte, len(blobs))
	n, bytes := 0, int64(0)
	s.mu.Lock()
	for i, blob := range blobs {
		if b.set.Has(KeyOf(ids[i])) || slices.Contains(ids[:n], ids[i]) {
			continue
		}
		if o := s.admit(b, who, len(blob)); o != kept {
			outcomes[i] = byte(o)
			continue
		}
		ids[n], blobs[n], bytes, n = ids[i], blob, bytes+int64(len(blob)), n+1
	}
	s.mu.Unlock()
	ids, blobs = ids[:n], blobs[:n]
	if n == 0 {
		return outcomes, seen, nil
	}
	err = s.keep.put(s.ctx, b.key, who, ids, blobs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.book(b, who, -bytes, -n)
		s.today().add(b.key, who, -bytes, -n)
		s.memory.Give(int64(n) * keyBytes)
		return nil, seen, err
	}
	for _, id := range ids {
		b.set.Add(KeyOf(id))
	}
	before := b.changed
	close(before)
	b.changed = make(chan struct{})
	if seen == before {
		seen = b.changed
	}
	return outcomes, seen, nil
}

// admit tells whether a blob is to be kept, and then books it. It is called with mu held.
func (s *Server) admit(b *box, who owner, size int) outcome {
	if o := s.room(b, who, size); o != kept {
		return o
	}
	if who.guest() && !s.moves.Allow(who) || !s.memory.Take(keyBytes, false) {
		return tooOften
	}
	s.book(b, who, int64(size), 1)
	s.today().add(b.key, who, int64(size), 1)
	return kept
}

// news returns a channel that is closed when something is put into the box.
func (s *Server) news(b *box) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return b.changed
}

// sweep deletes what has been kept long enough, until the Server is closed.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		for s.sweepSome() {
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// sweepSome tells whether there may be more to be deleted.
func (s *Server) sweepSome() bool {
	const most = 500
	give, err := s.take()
	if err != nil {
		return false
	}
	defer give()
	var rows []row
	if err := s.keep.sweep(s.ctx, time.Now().Add(-s.config.Keep), most, func(r row) { rows = append(rows, r) }); err != nil {
		return false // another try follows
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		b := s.boxes[r.box]
		s.book(b, r.who, -r.size, -1)
		if b != nil {
			b.set.Remove(KeyOf(r.id))
			s.memory.Give(keyBytes)
		}
	}
	return len(rows) == most
}
