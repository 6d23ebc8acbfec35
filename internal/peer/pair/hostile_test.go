package pair

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/cpace"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// play runs an offer against a hostile joiner, which gets the other end.
func play(t *testing.T, o *Offer, hostile func(transport.Stream)) (Result, error) {
	t.Helper()
	a, b := mem.Pair()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close() //nolint:errcheck // hostile
		hostile(b)
	}()
	r, err := o.Accept(t.Context(), a)
	<-done
	return r, err
}

// frame is a frame whose length need not be true.
func frame(typ byte, length int, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{typ}, uint16(length)), content...)
}

func TestMalformedFramesSpendNothing(t *testing.T) {
	hello := append([]byte{version, byte(joiner)}, make([]byte, nonceSize)...)
	good := frame(1, len(hello), hello)
	share := append(append([]byte{cpace.ShareSize}, make([]byte, cpace.ShareSize)...), 1, 'J')
	for name, sent := range map[string][]byte{
		"nothing":            nil,
		"half a head":        {1},
		"zeros":              make([]byte, 100),
		"other protocol":     []byte("GET / HTTP/1.1\r\n\r\n"),
		"huge frame":         frame(1, 65535, make([]byte, 65535)),
		"long hello":         frame(1, helloSize+1, append(hello, 0)),
		"short hello":        frame(1, 1, []byte{version}),
		"cut hello":          frame(1, helloSize, hello[:5]),
		"newer version":      frame(1, helloSize, append([]byte{version + 1}, hello[1:]...)),
		"our own role":       frame(1, helloSize, append([]byte{version, byte(offerer)}, hello[2:]...)),
		"tag first":          frame(3, cpace.TagSize, make([]byte, cpace.TagSize)),
		"tag without share":  append(bytes.Clone(good), frame(3, cpace.TagSize, make([]byte, cpace.TagSize))...),
		"huge share":         append(bytes.Clone(good), frame(2, 65535, make([]byte, 65535))...),
		"neutral share":      append(bytes.Clone(good), frame(2, len(share), share)...),
		"hello twice":        append(bytes.Clone(good), good...),
		"refusal":            append(bytes.Clone(good), frame(5, 1, []byte{2})...),
		"unknown refusal":    append(bytes.Clone(good), frame(5, 1, []byte{99})...),
		"refusal of 2 bytes": append(bytes.Clone(good), frame(5, 2, []byte{2, 2})...),
	} {
		synctest.Test(t, func(t *testing.T) {
			o := NewOffer(NewCode(7), alice)
			_, err := play(t, o, func(s transport.Stream) {
				s.Write(sent)          //nolint:errcheck // it may be cut off
				s.CloseWrite()         //nolint:errcheck // hostile
				io.Copy(io.Discard, s) //nolint:errcheck // hostile
			})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			select {
			case <-o.Done():
				t.Errorf("%s: the code is spent", name)
			default:
			}
			o.Close() //nolint:errcheck // it returns nil
		})
	}
}

// A byte now and then does not keep an attempt alive.
func TestSlowPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice)
		begin := time.Now()
		_, err := play(t, o, func(s transport.Stream) {
			hello := frame(1, helloSize, append([]byte{version, byte(joiner)}, make([]byte, nonceSize)...))
			for _, b := range hello {
				time.Sleep(3 * time.Second)
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
			}
			t.Error("it got to the end")
		})
		if !errors.Is(err, transport.ErrTimeout) || time.Since(begin) > MaxRun+3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		o.Close() //nolint:errcheck // it returns nil
	})
}

// All that a joiner sends comes back to it.
func TestReflection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.Pair()
		joined := start(t.Context(), b, NewCode(7), bob)
		go func() {
			io.Copy(a, a)  //nolint:errcheck // hostile
			a.CloseWrite() //nolint:errcheck // hostile
		}()
		if j := <-joined; !errors.Is(j.err, ErrProtocol) {
			t.Errorf("%v", j.err)
		}
	})
}

