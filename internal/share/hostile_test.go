package share

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// Whatever a stranger does before it has shown that it knows the secret ends soon.
func TestStrangers(t *testing.T) {
	peertest.Hostile(t, 2*silence, func(s transport.Stream) {
		var h Hub
		h.Handle(s)
	}, nil)
}

// frame returns a frame as somebody writes it who does not care for limits.
func frame(kind byte, content ...byte) []byte {
	return append(appendFrame(nil, kind, len(content)), content...)
}

func numbers(vs ...uint64) (b []byte) {
	for _, v := range vs {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// One who has the secret, and does not keep to the protocol, hurts nobody but itself.
func TestHostileMembers(t *testing.T) {
	unsigned := Head{Final: true, Size: 1000, Hash: tree.Hash{1}}
	for name, frames := range map[string][]byte{
		"a frame that is too long":     {frameData, 0xff, 0xff, 0xff},
		"an unknown frame":             frame(99, 1, 2, 3),
		"half a frame":                 {frameHave, 0, 0, 9, 1},
		"a second hello":               frame(frameHello, hello{}.append(nil)...),
		"data without an answer":       frame(frameData, make([]byte, 100)...),
		"zeros without an answer":      frame(frameZeros, numbers(group)...),
		"a million zeros":              frame(frameZeros, numbers(1_000_000)...),
		"an answer without a question": frame(frameAnswer, numbers(1, 0, 4)...),
		"an end without a question":    frame(frameEnd, numbers(1, endAll)...),
		"an end that there is not":     frame(frameEnd, numbers(1, 99)...),
		"a question without an end":    frame(frameWant, numbers(1)...),
		"a question for everything":    frame(frameWant, numbers(1, 0, 1<<40, 0)...),
		"a question behind the end":    frame(frameWant, numbers(1, 1<<50, 1, 0)...),
		"a question that overflows":    frame(frameWant, numbers(1, 1<<63-1, 64, 0)...),
		"a question for nothing":       frame(frameWant, numbers(1, 5, 0, 0)...),
		"an endless number":            frame(frameWant, bytes.Repeat([]byte{0xff}, 40)...),
		"a number in a long form":      frame(frameAny, 0x81, 0x00),
		"a manifest behind the end":    frame(frameWant, numbers(1, 1, 1<<20, 1, 0)...),
		"all nodes at once":            frame(frameNodes, numbers(1, 0, 1<<30, 0, 1)...),
		"nodes behind the end":         frame(frameNodes, numbers(1, 1<<27, 64, 0, 1<<20)...),
		"nodes of several files":       frame(frameNodes, numbers(1, 0, 8, 0, 1)...),
		"a great skip":                 frame(frameWant, numbers(1, 0, 1, 1<<40)...),
		"a hundred questions at once":  bytes.Repeat(frame(frameWant, numbers(1, 0, 4, 0)...), 100),
		"100,000 trims":                bytes.Repeat(frame(frameTrim, numbers(1<<40, 0)...), 100_000),
		"a thousand trims":             manyTrims(1000),
		"pieces behind the last":       frame(frameHave, append([]byte{0}, append(numbers(1<<40), make([]byte, 8)...)...)...),
		"half a bitmap":                frame(frameHave, 0, 0, 1, 2, 3),
		"a head that nobody signed":    frame(frameHead, unsigned.Append(nil)...),
		"a head of a great manifest":   frame(frameHead, Head{Size: 1 << 40}.Append(nil)...),
		"too many peers":               frame(framePeers, peer.AppendContacts(nil, slices.Repeat([]peer.Contact{{ID: somebody()}}, 33)...)...),
		"half a peer":                  frame(framePeers, make([]byte, 31)...),
		"peers that are no keys":       frame(framePeers, make([]byte, 33)...),
		"itself, and us":               frame(framePeers, peer.AppendContacts(nil, []peer.Contact{{ID: w0("bad"), Addrs: []string{"x:1"}}, {ID: w0("sharer"), Addrs: []string{"x:2"}}}...)...),
		"nine addresses":               frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: slices.Repeat([]string{"x:1"}, 9)})...),
		"200 addresses that are not":   frame(framePeers, append(somebody().Bytes(), 200)...),
		"a long address":               frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{strings.Repeat("x", 257)}})...),
		"an address of a megabyte":     frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{strings.Repeat("x", 1<<20)}})...),
		"an address without end":       frame(framePeers, append(append(somebody().Bytes(), 1), numbers(1<<62)...)...),
		"an empty address":             frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{""}})...),
		"control characters":           frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{"x\x1b[2J:1"}})...),
		"a space":                      frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{"x :1"}})...),
		"a C1 character":               frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{"x\x9b:1"}})...),
		"a million peers":              bytes.Repeat(frame(framePeers, peer.AppendContacts(nil, slices.Repeat([]peer.Contact{{ID: somebody()}}, 32)...)...), 1_000_000/32),
		"an end that nobody signed":    frame(frameEnded, Ending{Why: Withdrawn}.Append(nil)...),
		"half an end of the share":     frame(frameEnded, 1, 2, 3),
		"an end that there is not yet": frame(frameEnded, Ending{Why: 200}.Append(nil)...),
		"enough, and again":            bytes.Repeat(frame(frameHave, haveEnough), 1000),
		"a kind of having":             frame(frameHave, 3),
		"a crowd of all":               frame(frameCrowd, numbers(1<<63)...),
		"questions for anything":       bytes.Repeat(frame(frameAny, 1, 9), 60),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a := w.share(1, 2, 3, 3*group)
				bad, good := w.party("bad", nil), w.party("good", nil)
				s, err := bad.node.Open(t.Context(), a.Self, Proto)
				if err != nil {
					t.Fatal(err)
				}
				s.Write(frame(frameHello, hello{a.ID, bad.proof(bad.Self, a.Self)}.append(nil)...)) //nolint:errcheck // hostile
				played := make(chan struct{})
				go func() {
					defer close(played)
					s.Write(frames)                       //nolint:errcheck // hostile
					time.Sleep(10 * time.Second)          // reads nothing meanwhile
					transport.Abort(s, t.Context().Err()) //nolint:errcheck // hostile
				}()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				good.get(ctx, a)
				good.wait(a)
				stop()
				<-played
			})
		})
	}
}

