// Package shares is what a node shares with others and fetches from them. It joins what
// package share does between peers to directories: scan on the side that shares, stage on
// the side that fetches. It keeps on record what is shared, so that the next node of this
// user goes on with it, and decides who may have it.
//
//   - sharing.go: one share of this node. fetch.go: one that it fetches.
//   - room.go: what was said in rooms. handed.go: what was fetched there, for others.
//   - find.go: others who have what is fetched.
//   - given.go: by what others find what is here.
//   - access.go: who may take part. record.go: what is on record. describe.go: what is told.
package shares

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
)

// A Host is the node that shares and fetches. Its methods may be called at any time.
type Host interface {
	Key() *peer.Key
	Access() *peer.Access
	Network() share.Opener

	// Places returns where the node can be reached, Ticket what of it a ticket has room
	// for: addresses, relays, and what the node suggests to be called.
	Places() []string
	Ticket() (addrs, via []string, called string, err error)

	// Subject finds those whom a user means, Called what to call somebody.
	Subject(text string) (peer.Subject, error)
	Called(id peer.ID) string
	Reach(t share.Ticket) // takes note of where a ticket says that its sharer is
	CalledSubject(s peer.Subject) string

	// MayHave tells whether a peer may have what was said in a room by a message, both named by their IDs; without a
	// message, what is about to be said. CalledRoom returns what the room is called.
	MayHave(ctx context.Context, room, message string, id peer.ID) bool
	CalledRoom(room string) string

	// Stands tells whether the user is in a room, and a message there.
	Stands(ctx context.Context, room, message string) bool

	// Learnt is told where somebody may be, by from, and returns what of it is believed.
	Learnt(from, id peer.ID, addrs []string) []string

	// Near returns the paired peers that are connected, and a channel that is closed when
	// these may be others.
	Near() (ids []peer.ID, changed <-chan struct{})

	// Seek looks for others who have a share and are not paired, until stop is called; if it is
	// public, wherever it can. Found must not wait; what it is told need not be true.
	Seek(key peer.FindKey, public bool, found func(id peer.ID)) (stop func())

	// Expect is called, without a lock held, when somebody else may come than before, or Published
	// returns something else.
	Expect()

	// Whereabouts returns where others may reach a peer that this node knows, Holds how much is held for others.
	Whereabouts(id peer.ID) []string
	Holds() HoldLimits

	Tell(e api.Event)
}

// Config says how Shares are made.
type Config struct {
	Host Host
	DB   *store.DB
	Dir  string // where the hashes of what is shared are kept

	// Passing shares are there for one program: what is on record is not shared, and what
	// is shared is not taken up by a later node.
	Passing bool
}

// Shares is all that a node shares and fetches. Its methods may be called at the same time.
type Shares struct {
	Config
	hub    share.Hub
	askers throttle.Set[peer.ID]
	moved  atomic.Bool
	hint   chan struct{} // has room for one: others who have something are to be looked for
	holds  *holds
	life   context.Context
	cancel context.CancelCauseFunc
	all    sync.WaitGroup

	mu       sync.Mutex // guards what follows
	sharing  map[share.ID]*sharing
	fetching map[share.ID]*fetching
	waiting  map[share.ID]int // how many have called Share, and not Leave; one more if it went on before
	handed   []*fetching      // those of fetching that are only handed on, the oldest first
	closed   bool
}

// maxShares is how many there may be on record.
const maxShares = 1000

var errDown = errors.New("the node ends")

// New opens what is on record. What was shared is shared again, unless these are Passing.
func New(ctx context.Context, c Config) (*Shares, error) {
	s := &Shares{Config: c, sharing: map[share.ID]*sharing{}, fetching: map[share.ID]*fetching{}, waiting: map[share.ID]int{}, hint: make(chan struct{}, 1),
		askers: throttle.Set[peer.ID]{Every: askedEvery, Burst: askedBurst, Keys: 1024}}
	s.life, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	records, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.openHolds(ctx); err != nil {
		s.Close() //nolint:errcheck // it returns nil
		return nil, err
	}
	s.task(s.tellLater)
	s.task(s.seek)
	if c.Passing {
		return s, nil
	}
	for _, r := range records {
		if !r.Kept {
			continue
		}
		if _, err := s.start(r); err != nil {
			c.Host.Tell(api.Event{Type: "warning", Text: r.name() + " cannot be shared: " + err.Error()})
		}
	}
	return s, nil
}

