package shares

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/shelf"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
)

// A node holds sealed copies for peers of whom its user has said so: it can read nothing of them, and hands them to
// whoever shows that it has the ticket. What it knows of a copy is on record, its units are on shelves.

// HoldLimits are how much is held: of each peer, and in all. Bytes are those on disk.
type HoldLimits struct {
	Bytes, PeerBytes   int64
	Shares, PeerShares int
	Time               time.Duration // a copy that is whole is kept so long after its sharer has last been heard of
}

const (
	unfinished = 24 * time.Hour // how long a copy is kept that is not whole, after more of it has come
	spareDisk  = 256 << 20      // bytes that are left free
	maxBrought = 4              // copies that are brought at once: 8 MiB of memory each
	tidyTime   = time.Minute
)

// A holding is a copy that is held.
type holding struct {
	*shelf.Shelf
	of   *holds
	held *share.Held
	drop func() // has nobody find it

	mu     sync.Mutex // guards what follows
	record holdRecord
}

// holds are all that is held. They are a [share.Vault].
type holds struct {
	of     *Shares
	dir    string
	offers throttle.Set[peer.ID]
	turn   chan struct{} // has room for one, who changes what is held: that waits for disks

	mu  sync.Mutex // guards what follows
	all map[share.ID]*holding
}

// openHolds takes up what is on record. A copy whose record is gone is removed.
func (s *Shares) openHolds(ctx context.Context) error {
	h := &holds{of: s, dir: filepath.Join(s.Dir, "held"), turn: make(chan struct{}, 1), all: map[share.ID]*holding{},
		offers: throttle.Set[peer.ID]{Every: 10 * time.Second, Burst: 100, Keys: 1000}}
	s.holds = h
	records, err := s.loadHolds(ctx)
	if err != nil || s.Passing {
		return err
	}
	known := map[string]bool{}
	for _, r := range records {
		x, err := h.start(r)
		if err != nil {
			s.Host.Tell(api.Event{Type: "warning", Text: "what is held for " + s.Host.Called(r.Owner) + " cannot be: " + err.Error()})
			continue
		}
		known[filepath.Base(x.dir())] = true
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			os.RemoveAll(filepath.Join(h.dir, e.Name())) //nolint:errcheck // it takes room, and does no other harm
		}
	}
	s.task(h.tidy)
	return nil
}

// HandleHold answers who has copies held; see [share.HandleHold].
func (s *Shares) HandleHold(stream transport.Stream) { share.HandleHold(stream, s.holds) }

// lock waits for the turn.
func (h *holds) lock() (unlock func()) {
	h.turn <- struct{}{}
	return func() { <-h.turn }
}

// Take implements [share.Vault].
func (h *holds) Take(from peer.ID, o share.Offer) (*share.Held, error) {
	if h.of.Passing || !h.of.Host.Access().MayHold(from) {
		return nil, &share.HoldError{Why: share.HoldNotGranted}
	}
	if !h.offers.Allow(from) {
		return nil, &share.HoldError{Why: share.HoldBusy}
	}
	defer h.lock()()
	if h.of.life.Err() != nil {
		return nil, errDown
	}
	now := time.Now()
	if !o.NotAfter.IsZero() && !o.NotAfter.After(now) {
		return nil, &share.HoldError{Why: share.HoldOver}
	}
	h.mu.Lock()
	was := h.all[o.HeldID(from)]
	h.mu.Unlock()
	if was != nil && was.held.Version == o.Version {
		return was.held, was.renew(now)
	}
	if err := h.fits(from, o); err != nil {
		return nil, err
	}
	r := holdRecord{Owner: from, Offer: o, Since: now}
	r.Until = h.until(r, now)
	if was != nil { // who fetches it begins anew
		h.stop(was)
		os.RemoveAll(was.dir()) //nolint:errcheck // it takes room until the next start, and does no other harm
	}
	if err := h.of.putHold(h.of.life, r); err != nil {
		return nil, err
	}
	x, err := h.start(r)
	if err != nil {
		return nil, err
	}
	h.of.Host.Expect()
	return x.held, nil
}

// until returns when a copy is given up of which nothing more is heard.
func (h *holds) until(r holdRecord, now time.Time) time.Time {
	d := unfinished
	if r.Whole {
		d = h.of.Host.Holds().Time
	}
	until := now.Add(d)
	if end := r.Offer.NotAfter; !end.IsZero() && end.Before(until) {
		until = end
	}
	return until.Truncate(time.Second)
}

// fits looks whether there is room for what is offered, in place of what is held of the same share.
func (h *holds) fits(from peer.ID, o share.Offer) error {
	l := h.of.Host.Holds()
	var bytes, missing, own int64
	shares, ownShares, brought := 0, 0, 0
	h.mu.Lock()
	for id, x := range h.all {
		_, there := x.Count()
		if id == o.HeldID(from) {
			missing -= there // which makes room
			continue
		}
		bytes, shares, missing = bytes+x.held.Bytes, shares+1, missing+x.held.Bytes-there
		if x.held.Owner == from {
			own, ownShares = own+x.held.Bytes, ownShares+1
		}
		if x.held.Busy() {
			brought++
		}
	}
	h.mu.Unlock()
	free := h.free() - missing
	switch {
	case brought >= maxBrought:
		return &share.HoldError{Why: share.HoldBusy}
	case ownShares >= l.PeerShares:
		return &share.HoldError{Why: share.HoldShares, Most: int64(l.PeerShares)}
	case shares >= l.Shares:
		return &share.HoldError{Why: share.HoldFull}
	case o.Bytes > l.PeerBytes-own:
		return &share.HoldError{Why: share.HoldBytes, Most: max(l.PeerBytes-own, 0)}
	case o.Bytes > min(l.Bytes-bytes, free):
		return &share.HoldError{Why: share.HoldFull, Most: max(min(l.Bytes-bytes, free), 0)}
	}
	return nil
}

