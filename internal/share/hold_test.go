package share

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// A vault is a holder in memory.
type vault struct {
	t    *testing.T
	node *peertest.Node
	hub  Hub

	mu      sync.Mutex // guards what follows
	held    map[ID]*Held
	refuse  *HoldError
	puts    int
	spoil   func(n int64, p []byte) []byte
	dropped int
}

func (w *world) vault(name string) *vault {
	v := &vault{t: w.t, node: w.Node(name, nil), held: map[ID]*Held{}}
	stops := []func(){v.node.Serve(HoldProto, func(s transport.Stream) { HandleHold(s, v) }), v.node.Serve(Proto, v.hub.Handle)}
	w.t.Cleanup(func() {
		for _, stop := range stops {
			stop()
		}
		for _, h := range v.held {
			h.Close()
		}
		v.node.Close()
	})
	return v
}

func (v *vault) Take(from peer.ID, o Offer) (*Held, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refuse != nil {
		return nil, v.refuse
	}
	h := v.held[o.HeldID(from)]
	if h == nil || h.Version != o.Version {
		h = &Held{Offer: o, Owner: from, Self: v.node.Self(), Units: &shelf{v: v, units: map[int64][]byte{}}, Admit: func(peer.ID) bool { return true }}
		v.held[o.HeldID(from)] = h
		v.hub.Hold(h)
	}
	return h, nil
}

func (v *vault) Drop(from peer.ID, id ID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := Offer{ID: id}
	if h := v.held[o.HeldID(from)]; h != nil {
		v.hub.Hold(h)()
		v.dropped++
	}
	return nil
}

// only returns the one copy that is held.
func (v *vault) only() (h *Held, s *shelf) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h = range v.held {
		s = h.Units.(*shelf)
	}
	if len(v.held) != 1 {
		v.t.Fatalf("%d copies are held", len(v.held))
	}
	return h, s
}

type shelf struct {
	v     *vault
	mu    sync.Mutex // guards what follows
	units map[int64][]byte
	bytes int64
	whole bool
	full  error
}

func (s *shelf) Has(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[n] != nil
}

func (s *shelf) Count() (units, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.units)), s.bytes
}

func (s *shelf) Open(n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := bytes.Clone(s.units[n])
	if s.v.spoil != nil {
		p = s.v.spoil(n, p)
	}
	return io.NopCloser(bytes.NewReader(p)), nil
}

func (s *shelf) Put(n int64, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v.puts++
	if s.full != nil {
		return s.full
	}
	s.units[n] = bytes.Clone(p)
	s.bytes += int64(len(p))
	return nil
}

func (s *shelf) Whole() error { s.whole = true; return nil }

func (s *shelf) Until() time.Time { return time.Now().Add(time.Hour) }

// hold has a vault hold what a party shares, and compares what it was told.
func (p *party) hold(v *vault) {
	p.t.Helper()
	var last Deposited
	if err := p.Deposit(p.t.Context(), p.node, v.node.Self(), time.Time{}, func(d Deposited) { last = d }); err != nil {
		p.t.Fatal(err)
	}
	h, s := v.only()
	n, size := s.Count()
	if !last.All || last.Units != n || last.Of != n || h.Offer.Units() != n || h.Bytes != size || !s.whole || last.Until.IsZero() {
		p.t.Errorf("the sharer is told %+v of %d units, %d bytes, and of %+v", last, n, size, h.Offer)
	}
}

// getter makes a party that knows of holders.
func (w *world) getter(name string, holders ...*vault) *party {
	return w.party(name, func(c *Config) {
		for _, v := range holders {
			c.Holders = append(c.Holders, v.node.Self())
		}
	})
}

// getHeld has a party join the holders alone, until ctx ends.
func (p *party) getHeld(ctx context.Context) {
	p.working.Add(1)
	go func() {
		defer p.working.Done()
		p.Join(ctx, p.node, p.Holders...)
	}()
}

