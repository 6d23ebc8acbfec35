// Package cpace lets two who know the same short password agree on a long key, so
// that whoever listens or sits between them learns nothing and has one guess. It
// is CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21 in the initiator-responder
// setting, with the key confirmation of its section 10.4; section numbers below are
// of that document.
//
// It sends nothing and counts no guesses: package pair does.
//
//	initiator                           responder
//	Start        -- share, data A -->   Respond
//	Finish       <-- share, data B --
//	                                    each then sends Tag and
//	Confirm      <----- tags ----->     gives what it gets to Confirm
//
// A side that sends its tag first lets the other check one guess, so the side
// whose password is at stake waits for the other's tag.
package cpace

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/gtank/ristretto255"
)

// Sizes in bytes.
const (
	ShareSize = 32   // a public share, an encoded group element
	TagSize   = 64   // a confirmation tag
	KeySize   = 64   // the ISK
	MaxData   = 1024 // associated data that a message may carry
)

// dsi is the domain separation identifier of the group (section 8.3).
const dsi = "CPaceRistretto255"

// Errors about what the other side has sent.
var (
	// ErrMessage: the bytes are no message, or its share is none that an honest
	// side sends. Nothing has been learned about the password.
	ErrMessage = errors.New("not a message of CPace")

	// ErrConfirm: the other side used another password, session or channel, or
	// somebody has changed a message.
	ErrConfirm = errors.New("the other side does not know the password")

	// ErrUsed: every state serves one run (section 10.9).
	ErrUsed = errors.New("this run of CPace is over")
)

// Input is what both sides must know and have the same of. Each part may be empty
// but the password.
type Input struct {
	Password []byte // PRS
	Channel  []byte // CI: which channel this is, and who is at its ends
	Session  []byte // SID: unique, made by both sides
}

// An Initiator has sent its message and waits for the other's. It must not be
// copied, and is good for one run.
type Initiator struct {
	scalar *ristretto255.Scalar // nil once it has been used
	sid    []byte
	sent   []byte // lv_cat(Ya, ADa)
}

// Start begins a run. The message goes to the responder; data travels in it, in
// the clear, and is authenticated by the key.
func Start(in Input, data []byte) (*Initiator, []byte, error) {
	y, msg, err := share(in, data, sampleScalar())
	if err != nil {
		return nil, nil, err
	}
	return &Initiator{y, slices.Clone(in.Session), msg}, slices.Clone(msg), nil
}

// Respond answers an initiator's message with a message of its own.
func Respond(in Input, data, fromInitiator []byte) (*Unconfirmed, []byte, error) {
	return respond(in, data, fromInitiator, sampleScalar())
}

func respond(in Input, data, fromInitiator []byte, y *ristretto255.Scalar) (*Unconfirmed, []byte, error) {
	defer y.Zero()
	y, msg, err := share(in, data, y)
	if err != nil {
		return nil, nil, err
	}
	theirs, theirData, err := parse(fromInitiator)
	if err != nil {
		return nil, nil, err
	}
	k := scalarMultVfy(y, theirs)
	if k == nil { // section 7.2: B MUST abort if K = G.I
		return nil, nil, ErrMessage
	}
	return newUnconfirmed(in.Session, k, fromInitiator, msg, msg, fromInitiator, theirData), slices.Clone(msg), nil
}

// Finish takes the responder's message. The Initiator is of no use afterwards,
// whether it fails or not.
func (i *Initiator) Finish(fromResponder []byte) (*Unconfirmed, error) {
	y := i.scalar
	if y == nil {
		return nil, ErrUsed
	}
	i.scalar = nil // section 10.9: scalars MUST NOT be reused
	defer y.Zero()
	theirs, theirData, err := parse(fromResponder)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(theirs, i.sent[1:1+ShareSize]) {
		return nil, ErrMessage // our own words, sent back to us (section 10.1.2)
	}
	k := scalarMultVfy(y, theirs)
	if k == nil { // section 7.2: A MUST abort if K = G.I
		return nil, ErrMessage
	}
	return newUnconfirmed(i.sid, k, i.sent, fromResponder, i.sent, fromResponder, theirData), nil
}

// Unconfirmed holds a key of which nobody knows yet whether the other side has the
// same. It gives the key away when the other side's tag has shown that it has.
type Unconfirmed struct {
	isk, ours, theirs []byte // the key and both tags; nil once it has been used
	data              []byte
}