// free returns how many bytes may be written to the disk.
func (h *holds) free() int64 {
	free, err := stage.FreeSpace(h.of.Dir)
	if err != nil {
		return 1 << 62 // nobody can tell
	}
	return free - spareDisk
}

// start has a copy found by others, and by who brings it. It is called by who has the turn.
func (h *holds) start(r holdRecord) (*holding, error) {
	x := &holding{of: h, record: r}
	x.held = &share.Held{Offer: r.Offer, Owner: r.Owner, Self: h.of.Host.Key().ID(), Units: x, Admit: h.admits}
	var err error
	if x.Shelf, err = shelf.Open(x.dir()); err != nil {
		return nil, err
	}
	x.drop = h.of.hub.Hold(x.held)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[x.id()] = x
	return x, nil
}

func (x *holding) id() share.ID { return x.held.HeldID(x.held.Owner) }

func (x *holding) dir() string {
	return filepath.Join(x.of.dir, x.id().String()+"-"+x.held.Version.String())
}

// admits decides who may have what is held, of those who have its ticket.
func (h *holds) admits(id peer.ID) bool {
	a := h.of.Host.Access()
	return !a.IsSelf(id) && !a.Blocked[id]
}

// Put implements [share.Units]. The disk is never filled up.
func (x *holding) Put(n int64, p []byte) error {
	if free := x.of.free(); free < int64(len(p)) {
		return &share.HoldError{Why: share.HoldFull, Most: max(free, 0)}
	}
	return x.Shelf.Put(n, p)
}

// Whole implements [share.Units].
func (x *holding) Whole() error {
	if err := x.Sync(); err != nil {
		return err
	}
	x.mu.Lock()
	x.record.Whole = true
	x.mu.Unlock()
	return x.renew(time.Now())
}

// renew notes that its sharer has been heard of.
func (x *holding) renew(now time.Time) error {
	x.mu.Lock()
	x.record.Until = x.of.until(x.record, now)
	r := x.record
	x.mu.Unlock()
	return x.of.of.putHold(x.of.of.life, r)
}

// Until implements [share.Units].
func (x *holding) Until() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.record.Until
}

// stop ends what goes on with a copy. What is on disk and on record stays. It is called by who has the turn.
func (h *holds) stop(x *holding) {
	x.drop()
	x.held.Close()
	x.Close() //nolint:errcheck // a directory
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all[x.id()] == x {
		delete(h.all, x.id())
	}
}

// remove has a copy held no more. It is called by who has the turn.
func (h *holds) remove(x *holding) error {
	h.stop(x)
	err := h.of.dropHold(context.WithoutCancel(h.of.life), x.id())
	return errors.Join(err, os.RemoveAll(x.dir()))
}

// Drop implements [share.Vault].
func (h *holds) Drop(from peer.ID, id share.ID) error {
	o := share.Offer{ID: id}
	return h.end(o.HeldID(from), from)
}

// end has a copy held no more that somebody has brought; nobody is anybody.
func (h *holds) end(id share.ID, owner peer.ID) error {
	defer h.lock()()
	h.mu.Lock()
	x := h.all[id]
	h.mu.Unlock()
	if x == nil || !owner.IsZero() && x.held.Owner != owner {
		return nil
	}
	err := h.remove(x)
	h.of.Host.Tell(api.Event{Type: "share", Peer: x.held.Owner.String(), Text: "what was held for " + h.of.Host.Called(x.held.Owner) + " is not held any more"})
	h.of.Host.Expect()
	return err
}

// tidy gives up what is over, until the node ends.
func (h *holds) tidy() {
	tick := time.NewTicker(tidyTime)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.giveUp(now)
		case <-h.of.life.Done():
			defer h.lock()()
			for _, x := range h.list() {
				h.stop(x)
			}
			return
		}
	}
}

// giveUp removes what is over.
func (h *holds) giveUp(now time.Time) {
	for _, x := range h.list() {
		if now.After(x.Until()) && !x.held.Busy() {
			if err := h.end(x.id(), peer.ID{}); err != nil {
				h.of.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
			}
		}
	}
}

// Held returns how many copies are held, and their bytes.
func (s *Shares) Held() (shares int, bytes int64) {
	for _, x := range s.holds.list() {
		shares, bytes = shares+1, bytes+x.held.Bytes
	}
	return shares, bytes
}

// some tells whether there is anything.
func (h *holds) some() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) > 0
}

func (h *holds) list() (all []*holding) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.all {
		all = append(all, x)
	}
	return all
}

// describe tells what is held for whom.
func (x *holding) describe() api.Share {
	units, bytes := x.Count()
	x.mu.Lock()
	r := x.record
	x.mu.Unlock()
	d := api.Share{ID: x.id().String(), Name: "sealed", State: api.ShareHeld, Owner: x.of.of.Host.Called(r.Owner), Since: r.Since, NotAfter: r.Until,
		Bytes: r.Offer.Bytes, Have: bytes}
	if r.Whole && units == r.Offer.Units() {
		d.Have = d.Bytes
	}
	d.Sent, d.SentPS = x.held.Sent()
	return d
}