// What is held is got in full when its sharer is gone, whatever the sizes.
func TestHeld(t *testing.T) {
	for name, sizes := range map[string][]int64{
		"an empty file":               {0},
		"a byte":                      {1},
		"some of each":                {0, 1, group - 1, group, group + 1, 0, 10*group + 7, 5, 64 * group, 0},
		"pieces that end with files":  {64 * group, 64 * group, 32 * group, 32 * group},
		"one that is large":           {130*group + 5},
		"many that are small":         slices.Repeat([]int64{100, 200, 300}, 300),
		"a manifest of several units": slices.Repeat([]int64{1}, fewer(t, 90_000, 6_000)),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a, v := w.share(sizes...), w.vault("holder")
				w.Delay(a.node, v.node, 20*time.Millisecond)
				a.hold(v)
				a.Close()
				a.node.Close()
				b := w.getter("getter", v)
				w.Delay(b.node, v.node, 20*time.Millisecond)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				b.getHeld(ctx)
				b.wait(a)
				if lost := b.Traffic().Lost; lost > 0 {
					t.Errorf("%d groups came twice", lost)
				}
				stop()
			})
		})
	}
}

// Nothing that a holder has tells anything of what is in it, nor is it the same twice.
func TestHeldSealed(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v, other := w.share(3*group, 100), w.vault("holder"), w.vault("other")
		a.hold(v)
		a.hold(other)
		h, s := v.only()
		_, s2 := other.only()
		for n, p := range s.units {
			if bytes.Equal(p, s2.units[n]) {
				t.Errorf("unit %d is sealed twice the same", n)
			}
			if len(p)%sealedStep != 0 {
				t.Errorf("unit %d has %d bytes", n, len(p))
			}
			for _, secret := range [][]byte{[]byte("file 0"), a.store.files[0].data[:64], a.store.files[1].data[:32], a.Root[:], a.ID[:]} {
				if bytes.Contains(p, secret) || bytes.Contains(h.Head, secret) {
					t.Errorf("%q is in unit %d, or in the head", secret, n)
				}
			}
		}
		if bytes.Contains(h.Access[:], a.Secret) || h.ID == a.ID {
			t.Error("the holder knows the secret, or the share")
		}
	})
}

// The same share twice, with one change at a time that a holder could make: each is found out, and the holder is
// not asked any more; and what is wanted comes from another.
func TestHostileHolders(t *testing.T) {
	const frame = sealedMost
	for name, spoil := range map[string]func(w *world, s *shelf, n int64, p []byte) []byte{
		"a bit of a nonce":     func(_ *world, _ *shelf, n int64, p []byte) []byte { p[3] ^= 1; return p },
		"a bit of a frame":     func(_ *world, _ *shelf, n int64, p []byte) []byte { p[len(p)/2] ^= 1; return p },
		"a bit of the padding": func(_ *world, _ *shelf, n int64, p []byte) []byte { p[len(p)-17] ^= 1; return p },
		"a bit of the tag":     func(_ *world, _ *shelf, n int64, p []byte) []byte { p[len(p)-1] ^= 1; return p },
		"zeros":                func(_ *world, _ *shelf, n int64, p []byte) []byte { return make([]byte, len(p)) },
		"frames exchanged": func(_ *world, _ *shelf, n int64, p []byte) []byte {
			return slices.Concat(p[frame:2*frame], p[:frame], p[2*frame:])
		},
		"a frame left out": func(_ *world, _ *shelf, n int64, p []byte) []byte { return p[frame:] },
		"a frame twice": func(_ *world, _ *shelf, n int64, p []byte) []byte {
			return slices.Concat(p[:frame], p[:frame], p[frame:])
		},
		"another unit": func(_ *world, s *shelf, n int64, p []byte) []byte { return s.units[1+n%2] },
		"a unit of the manifest": func(_ *world, s *shelf, n int64, p []byte) []byte {
			return slices.Concat(s.units[0], p[len(s.units[0]):])
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a, v, good := w.share(slices.Concat([]int64{5 * group}, slices.Repeat([]int64{1}, 59), []int64{5 * group})...), w.vault("holder"), w.vault("good")
				a.hold(v)
				a.hold(good)
				_, s := v.only()
				v.spoil = func(n int64, p []byte) []byte {
					if n == 0 {
						return p
					}
					return spoil(w, s, n, p)
				}
				b := w.getter("getter", v, good)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				a.Close()
				a.node.Close()
				go b.Join(ctx, b.node, v.node.Self())
				time.Sleep(10 * time.Second)            // of virtual time
				if have, _ := b.Have(); have >= piece { // what precedes the change is right
					t.Errorf("%d groups came of what was changed", have)
				}
				if e, ok := b.heard(Banned); !ok || e.Peer != v.node.Self() || e.File == "" || !errors.Is(e.Err, tree.ErrWrongData) {
					t.Errorf("the getter was told %+v", e)
				}
				if banned := b.Status().Banned; len(banned) != 1 || banned[0].Peer != v.node.Self() {
					t.Errorf("%+v are banned", banned)
				}
				go b.Join(ctx, b.node, good.node.Self())
				b.wait(a)
				stop()
				b.Close()
			})
		})
	}
}