func manyTrims(n uint64) (b []byte) {
	for i := range n {
		b = append(b, frame(frameTrim, numbers(i, 0)...)...)
	}
	return b
}

// A getter is not led astray by one who answers and does not give.
func TestHostileProviders(t *testing.T) {
	answer := func(q want, end uint64, data ...[]byte) []byte {
		b := frame(frameAnswer, answerHead{q.number, q.run}.append(nil)...)
		for _, d := range data {
			b = append(b, frame(frameData, d...)...)
		}
		return append(b, frame(frameEnd, numbers(q.number, end)...)...)
	}
	for name, play := range map[string]func(q want) []byte{
		"never answers":           func(want) []byte { return nil },
		"ends at once":            func(q want) []byte { return frame(frameEnd, numbers(q.number, endCannot)...) },
		"says that it is done":    func(q want) []byte { return frame(frameEnd, numbers(q.number, endAll)...) },
		"has nothing":             func(q want) []byte { return frame(frameEnd, numbers(q.number, endNothing)...) },
		"answers nothing":         func(q want) []byte { return answer(q, endAll) },
		"cuts":                    func(q want) []byte { return answer(q, endTrimmed) },
		"sends zeros":             func(q want) []byte { return answer(q, endAll, make([]byte, group), make([]byte, group)) },
		"sends zeros without end": func(q want) []byte { return answer(q, endAll, slices.Repeat([][]byte{make([]byte, group)}, 20)...) },
		"says that all is zeros": func(q want) []byte {
			zeros := bytes.Repeat(frame(frameZeros, numbers(group)...), int(q.run.Len())+1)
			return slices.Concat(frame(frameAnswer, answerHead{q.number, q.run}.append(nil)...), zeros, frame(frameEnd, numbers(q.number, endAll)...))
		},
		"answers another": func(q want) []byte {
			q.run.From++
			return answer(q, endAll)
		},
		"answers a million": func(q want) []byte {
			q.run.To += 1 << 30
			return answer(q, endAll)
		},
		"answers twice": func(q want) []byte {
			return append(frame(frameAnswer, answerHead{q.number, q.run}.append(nil)...), frame(frameAnswer, answerHead{q.number, q.run}.append(nil)...)...)
		},
	} {
		for _, about := range []string{"groups", "the manifest, too", "nodes"} {
			t.Run(name+" "+about, func(t *testing.T) {
				virtually(t, func(t *testing.T, w *world) {
					a := w.share(1, 2, 3, 40*group)
					bad := w.party("bad", nil)
					good := w.party("good", nil)
					if about == "nodes" {
						w.older(good, func(_ int, was []byte) []byte { return append(was, 1) })
					}
					bad.serve(func(x *session, q want) {
						if q.manifest > 0 && about != "the manifest, too" {
							x.share = a.Share
							var aw answerWriter
							x.answerOne(&aw, q) //nolint:errcheck // hostile
							return
						}
						x.send(play(q)) //nolint:errcheck // hostile
					}, a)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					good.get(ctx, bad)
					time.Sleep(5 * time.Second) // of virtual time: it has only the bad one
					good.get(ctx, a)
					good.wait(a)
					cancel()
				})
			})
		}
	}
}