// newUnconfirmed derives the key from K and both messages (section 7.2), and the
// tags from the key (section 10.4).
func newUnconfirmed(sid, k, msgA, msgB, sent, got, data []byte) *Unconfirmed {
	defer clear(k)
	h := sha512.New()
	h.Write(lvCat([]byte(dsi+"_ISK"), sid, k))
	h.Write(msgA) // transcript_ir (section 6.3): a message is lv_cat(Y, AD)
	h.Write(msgB)
	isk := h.Sum(nil)

	h.Reset()
	h.Write([]byte("CPaceMac"))
	h.Write(sid)
	h.Write(isk)
	macKey := h.Sum(nil)
	defer clear(macKey)
	return &Unconfirmed{isk, tag(macKey, sent), tag(macKey, got), data}
}

func tag(macKey, msg []byte) []byte {
	m := hmac.New(sha512.New, macKey)
	m.Write(msg)
	return m.Sum(nil)
}

// Data returns the associated data of the other side, which is not authenticated
// before Confirm.
func (u *Unconfirmed) Data() []byte { return u.data }

// Tag returns what shows the other side that this one has the key, or nil after a
// Confirm that failed.
func (u *Unconfirmed) Tag() []byte { return slices.Clone(u.ours) }

// Confirm checks the other side's tag and returns the ISK, from which keys are to
// be derived (section 10.3). A second call returns [ErrUsed]: one run, one guess.
func (u *Unconfirmed) Confirm(tag []byte) ([]byte, error) {
	isk, want := u.isk, u.theirs
	if isk == nil {
		return nil, ErrUsed
	}
	u.isk, u.theirs = nil, nil
	if !hmac.Equal(tag, want) {
		clear(isk)
		clear(u.ours)
		u.ours = nil
		return nil, ErrConfirm
	}
	return isk, nil
}

// share multiplies the generator and returns the message lv_cat(Y, AD) too.
func share(in Input, data []byte, y *ristretto255.Scalar) (*ristretto255.Scalar, []byte, error) {
	switch {
	case len(in.Password) == 0:
		return nil, nil, errors.New("cpace: no password")
	case len(data) > MaxData:
		return nil, nil, errors.New("cpace: too much associated data")
	}
	g := generator(in)
	defer g.Set(ristretto255.NewIdentityElement())
	return y, lvCat(new(ristretto255.Element).ScalarMult(y, g).Bytes(), data), nil
}

// generator is calculate_generator (section 8.3).
func generator(in Input) *ristretto255.Element {
	s := generatorString(in)
	hash := sha512.Sum512(s)
	clear(s)
	defer clear(hash[:])
	g, err := ristretto255.NewIdentityElement().SetUniformBytes(hash[:])
	if err != nil {
		panic(err) // it takes 64 bytes, and 64 they are
	}
	return g
}

// generatorString is section 8.1: zeros fill the first block of the hash, so that
// its time does not tell the length of the password.
func generatorString(in Input) []byte {
	pad := max(0, sha512.BlockSize-1-len(lvCat(in.Password))-len(lvCat([]byte(dsi))))
	return lvCat([]byte(dsi), in.Password, make([]byte, pad), in.Channel, in.Session)
}

// sampleScalar is sample_scalar (section 8.3) in its second form, uniform modulo the
// order of the group: 64 random bytes reduced are that up to 2^-260. Zero, whose
// share every responder refuses, does not happen.
func sampleScalar() *ristretto255.Scalar {
	var b [64]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	defer clear(b[:])
	y, err := ristretto255.NewScalar().SetUniformBytes(b[:])
	if err != nil {
		panic(err) // it takes 64 bytes, and 64 they are
	}
	return y
}

// scalarMultVfy is scalar_mult_vfy (section 8.3), and nil where that is G.I.
func scalarMultVfy(y *ristretto255.Scalar, share []byte) []byte {
	x, err := ristretto255.NewIdentityElement().SetCanonicalBytes(share)
	if err != nil {
		return nil
	}
	k := x.ScalarMult(y, x)
	if k.Equal(ristretto255.NewIdentityElement()) == 1 {
		return nil
	}
	return k.Bytes()
}

// lvCat is lv_cat: each part after its length in LEB128 (section 6.3, appendix A.1).
func lvCat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// parse takes a message apart. There is one way only to write a message, so that
// both sides hash the same.
func parse(msg []byte) (share, data []byte, err error) {
	if len(msg) < 1+ShareSize+1 || len(msg) > 1+ShareSize+2+MaxData {
		return nil, nil, ErrMessage
	}
	share, rest := msg[1:1+ShareSize], msg[1+ShareSize:]
	n, used := binary.Uvarint(rest)
	if used <= 0 || n > MaxData || n != uint64(len(rest)-used) {
		return nil, nil, ErrMessage
	}
	data = rest[used:]
	if !bytes.Equal(lvCat(share, data), msg) {
		return nil, nil, ErrMessage
	}
	return share, slices.Clone(data), nil
}