// A unit that is cut short, and a manifest that is another one's, are of no use, and do no harm.
func TestTruncatingHolder(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(200*group), w.vault("holder")
		a.hold(v)
		v.spoil = func(n int64, p []byte) []byte {
			if n > 0 {
				p = p[:2*sealedMost]
			}
			return p
		}
		b := w.getter("getter", v)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.getHeld(ctx)
		time.Sleep(time.Minute) // of virtual time
		if e, ok := b.heard(Left); !ok || !errors.Is(e.Err, errWire) {
			t.Errorf("the getter was told %+v", e)
		}
		if have, of := b.Have(); have == of {
			t.Error("all of it is there")
		}
		b.get(ctx, a) // the sharer comes back
		b.wait(a)
		stop()
	})
}

// A holder that serves an older version than the ticket has the root of is not asked for it; and when the sharer is
// there, what it says is the latest.
func TestReplayingHolder(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(100*group, 5), w.vault("holder")
		a.hold(v)
		a.Close()
		next := &party{t: t, node: a.node, store: new(memory), said: make(chan Event, 1000)}
		next.Share = New(Config{Self: a.Self, Sharer: a.Self, ID: a.ID, Secret: secret, Store: next.store})
		blocks := next.store.fill(100*group, 7)
		for i, b := range blocks {
			if err := next.Add(b, i == len(blocks)-1, a.node.Key().SignAs); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { next.Close() })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		fixed := w.party("fixed", func(c *Config) { c.Root, c.Holders = next.Root, []peer.ID{v.node.Self()} })
		fixed.getHeld(ctx)
		time.Sleep(time.Minute) // of virtual time
		if have, of := fixed.Have(); have+of > 0 {
			t.Errorf("%d of %d groups of an older version are there", have, of)
		}
		if len(fixed.Status().Banned) > 0 {
			t.Error("an older version is not a lie")
		}
		a.unserve()
		var hub Hub
		hub.Put(next.Share)
		t.Cleanup(a.node.Serve(Proto, hub.Handle))
		fixed.get(ctx, next)
		fixed.wait(next)

		// Who offers another version holds that alone.
		next.hold(v)
		b := w.getter("getter", v)
		b.getHeld(ctx)
		b.wait(next)
		stop()
	})
}