// serve has a party say that it has everything that like has, and answer questions by play.
func (p *party) serve(play func(x *session, q want), like *party) {
	p.unserve()
	p.node.Serve(Proto, func(s transport.Stream) {
		from, _ := peer.Of(s)
		x := newSession(s, from)
		if _, err := x.readHello(); err != nil {
			return
		}
		x.write(frameHello, hello{p.ID, p.proof(p.Self, from)}.append) //nolint:errcheck // hostile
		x.write(frameHead, like.head.Append)                           //nolint:errcheck // hostile
		x.send(frame(frameHave, 1))                                    //nolint:errcheck // hostile
		for {
			kind, content, err := readFrame(x.in, &x.last)
			if err != nil {
				return
			}
			if kind != frameWant && kind != frameManifest && kind != frameNodes {
				continue
			}
			q, err := parseWant(kind, content)
			if err != nil {
				p.t.Error(err)
				return
			}
			play(x, q)
		}
	})
}

// w0 is the ID of a node with this name, in every world.
func w0(name string) peer.ID { return peer.KeyFromSeed(sha256.Sum256([]byte(name))).ID() }

func somebody() peer.ID { return peer.KeyFromSeed([32]byte{1}).ID() }

// FuzzSession gives one who shares and one who fetches whatever bytes behind the hello.
func FuzzSession(f *testing.F) {
	f.Add(frame(frameNodes, numbers(1, 0, 2, 0, 1)...), true)
	f.Add(frame(frameWant, numbers(1, 0, 4, 0)...), true)
	f.Add(frame(frameManifest, numbers(1, 100, 0, 1)...), true)
	f.Add(frame(frameHave, 1), false)
	f.Add(append(frame(frameAnswer, numbers(1, 0, 4)...), frame(frameData, 1, 2, 3)...), false)
	f.Add(append(frame(frameAnswer, numbers(1, 0, 1)...), frame(frameZeros, numbers(1)...)...), false)
	f.Add(frame(frameEnd, numbers(1, 0)...), false)
	f.Add(frame(framePeers, peer.AppendContacts(nil, peer.Contact{ID: somebody(), Addrs: []string{"192.0.2.1:1"}})...), true)
	f.Add(frame(frameEnded, Ending{Why: Withdrawn}.Append(nil)...), false)
	f.Fuzz(func(t *testing.T, frames []byte, shares bool) {
		virtually(t, func(t *testing.T, w *world) {
			a := w.share(1, 70_000)
			b := w.party("getter", nil)
			from, to := b, a
			if !shares {
				from, to = a, b
			}
			s, err := from.node.Open(t.Context(), to.Self, Proto)
			if err != nil {
				t.Fatal(err)
			}
			s.Write(frame(frameHello, hello{a.ID, from.proof(from.Self, to.Self)}.append(nil)...)) //nolint:errcheck // hostile
			if !shares {
				s.Write(frame(frameHead, a.head.Append(nil)...)) //nolint:errcheck // hostile
			}
			s.Write(frames)        //nolint:errcheck // hostile
			s.CloseWrite()         //nolint:errcheck // hostile
			io.Copy(io.Discard, s) //nolint:errcheck // hostile
		})
	})
}
