package share

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// The vectors of docs/protocol/share.md, chapter "Finding".
func TestFindVectors(t *testing.T) {
	one, two := peer.KeyFromSeed([32]byte{1}).ID(), peer.KeyFromSeed([32]byte{2}).ID()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# docs/protocol/share.md, chapter \"Finding\". The share has the ID 01 and 15 zeros; who asks has the key whose seed is 01\n# and 31 zeros, who is asked the one of 02 and 31 zeros.\n")
	for _, c := range []struct {
		name   string
		secret []byte
	}{{"the secret is \"sixteen bytes...\"", secret}, {"public", nil}} {
		k := FindKey(ID{1}, c.secret)
		m, back := markOf(k, one, two), markOf(k, two, one)
		fmt.Fprintf(&b, "\n%s\n  find key            %x\n  mark                %x\n  mark, the other way %x\n  question            01%x\n", c.name, k, m, back, m)
	}
	golden.Check(t, "testdata/find.txt", b.String())
}

// Who has the ticket and would be let in is told who has the share; nobody else is told anything, and nobody is named who
// has nothing of it.
func TestFind(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(3 * group)
		var letIn bool
		b := w.party("holder", func(c *Config) { c.Admit = func(peer.ID, bool) bool { return letIn } })
		b.node.Serve(FindProto, b.hub.HandleFind)
		other := w.party("other", nil)
		public := New(Config{Self: b.Self, Sharer: b.Self, ID: ID{2}}) // it has begun to hash
		b.hub.Put(public)
		ask := func(want ...bool) {
			t.Helper()
			keys := []peer.FindKey{FindKey(ID{1}, nil), other.FindKey(), FindKey(ID{3}, secret), FindKey(ID{2}, nil)}
			has, err := AskFor(t.Context(), other.node, other.Self, b.Self, keys)
			if err != nil || !slices.Equal(has, want) {
				t.Errorf("it has %v, %v, want %v", has, err, want)
			}
		}
		letIn = true
		ask(false, false, false, true) // there is nothing yet
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.get(ctx, a)
		b.wait(a)
		ask(false, true, false, true)
		letIn = false
		ask(false, false, false, true)
		letIn = true
		public.Close()
		b.Part()
		ask(false, false, false, false)
		stop()
	})
}

// Who does not keep to the protocol of questions hurts nobody but itself.
func TestHostileQuestions(t *testing.T) {
	peertest.Hostile(t, 2*findTime, func(s transport.Stream) {
		var h Hub
		h.HandleFind(s)
	}, nil)
	virtually(t, func(t *testing.T, w *world) {
		b := w.party("asker", nil)
		keys := slices.Repeat([]peer.FindKey{b.FindKey()}, 3)
		for name, answer := range map[string][]byte{"more than was asked": {8, 0, 0, 0}, "too little": {1, 0}, "nothing": nil} {
			liar := w.party(name, nil)
			liar.node.Serve(FindProto, func(s transport.Stream) {
				s.Write(answer) //nolint:errcheck // hostile
				if answer == nil {
					time.Sleep(time.Hour) // of virtual time
				}
				s.Close() //nolint:errcheck // hostile
			})
			began := time.Now()
			if has, err := AskFor(t.Context(), b.node, b.Self, liar.Self, keys); err == nil || time.Since(began) > findTime {
				t.Errorf("%s: %v after %v", name, has, time.Since(began))
			}
		}
		time.Sleep(2 * time.Hour)
	})
}

func FuzzReadMarks(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{2, 1})
	f.Add(append([]byte{1}, make([]byte, 16)...))
	f.Add(bytes.Repeat([]byte{MaxAsked}, 1+MaxAsked*16))
	f.Fuzz(func(t *testing.T, b []byte) {
		marks, err := readMarks(bytes.NewReader(b))
		if err == nil && (len(marks) == 0 || len(marks) > int(b[0])) {
			t.Errorf("%d marks of %d bytes", len(marks), len(b))
		}
		for m, i := range marks {
			if !bytes.Equal(m[:], b[1+16*i:][:16]) {
				t.Errorf("%x is not at place %d", m, i)
			}
		}
	})
}

// Of those who are found, however many they are said to be, a few are tried at a time, a few times each; and who says that it
// has no such share is not asked again for that.
func TestFoundAndWrong(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.share(3 * group)
		book := newNotebook(a)
		b := w.party("getter", func(c *Config) { c.Learnt = book.learnt })
		book.Network = b.node
		liar := w.party("liar", func(c *Config) { c.ID = ID{9} })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b.working.Add(1)
		go func() {
			defer b.working.Done()
			b.Join(ctx, book)
		}()
		time.Sleep(time.Second)
		b.Found(liar.Self)
		time.Sleep(time.Minute)
		for i := range 8 {
			var ids []peer.ID
			for k := range 100 {
				ids = append(ids, w0(fmt.Sprint(i, " ", k)))
			}
			b.Found(ids...)
		}
		time.Sleep(time.Hour) // of virtual time
		book.mu.Lock()
		if len(book.dialed) > maxFrom+1 || book.dialed[liar.Self] > 1 {
			t.Errorf("%d were dialed; who has no such share %d times", len(book.dialed), book.dialed[liar.Self])
		}
		for id, n := range book.dialed {
			if n > maxTries {
				t.Errorf("%s was dialed %d times", id.Short(), n)
			}
		}
		book.mu.Unlock()
		b.Found(a.Self)
		b.wait(a)
		stop()
	})
}