// What one has of a share that it fetched from elsewhere is not asked for again, and what is not wanted is not written.
func TestHeldInPart(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(slices.Repeat([]int64{group / 2, 3 * group}, 40)...), w.vault("holder")
		a.hold(v)
		b := w.getter("getter", v)
		b.Store = picky{b.store}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.getHeld(ctx)
		select {
		case <-b.Over():
		case <-time.After(time.Hour):
		}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		for n, f := range b.store.files {
			if n%2 == 0 && len(f.data) > 0 {
				t.Errorf("file %d is there", n)
			}
			if n%2 == 1 && !bytes.Equal(f.data, a.store.files[n].data) {
				t.Errorf("file %d differs", n)
			}
		}
		_, s := v.only()
		if up, _ := v.held[heldID(a.Self, mustSeal(t, a.Share).id)].Sent(); up > s.bytes+s.bytes/10 {
			t.Errorf("%d bytes were sent of %d", up, s.bytes)
		}
		stop()
	})
}

// picky wants every other file.
type picky struct{ *memory }

func (p picky) Learn(x manifest.Index, _, skip func(tree.Run)) error {
	at := int64(0)
	for n, e := range x.From(0) {
		groups := tree.Shape(e.Size).Groups()
		if n%2 == 0 {
			skip(tree.Run{From: at, To: at + groups})
		}
		at += groups
	}
	return nil
}

func (p picky) Open(n int, e manifest.Entry) (Blob, error) {
	if n%2 == 0 {
		return nil, errors.New("it is not wanted")
	}
	return p.memory.Open(n, e)
}

func mustSeal(t *testing.T, s *Share) *seal {
	t.Helper()
	k, err := newSeal(s.ID, s.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Who passes a share on and has room for a part of it gets it in order, each piece about once.
func TestHeldPassing(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(5*group, 300*group+7, 3), w.vault("holder")
		a.hold(v)
		h, s := v.only()
		b := w.party("getter", func(c *Config) { c.Holders, c.Passing = []peer.ID{v.node.Self()}, true })
		w.Delay(b.node, v.node, 20*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.getHeld(ctx)
		for until := int64(32); ; {
			b.Until(until)
			select {
			case <-b.Over():
			case <-time.After(10 * time.Millisecond):
				b.mu.Lock()
				next := b.picker.firstLacking()
				b.mu.Unlock()
				until = max(until, next/32*32+256)
				continue
			}
			break
		}
		b.wait(a)
		if up, _ := h.Sent(); up > 2*s.bytes {
			t.Errorf("%d bytes were sent of %d", up, s.bytes)
		}
		stop()
	})
}

// Who has fetched all, or asks for nothing for long, is let go without a word.
func TestHeldIdle(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(5), w.vault("holder")
		a.hold(v)
		b := w.getter("getter", v)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.getHeld(ctx)
		b.wait(a)
		time.Sleep(2 * idle) // of virtual time
		if e, ok := b.heard(Left); !ok || e.Err != nil {
			t.Errorf("the getter was told %+v", e)
		}
		stop()
	})
}

// A holder and the sharer together are asked for different parts.
func TestHeldAndShared(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		w.limited = 4 << 20
		a, v := w.share(400*group, 100*group, 70), w.vault("holder")
		a.hold(v)
		before := a.Traffic().Sent
		b := w.getter("getter", v)
		for _, n := range []*peertest.Node{a.node, v.node} {
			w.Delay(b.node, n, 20*time.Millisecond)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		b.getHeld(ctx)
		b.wait(a)
		held := v.held[heldID(a.Self, mustSeal(t, a.Share).id)]
		if up, _ := held.Sent(); a.Traffic().Sent == before || up == 0 {
			t.Errorf("the sharer has sent %d groups, the holder %d bytes", a.Traffic().Sent-before, up)
		}
		if got, _ := b.Have(); b.Traffic().Lost > got/4 {
			t.Errorf("%d of %d groups came twice", b.Traffic().Lost, got)
		}
		stop()
	})
}