// The same, by somebody who changes the role in what he sends back.
func TestReflectionWithAnotherRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := mem.Pair()
		joined := start(t.Context(), b, NewCode(7), bob)
		go func() {
			defer a.Close() //nolint:errcheck // hostile
			for {
				var head [3]byte
				if _, err := io.ReadFull(a, head[:]); err != nil {
					return
				}
				content := make([]byte, binary.BigEndian.Uint16(head[1:]))
				if _, err := io.ReadFull(a, content); err != nil {
					return
				}
				switch frameType(head[0]) {
				case frameHello:
					content[1] = byte(offerer)
				case frameShare:
					content[len(content)-1] = byte(offerer)
				}
				a.Write(append(head[:], content...)) //nolint:errcheck // hostile
			}
		}()
		if j := <-joined; !errors.Is(j.err, ErrProtocol) {
			t.Errorf("%v", j.err)
		}
	})
}

// What a joiner has sent in a run that went well is sent again to an offer of the same
// code.
func TestReplay(t *testing.T) {
	code := NewCode(7)
	var sent bytes.Buffer
	a, b := mem.Pair()
	joined := start(t.Context(), &recorder{b, &sent}, code, bob)
	if _, err := NewOffer(code, alice).Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	<-joined
	o := NewOffer(code, alice)
	_, err := play(t, o, func(s transport.Stream) {
		s.Write(sent.Bytes())  //nolint:errcheck // hostile
		io.Copy(io.Discard, s) //nolint:errcheck // hostile
	})
	if !errors.Is(err, ErrGuessed) {
		t.Errorf("%v", err)
	}
}

type recorder struct {
	io.ReadWriteCloser
	sent *bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.sent.Write(p)
	return r.ReadWriteCloser.Write(p)
}

// A bit changes on the way, at every place in turn, in one direction or the other. If
// both sides still end well, they are who they are and have the same words.
func TestAChangedBitNeverMakesAnotherPeer(t *testing.T) {
	const toKey = 3 + helloSize + 3 + 1 + cpace.ShareSize + 1 + 1 + 3 + cpace.TagSize
	for byJoiner, length := range map[bool]int{true: toKey + 3 + sealedSize, false: toKey + 2*(3+sealedSize)} {
		for at := 0; at < length; at += 7 {
			synctest.Test(t, func(t *testing.T) {
				a, b := mem.Pair()
				var x, y io.ReadWriteCloser = a, b
				f := &flipper{ReadWriteCloser: a, at: at}
				if x = f; byJoiner {
					f.ReadWriteCloser = b
					x, y = a, f
				}
				o := NewOffer(NewCode(7), alice)
				joined := start(t.Context(), y, o.Code(), bob)
				r, err := o.Accept(t.Context(), x)
				j := <-joined
				if err == nil && r.Peer != bob.Key.ID() || j.err == nil && j.result.Peer != alice.Key.ID() {
					t.Fatalf("bit of byte %d: %v, %v", at, r.Peer, j.result.Peer)
				}
				if err == nil && j.err == nil {
					t.Errorf("byte %d changed, and nobody has noticed", at)
				}
				o.Close() //nolint:errcheck // it returns nil
				if f.n <= at {
					t.Errorf("byte %d was never sent", at)
				}
			})
		}
	}
}

// A flipper changes a bit of one byte that is written.
type flipper struct {
	io.ReadWriteCloser
	at, n int
}

func (f *flipper) Write(p []byte) (int, error) {
	if i := f.at - f.n; i >= 0 && i < len(p) {
		p = bytes.Clone(p)
		p[i] ^= 0x10
	}
	f.n += len(p)
	return f.ReadWriteCloser.Write(p)
}