// Handle answers for all shares; see [share.Hub.Handle].
func (s *Shares) Handle(stream transport.Stream) { s.hub.Handle(stream) }

// Close ends everything, and returns when nothing goes on any more.
func (s *Shares) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(errDown)
	s.all.Wait()
	return nil
}

// task runs f until it returns, which Close waits for. It tells whether there was time to begin.
func (s *Shares) task(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.all.Go(f)
	return true
}

// List tells of all that is shared and fetched, in the order in which it began.
func (s *Shares) List() []api.Share {
	s.mu.Lock()
	var shown []describer
	for _, x := range s.sharing {
		shown = append(shown, x)
	}
	for _, x := range s.fetching {
		shown = append(shown, x)
	}
	s.mu.Unlock()
	for _, x := range s.holds.list() {
		shown = append(shown, x)
	}
	all := []api.Share{}
	for _, x := range shown {
		all = append(all, x.describe())
	}
	slices.SortFunc(all, func(a, b api.Share) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	return all
}

// Look tells how a share of this node is now.
func (s *Shares) Look(text string) (api.Share, error) {
	x, err := s.find(text)
	if err != nil {
		return api.Share{}, err
	}
	return x.describe(), nil
}

// find finds a share of this node by its ID, the beginning of that, or its name.
func (s *Shares) find(text string) (*sharing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*sharing
	for id, x := range s.sharing {
		switch {
		case id.String() == text:
			return x, nil
		case len(text) >= 4 && strings.HasPrefix(id.String(), text), x.record.name() == text:
			found = append(found, x)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, transport.WithHint(transport.Mark(fmt.Errorf("nothing that is called %q is shared", text), api.ErrNotFound), "tenon shares lists what is")
	}
	return nil, transport.WithHint(transport.Usage(fmt.Errorf("%d shares are called %q", len(found), text)), "tenon shares lists their IDs, of which the beginning is enough")
}

// Unshare ends a share, and forgets it; or what this node holds for another. Holders are told, now or when they can be reached.
func (s *Shares) Unshare(ctx context.Context, text string) error {
	x, err := s.find(text)
	if errors.Is(err, api.ErrNotFound) {
		if was, err := s.unheld(ctx, text); was || err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(s.end(ctx, x), s.withdraw(ctx, x.record))
}

// Leave is called by who has called Share and wants the share no longer. It ends unless somebody else wants it, or it
// went on before; one of a node that is Passing stays on record, as all of its shares do.
func (s *Shares) Leave(ctx context.Context, text string) error {
	x, err := s.find(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.waiting[x.id]--
	wanted := s.waiting[x.id] > 0
	s.mu.Unlock()
	switch {
	case wanted:
		return nil
	case s.Passing:
		x.halt(ctx, errLeft)
		return nil
	}
	return errors.Join(s.end(ctx, x), s.withdraw(ctx, x.record))
}

// awaited notes that somebody wants a share, which may have gone on before.
func (s *Shares) awaited(x *sharing, before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before && s.waiting[x.id] == 0 {
		s.waiting[x.id]++
	}
	s.waiting[x.id]++
}

func (s *Shares) end(ctx context.Context, x *sharing) error {
	if err := s.drop(ctx, x.id); err != nil {
		return err
	}
	x.halt(ctx, errUnshared)
	return nil
}

// halt ends a share, and what it begins anew as.
func (x *sharing) halt(ctx context.Context, cause error) {
	for ctx = context.WithoutCancel(ctx); x != nil; x = x.next(ctx) {
		x.stop(cause)
		<-x.done
		if !errors.Is(context.Cause(x.ctx), errAnew) {
			break
		}
	}
}
