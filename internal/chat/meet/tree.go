package meet

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// What is new is pushed to all, which is the fastest, until that costs too much: then it goes along a tree, and each member
// gets it about once however many others it is connected with. Two of whom one pushes what the other has
// tell each other keys from then on. What only a key has come of in a moment is asked for, and those two push again, so the
// tree mends itself where a member is gone, slow, or keeps things to itself. (Leitão, Pereira and
// Rodrigues, Epidemic Broadcast Trees, SRDS 2007.)
const (
	patience = 500 * time.Millisecond // until what a key has come of is asked for
	gather   = 100 * time.Millisecond // until keys are told, with those that have come meanwhile
	maxHave  = 1024                   // keys in a HAVE
	maxKeys  = 4096                   // that wait, in each direction
	keySize  = 40

	spareRate, spareBurst = 4 << 10, 16 << 10 // bytes a second that may come in vain
)

// A branch is how what is new goes between the two of a session. Room.mu guards it.
type branch struct {
	lazy   bool                   // keys are told, both ways, and no events pushed
	turn   byte                   // frameLazy or frameEager, which is to be sent; 0 = none
	haves  []rbsr.Key             // to be told
	at     time.Time              // when
	offers map[rbsr.Key]time.Time // what the other side has and this one had not, and since when that is known
	ripe   time.Time              // when the first of them may be asked for
}

// prune has keys told between the two from now on if too much is pushed that was there. Somebody has to go on
// pushing.
func (x *session) prune(b *Blob, now time.Time) {
	if x.lazy || x.spare.AllowN(now, len(b.Bytes)) {
		return
	}
	for _, o := range x.room.sessions {
		if o != x && !o.lazy {
			x.lazy, x.turn = true, frameLazy
			x.kick()
			return
		}
	}
}

// graft has events pushed between the two again.
func (x *session) graft() {
	if x.lazy {
		x.lazy, x.turn = false, frameEager
		x.kick()
	}
}

// have has the keys of new events told. If there are too many to wait, they are dropped, and compared for later.
func (x *session) have(blobs []Blob) {
	if len(x.haves) == 0 {
		x.at = time.Now().Add(gather)
	}
	x.haves = append(x.haves, keysOf(blobs)...)
	if len(x.haves) > maxKeys {
		x.haves = nil
		x.behind = true
		x.compare(0)
	}
	x.kick()
}

func (x *session) tellHaves() func() error {
	part := x.haves[:min(len(x.haves), maxHave)]
	x.haves = x.haves[len(part):]
	return func() error {
		return x.frame(frameHave, func(b []byte) []byte {
			for _, k := range part {
				b = append(binary.BigEndian.AppendUint64(b, k.Time), k.ID[:]...)
			}
			return b
		})
	}
}

// takeHave notes what the other side has.
func (x *session) takeHave(p []byte) error {
	if len(p) == 0 || len(p)%keySize != 0 || len(p)/keySize > maxHave {
		return errWire
	}
	if err := x.pushed.WaitN(x.ctx, len(p)/keySize); err != nil {
		return err
	}
	r := x.room
	r.mu.Lock()
	defer r.mu.Unlock()
	index, now := r.Set.Index(), time.Now()
	for ; len(p) > 0; p = p[keySize:] {
		k := rbsr.Key{Time: binary.BigEndian.Uint64(p), ID: [32]byte(p[8:])}
		switch {
		case index.Has(k):
		case len(x.offers) == maxKeys:
			x.compare(soon)
		default:
			if len(x.offers) == 0 {
				x.offers, x.ripe = map[rbsr.Key]time.Time{}, now.Add(patience)
			}
			x.offers[k] = now
		}
	}
	x.kick()
	return nil
}

func (x *session) takeTurn(kind byte, p []byte) error {
	if len(p) > 0 {
		return errWire
	}
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	x.lazy = kind == frameLazy
	return nil
}

// ripen has what did not come in time asked for, of who has told that it has it.
func (x *session) ripen(now time.Time) {
	if len(x.offers) == 0 || now.Before(x.ripe) {
		return
	}
	index := x.room.Set.Index()
	x.ripe = now.Add(patience)
	asked := false
	for k, since := range x.offers {
		switch {
		case index.Has(k):
		case now.Sub(since) < patience:
			if at := since.Add(patience); at.Before(x.ripe) {
				x.ripe = at
			}
			continue
		default:
			asked = true
			x.needs = append(x.needs, k)
		}
		delete(x.offers, k)
	}
	if asked {
		slices.SortFunc(x.needs, rbsr.Key.Compare)
		x.needs = slices.Compact(x.needs)
		x.blocked = false
		x.graft()
	}
}
