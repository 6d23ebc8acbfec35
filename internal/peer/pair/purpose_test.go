package pair

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/cpace"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// meaning returns a side that means a purpose, and gives a text if it is the one that sends.
func (s Side) meaning(p Purpose, gives string) Side {
	s.For = p
	s.Give = func(peer.ID) ([]byte, error) { return []byte(gives), nil }
	return s
}

// Either side can give the other something with a code, whoever shows it.
func TestGive(t *testing.T) {
	const gift = "what is sent"
	for name, pipe := range map[string]func() (io.ReadWriteCloser, io.ReadWriteCloser){
		"stream":          func() (io.ReadWriteCloser, io.ReadWriteCloser) { return mem.Pair() },
		"without buffers": func() (io.ReadWriteCloser, io.ReadWriteCloser) { return net.Pipe() },
	} {
		for purpose, want := range map[Purpose][2]string{Pairing: {"", ""}, Sending: {"", gift}, Receiving: {gift, ""}, Linking: {"", gift}} {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe()
				var heard bytes.Buffer
				o := NewOffer(NewCode(7), alice.meaning(purpose, gift))
				joined := start(t.Context(), &tap{ReadWriteCloser: b, heard: &heard}, o.Code(), bob.meaning(purpose, gift))
				offered, err := o.Accept(t.Context(), a)
				j := <-joined
				if err != nil || j.err != nil || offered.Peer != bob.Key.ID() || j.result.Peer != alice.Key.ID() || offered.Words != j.result.Words {
					t.Fatalf("%s, %d: %+v, %v; %+v, %v", name, purpose, offered, err, j.result, j.err)
				}
				if got := [2]string{offered.Given, j.result.Given}; got != want {
					t.Errorf("%s, %d: it was given %q, want %q", name, purpose, got, want)
				}
				if bytes.Contains(heard.Bytes(), []byte(gift)) {
					t.Error("what is given is to be heard")
				}
			})
		}
	}
}

// A code that is typed where it does not belong says what it is for, at both sides. Nobody has
// met by it, and it is as good as before.
func TestACodeIsForOneThing(t *testing.T) {
	says := map[Purpose]error{Pairing: ErrPairs, Sending: ErrSends, Receiving: ErrReceives, Linking: ErrLinks}
	for shown, want := range says {
		for typed := range says {
			if typed == shown {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				o := NewOffer(NewCode(7), alice.meaning(shown, "secret"))
				defer o.Close() //nolint:errcheck // it returns nil
				a, b := mem.Pair()
				var heard bytes.Buffer
				joined := start(t.Context(), &tap{ReadWriteCloser: b, heard: &heard}, o.Code(), bob.meaning(typed, "secret"))
				_, err := o.Accept(t.Context(), a)
				j := <-joined
				for side, err := range map[string]error{"who shows it": err, "who types it": j.err} {
					if !errors.Is(err, want) || !errors.Is(err, transport.ErrUsage) || Spent(err) || isLost(err) {
						t.Errorf("%d typed as %d: %s has %v, spent %v", shown, typed, side, err, Spent(err))
					}
				}
				if most := 2*(3+helloSize) + 3 + 1; heard.Len() > most {
					t.Errorf("%d bytes went over the connection: nothing but what it is for is to be known", heard.Len())
				}
				a, b = mem.Pair()
				joined = start(t.Context(), b, o.Code(), bob.meaning(shown, "x"))
				if _, err := o.Accept(t.Context(), a); err != nil {
					t.Errorf("the code is not good any more: %v", err)
				}
				<-joined
			})
		}
	}
}

// Somebody on the way changes what a code is said to be for, in the hellos. They are what the key
// is made for, and nobody believes the other.
func TestAnotherPurposeOnTheWay(t *testing.T) {
	for _, p := range []Purpose{Sending, Linking} {
		anotherPurposeOnTheWay(t, p)
	}
}

func anotherPurposeOnTheWay(t *testing.T, p Purpose) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice.meaning(p, "secret"))
		a, b := mem.Pair()
		c, d := mem.Pair()
		joined := start(t.Context(), b, o.Code(), bob) // who means to pair
		change := func(to, from transport.Stream, was, is role) {
			hello := make([]byte, 3+helloSize)
			if _, err := io.ReadFull(from, hello); err == nil && role(hello[4]) == was {
				hello[4] = byte(is)
			}
			to.Write(hello)   //nolint:errcheck // hostile
			io.Copy(to, from) //nolint:errcheck // hostile
			to.CloseWrite()   //nolint:errcheck // hostile
			from.Close()      //nolint:errcheck // hostile
		}
		go change(c, a, joiner, parts[p].types)
		go change(a, c, parts[p].shows, offerer)
		_, err := o.Accept(t.Context(), d)
		if j := <-joined; err == nil || j.err == nil {
			t.Errorf("they have met: %v, %v", err, j.err)
		}
		a.Close() //nolint:errcheck // it is over
		c.Close() //nolint:errcheck // it is over
	})
}