// A deposit that was interrupted goes on where it was; what is there is not sent again.
func TestDepositResumes(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(400*group), w.vault("holder")
		w.Delay(a.node, v.node, 20*time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		err := a.Deposit(ctx, a.node, v.node.Self(), time.Time{}, func(d Deposited) {
			if d.Units == 3 {
				stop()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted deposit ends with %v", err)
		}
		b := w.getter("getter", v) // it gets what is there
		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		b.getHeld(ctx)
		time.Sleep(time.Minute) // of virtual time
		if have, of := b.Have(); have < 2*piece || have == of {
			t.Errorf("%d of %d groups were got from a part", have, of)
		}
		a.hold(v)
		if h, _ := v.only(); v.puts > int(h.Offer.Units())+aheadUnits {
			t.Errorf("%d units were brought, of %d", v.puts, h.Offer.Units())
		}
		b.wait(a)
		stop()
	})
}

// Who has not the secret, or another one, is told that there is no such share, as of any other.
func TestHeldRefused(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(1, 2, 3), w.vault("holder")
		a.hold(v)
		holders := []peer.ID{v.node.Self()}
		for name, change := range map[string]func(*Config){
			"another secret": func(c *Config) { c.Secret = []byte("another secret..") },
			"another share":  func(c *Config) { c.ID[3]++ },
			"another sharer": func(c *Config) { c.Sharer = v.node.Self() },
		} {
			b := w.party(name, func(c *Config) { c.Holders = holders; change(c) })
			if err := b.Ask(t.Context(), b.node, v.node.Self()); !errors.Is(err, ErrGone) {
				t.Errorf("%s: %v", name, err)
			}
		}
		b := w.party("none", func(c *Config) { c.Holders, c.Secret = holders, nil })
		if err := b.Ask(t.Context(), b.node, v.node.Self()); !errors.Is(err, errNoSecret) {
			t.Errorf("without a secret: %v", err)
		}
		h, _ := v.only() // another holder knows the access, and gets what it could have anyway
		h.Admit = func(peer.ID) bool { return false }
		b = w.getter("blocked", v)
		if err := b.Ask(t.Context(), b.node, v.node.Self()); !errors.Is(err, ErrGone) {
			t.Errorf("who is not admitted: %v", err)
		}
		if err := Withdraw(t.Context(), b.node, v.node.Self(), a.ID, a.Secret); err != nil || v.dropped != 0 {
			t.Errorf("somebody else has a share dropped: %v, %d", err, v.dropped)
		}
		if err := Withdraw(t.Context(), a.node, v.node.Self(), a.ID, a.Secret); err != nil || v.dropped != 1 {
			t.Errorf("its sharer has a share dropped: %v, %d", err, v.dropped)
		}
	})
}

// A deposit says why it fails: what the holder says, and which file is not what was shared.
func TestDepositFails(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, v := w.share(1, 2, 3*group), w.vault("holder")
		nothing := func(Deposited) {}
		v.refuse = &HoldError{HoldBytes, 12345}
		var refused *HoldError
		if err := a.Deposit(t.Context(), a.node, v.node.Self(), time.Time{}, nothing); !errors.As(err, &refused) || *refused != *v.refuse {
			t.Errorf("refused: %v", err)
		}
		v.refuse = nil
		a.store.files[2].data[group] ^= 1
		if err := a.Deposit(t.Context(), a.node, v.node.Self(), time.Time{}, nothing); !errors.Is(err, tree.ErrChanged) {
			t.Errorf("a file that has changed: %v", err)
		}
		synctest.Wait() // until the holder has heard of it, it is busy
		a.store.files[2].data[group] ^= 1
		h, s := v.only()
		s.full = &HoldError{HoldFull, 678}
		if err := a.Deposit(t.Context(), a.node, v.node.Self(), time.Time{}, nothing); !errors.As(err, &refused) || refused.Most != 678 {
			t.Errorf("a holder whose disk is full: %v", err)
		}
		synctest.Wait()
		s.full = errors.New("it is broken")
		if err := a.Deposit(t.Context(), a.node, v.node.Self(), time.Time{}, nothing); err == nil {
			t.Error("a holder whose disk is broken has all")
		}
		s.full = nil
		h.Close()
		if err := a.Deposit(t.Context(), a.node, v.node.Self(), time.Time{}, nothing); err == nil {
			t.Error("a holder that has ended has all")
		}
		b := w.party("growing", nil)
		if err := b.Deposit(t.Context(), b.node, v.node.Self(), time.Time{}, nothing); !errors.Is(err, errNotWhole) {
			t.Errorf("a share that is not known: %v", err)
		}
	})
}