// Somebody who knows the code claims to be somebody else.
func TestWhoKnowsTheCodeIsStillNobodyElse(t *testing.T) {
	victim := key(9).ID()
	for name, claim := range map[string]func(r *run, other peer.ID) []byte{
		"with his own signature": func(r *run, other peer.ID) []byte {
			return r.side.Key.SignAs(peer.ContextPairing, r.statement(joiner, victim, other))
		},
		"with a signature for another purpose": func(r *run, other peer.ID) []byte {
			return key(9).SignAs(peer.ContextTicket, r.statement(joiner, victim, other))
		},
		"with the victim's signature as offerer": func(r *run, other peer.ID) []byte {
			return key(9).SignAs(peer.ContextPairing, r.statement(offerer, victim, other))
		},
		"with one to another peer": func(r *run, other peer.ID) []byte {
			return key(9).SignAs(peer.ContextPairing, r.statement(joiner, victim, key(8).ID()))
		},
		"with one of another run": func(r *run, other peer.ID) []byte {
			r.proof = make([]byte, proofSize)
			return key(9).SignAs(peer.ContextPairing, r.statement(joiner, victim, other))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := NewOffer(NewCode(7), alice)
			_, err := play(t, o, func(s transport.Stream) {
				r := &run{rw: s, role: joiner, code: o.Code(), side: Side{Key: key(3)}}
				other := known(t, r)
				plain := append(append(append([]byte(nil), victim.Bytes()...), claim(r, other)...), make([]byte, 1+maxSaid)...)
				writeFrame(s, frameSealed, r.out.seal(plain)) //nolint:errcheck // hostile
				io.Copy(io.Discard, s)                        //nolint:errcheck // hostile
			})
			if !errors.Is(err, ErrProtocol) || !Spent(err) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// known takes a joiner to where it knows the offerer.
func known(t *testing.T, r *run) peer.ID {
	if err := r.begin(); err != nil {
		t.Error(err)
	}
	u, err := r.exchange()
	if err != nil {
		t.Error(err)
		return peer.ID{}
	}
	writeFrame(r.rw, frameTag, u.Tag()) //nolint:errcheck // it would show below
	tag, err := readFrame(r.rw, frameTag, cpace.TagSize)
	if err != nil {
		t.Error(err)
		return peer.ID{}
	}
	isk, err := u.Confirm(tag)
	if err != nil {
		t.Error(err)
		return peer.ID{}
	}
	r.derive(isk)
	id, _, err := r.meet(peer.ID{})
	if err != nil {
		t.Error(err)
	}
	return id
}

// Somebody in the middle has overheard the code. He pairs with both, and the words give
// him away.
func TestSomebodyInTheMiddleWhoKnowsTheCode(t *testing.T) {
	code := NewCode(7)
	a, b := mem.Pair()
	c, d := mem.Pair()
	middle := Side{Key: key(3)}
	joined := start(t.Context(), b, code, bob)
	inTheMiddle := start(context.Background(), d, code, middle)
	go NewOffer(code, middle).Accept(context.Background(), a) //nolint:errcheck // hostile
	r, err := NewOffer(code, alice).Accept(t.Context(), c)
	j := <-joined
	<-inTheMiddle
	if err != nil || j.err != nil {
		t.Fatal(err, j.err)
	}
	if r.Words == j.result.Words {
		t.Error("both see the same words")
	}
}

// A sink throws away what is written, and reads what was prepared.
type sink struct{ io.Reader }

func (sink) Write(p []byte) (int, error) { return len(p), nil }
func (sink) Close() error                { return nil }

func FuzzOfferer(f *testing.F) {
	hello := frame(1, helloSize, append([]byte{version, byte(joiner)}, make([]byte, nonceSize)...))
	_, share, err := cpace.Start(cpace.Input{Password: []byte("x")}, joiner.data())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(append(bytes.Clone(hello), frame(2, len(share), share)...), frame(3, cpace.TagSize, make([]byte, cpace.TagSize))...))
	f.Add(hello)
	f.Fuzz(func(t *testing.T, sent []byte) {
		o := NewOffer(NewCode(7), alice)
		defer o.Close() //nolint:errcheck // it returns nil
		if r, err := o.Accept(t.Context(), sink{bytes.NewReader(sent)}); err == nil {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzJoiner(f *testing.F) {
	hello := frame(1, helloSize, append([]byte{version, byte(offerer)}, make([]byte, nonceSize)...))
	_, share, err := cpace.Start(cpace.Input{Password: []byte("x")}, offerer.data())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(append(bytes.Clone(hello), frame(2, len(share), share)...), frame(3, cpace.TagSize, make([]byte, cpace.TagSize))...))
	f.Add(frame(5, 1, []byte{3}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if r, err := Join(t.Context(), sink{bytes.NewReader(sent)}, NewCode(7), bob); err == nil {
			t.Fatalf("%+v", r)
		}
	})
}

// Whatever a peer does on a stream of the network, an offer gets over it in time and
// is as good as before.
func TestOfferAmongHostilePeers(t *testing.T) {
	var o *Offer
	peertest.Hostile(t, MaxRun+2*transport.LingeringCloseTime, func(s transport.Stream) {
		o = NewOffer(NewCode(7), alice)
		if r, err := o.Accept(context.Background(), s); err == nil {
			t.Errorf("paired with %v", r.Peer)
		}
	}, func(t *testing.T) {
		select {
		case <-o.Done():
			t.Error("the code is spent")
		default:
		}
		o.Close() //nolint:errcheck // it returns nil
	})
}
