package share

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// HoldProto is the protocol by which a sharer has others hold sealed copies.
const HoldProto = "/tenon/hold/1"

// An Offer is what a holder is told of a sealed copy, and all that it ever knows of it.
type Offer struct {
	ID       ID       // of the sharer's copies of this share; it is derived from the secret
	Access   [32]byte // shows who may have it
	Version  ID       // of what is sealed
	Manifest int64    // units of the manifest, which come first
	Pieces   int64    // and of pieces
	Bytes    int64    // of all units together
	NotAfter time.Time
	Head     []byte // the Head, sealed
}

// Units is how many there are.
func (o *Offer) Units() int64 { return o.Manifest + o.Pieces }

// HeldID names what is offered by somebody among all that a holder has.
func (o *Offer) HeldID(owner peer.ID) ID { return heldID(owner, o.ID) }

// maxSealedHead is how long a sealed Head may be.
const maxSealedHead = 256

func (o *Offer) append(b []byte) []byte {
	b = append(append(append(b, o.ID[:]...), o.Access[:]...), o.Version[:]...)
	for _, n := range []int64{o.Manifest, o.Pieces, o.Bytes} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return append(binary.AppendUvarint(b, seconds(o.NotAfter)), o.Head...)
}

func parseOffer(p []byte) (o Offer, err error) {
	f := fields{p: p}
	copy(o.ID[:], f.take(len(o.ID)))
	copy(o.Access[:], f.take(len(o.Access)))
	copy(o.Version[:], f.take(len(o.Version)))
	manifest, pieces, size := f.number(), f.number(), f.number()
	o.NotAfter = f.time()
	if f.bad || manifest < 1 || manifest > maxManifest/MaxUnit+1 || pieces > maxGroups/piece || len(f.p) > maxSealedHead {
		return o, errWire
	}
	// Every unit has at least a step, and at most what a unit can have.
	if units := manifest + pieces; size < units*sealedStep || size > units*maxUnit {
		return o, fmt.Errorf("%w: %d bytes in %d units", errWire, size, units)
	}
	o.Manifest, o.Pieces, o.Bytes = int64(manifest), int64(pieces), int64(size)
	o.Head = append(o.Head, f.p...)
	return o, nil
}

func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.Unix(), 0))
}

// time reads seconds since 1970; 0 is the zero Time.
func (f *fields) time() time.Time {
	n := f.number()
	if n > 1<<40 {
		f.bad = true
	}
	if f.bad || n == 0 {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

// What HOLD says.
const (
	holdPart byte = iota // it is held, and not all is there
	holdAll
	// and what is a HoldWhy
)

// A HoldWhy is why a holder does not hold something. The number goes over the wire.
type HoldWhy byte

// The reasons. Numbers are never used again.
const (
	HoldNotGranted HoldWhy = 2 // the holder does not hold anything for this peer
	HoldBytes      HoldWhy = 3 // it would be more than the peer may have there; Most bytes are left
	HoldShares     HoldWhy = 4 // it would be more shares than the peer may have there, which is Most
	HoldFull       HoldWhy = 5 // the holder has no room; Most bytes are left
	HoldBusy       HoldWhy = 6 // the same is being brought already, or too much at once
	HoldOver       HoldWhy = 7 // its time is over
)

// A HoldError is a holder's refusal.
type HoldError struct {
	Why  HoldWhy
	Most int64
}

func (e *HoldError) Error() string {
	switch e.Why {
	case HoldNotGranted:
		return "it does not hold shares for this node"
	case HoldBytes:
		return fmt.Sprintf("it holds no more for this node than %d bytes besides what it has", e.Most)
	case HoldShares:
		return fmt.Sprintf("it holds no more than %d shares for this node", e.Most)
	case HoldFull:
		return fmt.Sprintf("it has no room for more than %d bytes", e.Most)
	case HoldBusy:
		return "it is busy"
	case HoldOver:
		return "the time of the share is over"
	}
	return fmt.Sprintf("it does not hold it, for reason %d", byte(e.Why))
}

// held is what HOLD says.
type held struct {
	how   byte
	until time.Time // when the holder gives it up
	n     int64     // units that are there, or what a HoldError says
}

func (h held) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(b, h.how), seconds(h.until)), uint64(h.n))
}

// parseHeld reads what append has written, or returns the refusal.
func parseHeld(p []byte) (h held, err error) {
	f := fields{p: p}
	h.how, h.until = f.take(1)[0], f.time()
	n := f.number()
	if n > 1<<62 {
		f.bad = true
	}
	if err := f.end(); err != nil {
		return h, err
	}
	if h.n = int64(n); h.how > holdAll {
		return h, &HoldError{HoldWhy(h.how), h.n}
	}
	return h, nil
}