// A sharer that sends more than it has offered, or what is no unit, or nothing, has nothing more held, and what it
// has sent is bounded.
func TestHostileDepositors(t *testing.T) {
	offer := Offer{ID: ID{1}, Manifest: 1, Pieces: 2, Bytes: 3 * sealedStep, Head: []byte("head")}
	unitOf := func(n uint64, size int) []byte {
		return slices.Concat(frame(frameData, make([]byte, size)...), frame(frameEnd, numbers(n, endAll)...))
	}
	for name, test := range map[string]struct {
		frames []byte
		most   int // units that are taken
	}{
		"more than was offered":    {slices.Concat(unitOf(0, sealedStep), unitOf(1, 3*sealedStep)), 1},
		"an endless unit":          {bytes.Repeat(frame(frameData, make([]byte, sealedMost)...), 100), 0},
		"an empty unit":            {frame(frameEnd, numbers(0, endAll)...), 0},
		"half a step":              {unitOf(0, 100), 0},
		"another unit":             {unitOf(1, sealedStep), 0},
		"a unit that cannot be":    {frame(frameEnd, numbers(0, endCannot)...), 0},
		"a frame that is too long": {[]byte{frameData, 0xff, 0xff, 0xff}, 0},
		"unknown frames":           {bytes.Repeat(frame(99, 1, 2, 3), 1000), 0},
		"nothing":                  {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				v, bad := w.vault("holder"), w.Node("bad", nil)
				defer bad.Close()
				s, err := bad.Open(t.Context(), v.node.Self(), HoldProto)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					s.Write(closeFrame(offer.append(appendFrame(nil, frameOffer, 0)))) //nolint:errcheck // the read shows it
					s.Write(test.frames)                                               //nolint:errcheck // the read shows it
				}()
				began := time.Now()
				io.Copy(io.Discard, s) //nolint:errcheck // it ends, however
				if d := time.Since(began); d > 2*holdSilence {
					t.Errorf("it took %v", d)
				}
				s.Close() //nolint:errcheck // it is over
				if v.puts > test.most {
					t.Errorf("%d units were taken", v.puts)
				}
				synctest.Wait()
				h, shelf := v.only()
				h.mu.Lock()
				defer h.mu.Unlock()
				if shelf.whole || h.taking {
					t.Error("it is whole, or goes on")
				}
			})
		})
	}
}

// Offers that nobody makes are refused before anything is taken up.
func TestOffers(t *testing.T) {
	good := Offer{ID: ID{1}, Access: [32]byte{2}, Version: ID{3}, Manifest: 1, Pieces: 5, Bytes: 6 * sealedStep, NotAfter: time.Unix(1<<31, 0).UTC(), Head: []byte("head")}
	if got, err := parseOffer(good.append(nil)); err != nil || !slices.Equal(got.append(nil), good.append(nil)) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, change := range map[string]func(*Offer){
		"no manifest":          func(o *Offer) { o.Manifest = 0 },
		"a great manifest":     func(o *Offer) { o.Manifest, o.Bytes = 1<<40, 1<<60 },
		"too many pieces":      func(o *Offer) { o.Pieces, o.Bytes = 1<<40, 1<<60 },
		"fewer bytes than can": func(o *Offer) { o.Bytes-- },
		"more bytes than can":  func(o *Offer) { o.Bytes = 6*maxUnit + 1 },
		"a long head":          func(o *Offer) { o.Head = make([]byte, maxSealedHead+1) },
	} {
		o := good
		change(&o)
		if _, err := parseOffer(o.append(nil)); !errors.Is(err, errWire) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good.append(nil) {
		if n >= 64 && n < len(good.append(nil))-len(good.Head) {
			continue
		}
		if _, err := parseOffer(good.append(nil)[:n]); err == nil && n < 64 {
			t.Errorf("the first %d bytes are an offer", n)
		}
	}
}

// An offer that is read is written as it was.
func FuzzOffer(f *testing.F) {
	good := Offer{ID: ID{1}, Manifest: 1, Pieces: 5, Bytes: 6 * sealedStep, NotAfter: time.Unix(1<<31, 0), Head: []byte("head")}
	f.Add(good.append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		if o, err := parseOffer(p); err == nil && !bytes.Equal(o.append(nil), p) {
			t.Errorf("%x is written as %x", p, o.append(nil))
		}
		if h, err := parseHeld(p); err == nil && !bytes.Equal(h.append(nil), p) {
			t.Errorf("%x is written as %x", p, h.append(nil))
		}
	})
}