// A bit changes in what is given, or in the answer: the other side notices.
func TestAChangedGift(t *testing.T) {
	const before = 3 + helloSize + 3 + 1 + cpace.ShareSize + 1 + 1 + 3 + cpace.TagSize
	gift := strings.Repeat("x", 100)
	for byJoiner, from := range map[bool]int{true: before + 3 + sealedSize, false: before + 2*(3+sealedSize)} {
		purpose := map[bool]Purpose{true: Receiving, false: Sending}[byJoiner]
		for at := from; at < from+3+len(gift)+tagSize; at += 5 {
			synctest.Test(t, func(t *testing.T) {
				a, b := mem.Pair()
				var x, y io.ReadWriteCloser = a, b
				f := &flipper{ReadWriteCloser: a, at: at}
				if x = f; byJoiner {
					f.ReadWriteCloser = b
					x, y = a, f
				}
				o := NewOffer(NewCode(7), alice.meaning(purpose, gift))
				joined := start(t.Context(), y, o.Code(), bob.meaning(purpose, gift))
				r, err := o.Accept(t.Context(), x)
				if j := <-joined; err == nil && j.err == nil || r.Given != "" || j.result.Given != "" || f.n <= at {
					t.Errorf("byte %d of %d changed, and nobody has noticed: %q, %q", at, f.n, r.Given, j.result.Given)
				}
			})
		}
	}
}

