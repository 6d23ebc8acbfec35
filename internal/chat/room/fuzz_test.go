package room

import (
	"errors"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// FuzzAdd lets the input make events of all kinds that stand on and name any others, by
// any device. Whatever is taken, in whatever order, comes to the same.
func FuzzAdd(f *testing.F) {
	for seed := range uint64(8) {
		b, rnd := make([]byte, 300), newRand(seed)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 600)]
		next := func() int {
			if len(b) == 0 {
				return 0
			}
			n := b[0]
			b = b[1:]
			return int(n)
		}
		w := newWorld()
		r := w.found("p0")
		devices := []*replica{r, w.device("p1", "1"), w.device("p0", "2"), w.device("p2", "1"), w.device("p1", "2")}
		all := []*event.Event{r.events[w.room]}
		some := func() event.ID { return all[len(all)-1-next()%min(len(all), 12)].ID }
		cuts := func() []event.ID {
			if next()%2 == 0 {
				return nil
			}
			return []event.ID{some()}
		}
		for len(b) > 0 {
			x := devices[next()%len(devices)]
			who := personOf(devices[next()%len(devices)].identity)
			role := event.Role(1 + next()%3)
			d := event.Draft{Room: w.room, Seq: 2, Time: w.tick(), Parents: []event.ID{some()}}
			if parent := r.events[d.Parents[0]]; next()%8 > 0 { // mostly behind the latest of its own
				for _, e := range all {
					if e.Device == deviceOf(x.device) {
						parent = e
					}
				}
				d.Parents[0], d.Seq = parent.ID, parent.Seq+1
			}
			if id := some(); id != d.Parents[0] {
				d.Parents = append(d.Parents, id)
			}
			switch next() % 11 {
			case 0:
				d.Body = &event.Add{Member: who, Role: role}
			case 1, 2:
				via := some()
				d.Seq = 1
				d.Parents = d.Parents[:1]
				proof := [64]byte{}
				if e := r.events[via]; e.Kind == event.KindInvite {
					proof = event.AcceptInvite(keyOf("link"), w.room, via, personOf(x.identity), deviceOf(x.device))
				}
				d.Body = x.entering(via, proof)
			case 3:
				d.Body = &event.Remove{Member: who, Cuts: cuts()}
			case 4:
				d.Body = &event.SetRole{Member: who, Role: role, Cuts: cuts()}
			case 5:
				d.Body = &event.Invite{Key: [32]byte(keyOf("link").ID().Bytes()), Role: role, Uses: uint64(next() % 3)}
			case 6:
				d.Body = &event.Revoke{Invite: some()}
			case 7:
				d.Body = &event.RemoveDevice{Enter: some(), Cuts: cuts()}
			case 8:
				d.Body = &event.Epoch{Suite: event.SuiteClassic, Wraps: []event.Wrap{{Device: deviceOf(x.device), Sealed: make([]byte, 80)}}}
			case 9:
				d.Body = &event.Share{Suite: event.SuiteClassic, Of: some(), Wraps: []event.Wrap{{Device: deviceOf(x.device), Sealed: make([]byte, 80)}}}
			case 10:
				d.Body, d.Epoch = &event.Meta{Property: event.PropertyName, Value: []byte{byte(next())}}, some()
			}
			e, err := d.Sign(x.device)
			if err != nil {
				continue
			}
			if err := r.take(e); err == nil {
				all = append(all, e)
			} else if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
		}
		if got, want := r.shuffled(newRand(1)).digest(), r.digest(); got != want {
			t.Fatalf("in another order it is\n%s\nand was\n%s", got, want)
		}
	})
}