// Whatever a stranger does at the protocol of holders ends soon.
func TestHoldStrangers(t *testing.T) {
	peertest.Hostile(t, 2*holdSilence, func(s transport.Stream) {
		HandleHold(s, refusing{})
	}, nil)
}

type refusing struct{}

func (refusing) Take(peer.ID, Offer) (*Held, error) { return nil, &HoldError{Why: HoldNotGranted} }
func (refusing) Drop(peer.ID, ID) error             { return nil }

// A holder that asks, or says what only a sharer can say, is told nothing.
func TestCuriousHolder(t *testing.T) {
	for name, frames := range map[string][]byte{
		"a question":          frame(frameWant, numbers(1, 0, 1, 0)...),
		"about the manifest":  frame(frameManifest, numbers(1, 100, 0, 1)...),
		"for anything":        frame(frameAny, numbers(1, 5)...),
		"a head":              frame(frameHead, Head{Size: 5}.Append(nil)...),
		"data":                frame(frameData, make([]byte, 100)...),
		"a head that is none": frame(frameSeal, make([]byte, 100)...),
		"an answer":           frame(frameAnswer, numbers(1, 0, 4)...),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a, v := w.share(3*group), w.vault("holder")
				a.hold(v)
				h, _ := v.only()
				curious := w.Node("curious", nil)
				defer curious.Close()
				said := make(chan []byte, 1)
				stop := curious.Serve(Proto, func(s transport.Stream) {
					defer s.Close() //nolint:errcheck // it is over
					id := h.HeldID(h.Owner)
					from, _ := peer.Of(s)
					s.Write(closeFrame(hello{id, prove(h.Access[:], id, curious.Self(), from)}.append(appendFrame(nil, frameHello, 0)))) //nolint:errcheck // the read shows it
					if kind := frames[0]; kind != frameSeal {
						s.Write(append(appendFrame(nil, frameSeal, len(h.Head)), h.Head...)) //nolint:errcheck // the read shows it
					}
					s.Write(frames)         //nolint:errcheck // the read shows it
					all, _ := io.ReadAll(s) //nolint:errcheck // it is cut
					said <- all
				})
				defer stop()
				b := w.party("getter", func(c *Config) { c.Holders = []peer.ID{curious.Self()} })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				b.get(ctx, a)
				b.wait(a)
				if err := b.Ask(ctx, b.node, curious.Self()); err == nil {
					t.Error("that goes well")
				}
				all := <-said
				for len(all) > 0 { // nothing but the proof that the getter has the secret, and questions
					n := int(binary.BigEndian.Uint32(all[:4]) & 0xffffff)
					if kind := all[0]; kind != frameHello && kind != frameWant && kind != frameManifest {
						t.Errorf("the holder is told a frame %d of %d bytes", kind, n)
					}
					all = all[frameHeadN+n:]
				}
				cancel()
			})
		})
	}
}
