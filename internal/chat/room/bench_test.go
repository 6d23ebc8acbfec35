package room

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// crowd returns a room of so many members, as its founder has it.
func crowd(tb testing.TB, members int) *replica {
	tb.Helper()
	w := newWorld()
	alice := w.found("alice")
	for i := range members - 1 {
		who := keyOf(fmt.Sprint("m", i))
		alice.act(&event.Add{Member: personOf(who), Role: event.Member})
		x := w.device(fmt.Sprint("m", i), "1")
		x.room, x.memory, x.events = alice.room, alice.memory, alice.events // all that it does, alice has
		d := x.draft(x.entering(alice.room.Heads()[0].ID, [64]byte{}))
		must(0, alice.take(must(d.Sign(x.device))))
	}
	if n := len(alice.room.Members()); n != members {
		tb.Fatalf("%d members", n)
	}
	return alice
}

// A window is a Past that knows the control events and the latest others, as a cache
// of a database would.
type window struct {
	*replica
	last [256]event.ID
	n    int
}

func (w *window) put(id event.ID, n Node) {
	delete(w.memory, w.last[w.n%len(w.last)])
	w.last[w.n%len(w.last)] = id
	w.memory[id] = n
	w.n++
}

// BenchmarkAdd adds content to a room of 100 members. With -benchtime 1000000x it is a room of
// a million messages: what one costs, and what the room keeps of it, stays the same.
func BenchmarkAdd(b *testing.B) {
	alice := crowd(b, 100)
	first := alice.say("hello")
	past := &window{replica: alice}
	alice.room.past = past
	raw, prev := first.Bytes(), first
	some := func(n int) (events []*event.Event) { // nobody checks signatures here: what is measured is the room
		for range n {
			c := append([]byte(nil), raw...)
			binary.BigEndian.PutUint64(c[66:], prev.Seq+1)
			binary.BigEndian.PutUint64(c[74:], prev.Time+1)
			copy(c[115:], prev.ID[:])
			prev = must(event.Read(c))
			events = append(events, prev)
		}
		return events
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b.ResetTimer()
	for done := 0; done < b.N; done += 1000 {
		b.StopTimer()
		events := some(min(1000, b.N-done))
		b.StartTimer()
		for _, e := range events {
			n, err := alice.room.Add(e)
			if err != nil {
				b.Fatal(err)
			}
			past.put(e.ID, n)
			if !alice.room.Counts(e.ID, n) {
				b.Fatal("it does not count")
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(max(0, float64(heap())-float64(before))/float64(b.N), "heap-B/op")
}

// BenchmarkResolve works out who is in a room of so many members, as after each control event.
func BenchmarkResolve(b *testing.B) {
	for _, members := range []int{100, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			alice := crowd(b, members)
			b.ResetTimer()
			for b.Loop() {
				alice.room.state = nil
				alice.room.Members()
			}
		})
	}
}
