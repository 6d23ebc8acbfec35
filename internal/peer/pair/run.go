package pair

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/cpace"
)

// Sizes in the protocol.
const (
	version    = 1
	nonceSize  = 16
	helloSize  = 2 + nonceSize
	proofSize  = 32
	maxSaid    = 64                      // bytes of a suggested name
	plainSize  = 32 + 64 + 1 + maxSaid   // ID, signature, length and name
	sealedSize = plainSize + tagSize     // and the tag of AES-GCM
	labelKeys  = "tenon pairing 1 keys " // and the role
	labelProof = "tenon pairing 1 proof"
	labelWords = "tenon pairing 1 words"
)

// A run is one attempt on one connection.
type run struct {
	rw   io.ReadWriter
	role role
	side Side
	code Code

	transcript []byte // hello of the joiner and of the offerer: the session of CPace
	proof      []byte // what both sign
	words      [4]string
	out, in    sealer
}

// begin exchanges hellos, the joiner's first: version, role and a nonce from each, which
// make the session unique (draft-irtf-cfrg-cpace-21 section 10.9).
func (r *run) begin() error {
	hello := append([]byte{version, byte(r.role)}, make([]byte, nonceSize)...)
	rand.Read(hello[2:]) //nolint:errcheck // it does not fail
	if r.role.joins() {
		if err := writeFrame(r.rw, frameHello, hello); err != nil {
			return err
		}
	}
	theirs, err := readFrame(r.rw, frameHello, helloSize)
	if err != nil {
		return err
	}
	if theirs[0] != version {
		return fmt.Errorf("%w: version %d", ErrProtocol, theirs[0])
	}
	if err := r.role.fits(role(theirs[1])); err != nil {
		return err
	}
	if r.role.joins() {
		r.transcript = append(hello, theirs...)
		return nil
	}
	r.transcript = append(theirs, hello...)
	return writeFrame(r.rw, frameHello, hello)
}

func (r *run) input() cpace.Input {
	return cpace.Input{
		Password: r.code.password(),
		Channel:  fmt.Appendf(nil, "tenon pairing 1 channel %d", r.code.Channel),
		Session:  r.transcript,
	}
}

// data is what a side's message of CPace carries: its role, so that it cannot be
// taken for the other's.
func (r role) data() []byte { return []byte{byte(r)} }

// exchange sends and receives the messages of CPace.
func (r *run) exchange() (*cpace.Unconfirmed, error) {
	in := r.input()
	var u *cpace.Unconfirmed
	if r.role.joins() {
		i, msg, err := cpace.Start(in, r.role.data())
		if err != nil {
			return nil, err
		}
		if err := writeFrame(r.rw, frameShare, msg); err != nil {
			return nil, err
		}
		theirs, err := readFrame(r.rw, frameShare, -1)
		if err != nil {
			return nil, err
		}
		if u, err = i.Finish(theirs); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	} else {
		theirs, err := readFrame(r.rw, frameShare, -1)
		if err != nil {
			return nil, err
		}
		unconfirmed, msg, err := cpace.Respond(in, r.role.data(), theirs)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if err := writeFrame(r.rw, frameShare, msg); err != nil {
			return nil, err
		}
		u = unconfirmed
	}
	if string(u.Data()) != string(r.role.other().data()) {
		return nil, fmt.Errorf("%w: a message of the wrong side", ErrProtocol)
	}
	return u, nil
}

// derive makes the keys, the value to sign and the words out of the key of CPace.
// The words depend on nothing that a side can still choose when it knows the key.
func (r *run) derive(isk []byte) {
	defer clear(isk)
	secret := func(label string, n int) []byte {
		b, err := hkdf.Key(sha512.New, isk, r.transcript, label, n)
		if err != nil {
			panic(err) // n is small
		}
		return b
	}
	r.out = newSealer(secret(labelKeys+string(rune(r.role)), 32))
	r.in = newSealer(secret(labelKeys+string(rune(r.role.other())), 32))
	r.proof = secret(labelProof, proofSize)
	bits := binary.BigEndian.Uint64(secret(labelWords, 8))
	for i := range r.words {
		r.words[i] = list()[bits>>(64-wordBits*(i+1))&(1<<wordBits-1)]
	}
}

// statement is what a side signs: that it has made this run, as this side, with that
// peer, as far as it knows it yet.
func (r *run) statement(by role, id, other peer.ID) []byte {
	b := append([]byte{byte(by)}, r.proof...)
	return append(append(b, id.Bytes()...), other.Bytes()...)
}

// introduce sends who this side is, and proves it.
func (r *run) introduce(other peer.ID) error {
	id := r.side.Key.ID()
	plain := append(make([]byte, 0, plainSize), id.Bytes()...)
	plain = append(plain, r.side.Key.SignAs(peer.ContextPairing, r.statement(r.role, id, other))...)
	said := r.side.Name
	if len(said) > maxSaid {
		said = strings.ToValidUTF8(said[:maxSaid], "")
	}
	plain = append(append(plain, byte(len(said))), said...)
	return writeFrame(r.rw, frameSealed, r.out.seal(plain[:plainSize]))
}

// meet receives who the other side is, and what it wants to be called.
func (r *run) meet(self peer.ID) (id peer.ID, said string, err error) {
	sealed, err := readFrame(r.rw, frameSealed, sealedSize)
	if err != nil {
		return peer.ID{}, "", err
	}
	plain, err := r.in.open(sealed)
	if err != nil {
		return peer.ID{}, "", err
	}
	id, err = peer.NewID(plain[:32])
	n := int(plain[96])
	if err != nil || n > maxSaid || !id.Verify(peer.ContextPairing, r.statement(r.role.other(), id, self), plain[32:96]) {
		return peer.ID{}, "", fmt.Errorf("%w: it does not prove who it is", ErrProtocol)
	}
	switch {
	case id == r.side.Key.ID():
		return peer.ID{}, "", ErrOneself
	case !r.side.Link.IsZero() && id != r.side.Link:
		return peer.ID{}, "", ErrIdentity
	}
	return id, string(plain[97 : 97+n]), nil
}

func (r *run) result(id peer.ID, said, given string) Result {
	name, _ := peer.Suggested(said)
	return Result{Peer: id, Suggested: name, Said: neutral.Line(strings.ToValidUTF8(said, "?")), Words: r.words, Given: given}
}

// confirmLast goes on from where the other side has shown that it knows the code.
func (r *run) confirmLast(u *cpace.Unconfirmed) (Result, error) {
	if err := writeFrame(r.rw, frameTag, u.Tag()); err != nil {
		return Result{}, err
	}
	if err := r.introduce(peer.ID{}); err != nil {
		return Result{}, err
	}
	id, said, err := r.meet(r.side.Key.ID())
	if err != nil {
		return Result{}, err
	}
	if err := r.introduce(id); err != nil {
		return Result{}, err
	}
	given, err := r.give(id)
	if err != nil {
		return Result{}, err
	}
	return r.result(id, said, given), nil
}