// Who has the code and is to be given something sends anything in place of the answer, or is
// to give something and gives too much.
func TestHostileGifts(t *testing.T) {
	for name, c := range map[string]struct {
		purpose Purpose
		send    func(r *run) []byte
	}{
		"too much":           {Receiving, func(r *run) []byte { return frame(6, MaxGiven+1+tagSize, r.out.seal(make([]byte, MaxGiven+1))) }},
		"half":               {Receiving, func(r *run) []byte { return frame(6, 1000, make([]byte, 500)) }},
		"not sealed":         {Receiving, func(*run) []byte { return frame(6, 100, make([]byte, 100)) }},
		"shorter than a tag": {Receiving, func(*run) []byte { return frame(6, 3, make([]byte, 3)) }},
		"nothing":            {Receiving, func(*run) []byte { return nil }},
		"another frame":      {Receiving, func(r *run) []byte { return frame(4, 20, r.out.seal(make([]byte, 4))) }},
		"no answer":          {Sending, func(*run) []byte { return nil }},
		"a long answer":      {Sending, func(*run) []byte { return frame(6, 65535, make([]byte, 65535)) }},
		"a false answer":     {Sending, func(*run) []byte { return frame(6, tagSize, make([]byte, tagSize)) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := NewOffer(NewCode(7), alice.meaning(c.purpose, "gift"))
			_, err := play(t, o, func(s transport.Stream) {
				r := &run{rw: s, role: parts[c.purpose].types, code: o.Code(), side: Side{Key: key(3)}}
				other := known(t, r)
				if err := r.introduce(other); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, _, err := r.meet(r.side.Key.ID()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				s.Write(c.send(r))     //nolint:errcheck // hostile
				s.CloseWrite()         //nolint:errcheck // hostile
				io.Copy(io.Discard, s) //nolint:errcheck // hostile
			})
			if err == nil || !Spent(err) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// What went over the connection when a device was linked is of no use to who has heard it: said again to who shows
// another code of the same words, it gets nothing.
func TestReplayOfALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := NewCode(7)
		o := NewOffer(code, alice.meaning(Linking, "certificate"))
		a, b := mem.Pair()
		var heard bytes.Buffer
		said := &said{ReadWriteCloser: b, to: &heard}
		joined := start(t.Context(), said, code, bob.meaning(Linking, ""))
		if _, err := o.Accept(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if j := <-joined; j.err != nil || j.result.Given != "certificate" {
			t.Fatalf("%+v, %v", j.result, j.err)
		}
		o = NewOffer(code, alice.meaning(Linking, "certificate"))
		r, err := play(t, o, func(s transport.Stream) {
			s.Write(heard.Bytes())                                                                //nolint:errcheck // hostile
			s.CloseWrite()                                                                        //nolint:errcheck // hostile
			got, _ := io.ReadAll(s)                                                               //nolint:errcheck // hostile
			if most := 3 + helloSize + 3 + 1 + cpace.ShareSize + 1 + 1 + 3 + 1; len(got) > most { // hello, share, refusal
				t.Errorf("%d bytes came for a replay", len(got))
			}
		})
		if !errors.Is(err, ErrGuessed) || !r.Peer.IsZero() {
			t.Errorf("a replay has met somebody: %+v, %v", r, err)
		}
	})
}

// said keeps what a side writes.
type said struct {
	io.ReadWriteCloser
	to *bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.to.Write(b)
	return s.ReadWriteCloser.Write(b)
}

// What cannot be given ends the run, and the code.
func TestGiveFails(t *testing.T) {
	broken := errors.New("broken")
	for _, give := range []func(peer.ID) ([]byte, error){
		func(peer.ID) ([]byte, error) { return nil, broken },
		func(peer.ID) ([]byte, error) { return make([]byte, MaxGiven+1), nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			side := alice.meaning(Sending, "")
			side.Give = give
			o := NewOffer(NewCode(7), side)
			a, b := mem.Pair()
			joined := start(t.Context(), b, o.Code(), bob.meaning(Sending, ""))
			_, err := o.Accept(t.Context(), a)
			if j := <-joined; err == nil || !Spent(err) || j.err == nil || !Spent(j.err) {
				t.Errorf("%v, %v", err, j.err)
			}
		})
	}
}

// Whatever comes in place of what is given is refused, or it is what was sealed.
func FuzzGiven(f *testing.F) {
	sealed := func(content string) []byte {
		s := newSealer(bytes.Repeat([]byte{7}, 32))
		return s.seal([]byte(content))
	}
	f.Add(frame(6, 4+tagSize, sealed("gift")))
	f.Add(frame(6, 0, nil))
	f.Add(frame(5, 1, []byte{9}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := &run{rw: sink{bytes.NewReader(sent)}, role: typesToReceive, in: newSealer(bytes.Repeat([]byte{7}, 32)), out: newSealer(bytes.Repeat([]byte{8}, 32))}
		given, err := r.give(peer.ID{})
		if err == nil && !bytes.HasPrefix(sent, frame(6, len(given)+tagSize, sealed(given))) {
			t.Fatalf("%q was taken for %q", sent, given)
		}
	})
}

// givenVectors computes what docs/protocol/pairing.md has vectors for of codes that are for sending or linking.
func givenVectors(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	say := func(name string, v []byte) { fmt.Fprintf(&b, "%s %x\n", name, v) }
	for _, p := range []Purpose{Sending, Receiving, Linking} {
		part := parts[p]
		hello := func(r role, nonce byte) []byte {
			return append([]byte{version, byte(r)}, bytes.Repeat([]byte{nonce}, nonceSize)...)
		}
		session := append(hello(part.types, 0xaa), hello(part.shows, 0xbb)...)
		code := Code{7, [3]uint16{0, 1, 2047}}
		side := func(s Side) Side { return s.meaning(p, "a gift") }
		j := &run{role: part.types, side: side(bob), code: code, transcript: session}
		o := &run{role: part.shows, side: side(alice), code: code, transcript: session}
		fmt.Fprintf(&b, "purpose %s\n", map[Purpose]string{Sending: "sending", Receiving: "receiving", Linking: "linking"}[p])
		say("sid", j.input().Session)
		say("ada", j.role.data())
		say("adb", o.role.data())
		isk := bytes.Repeat([]byte{0xcc}, 64)
		j.derive(bytes.Clone(isk))
		o.derive(bytes.Clone(isk))
		say("proof", j.proof)
		fmt.Fprintf(&b, "words %s\n", strings.Join(j.words[:], " "))
		for _, step := range []struct {
			name     string
			from, to *run
			other    peer.ID
		}{{"offerer-1", o, j, peer.ID{}}, {"joiner-1", j, o, o.side.Key.ID()}, {"offerer-2", o, j, j.side.Key.ID()}} {
			var wire bytes.Buffer
			step.from.rw, step.to.rw = &wire, &wire
			if err := step.from.introduce(step.other); err != nil {
				t.Fatal(err)
			}
			say(step.name+"-frame", wire.Bytes())
			if _, _, err := step.to.meet(step.other); err != nil {
				t.Error(step.name, err)
			}
		}
		from, to := j, o
		if o.role.sends() {
			from, to = o, j
		}
		var there, back bytes.Buffer
		from.rw, to.rw = &there, &there
		if err := from.writeGiven([]byte("a gift")); err != nil {
			t.Fatal(err)
		}
		say("given-frame", there.Bytes())
		to.rw = struct {
			io.Reader
			io.Writer
		}{&there, &back}
		if given, err := to.give(peer.ID{}); err != nil || given != "a gift" {
			t.Errorf("%q, %v", given, err)
		}
		say("answer-frame", back.Bytes())
	}
	return b.String()
}

func TestGivenVectors(t *testing.T) {
	golden.Check(t, "testdata/given.txt", "# Codes that are for sending or linking: docs/protocol/pairing.md. As in vectors.txt, with other roles. What is\n"+
		"# given is the text \"a gift\".\n"+givenVectors(t))
}
