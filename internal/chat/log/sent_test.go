package log

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is sent is the same however it is asked for: in order and out of it, with and without what is not there, with gaps, and from two rooms in turn.
func TestSent(t *testing.T) {
	l := open(t, t.TempDir())
	r, other := room(t, l, "room"), room(t, l, "other")
	rnd := rand.New(rand.NewPCG(1, 2))
	var ids []ID
	whole := map[ID][]byte{}
	for some := range slices.Chunk(rnd.Perm(400), 8) {
		var here, there []Event
		for _, i := range some {
			e := said(i, "a word")
			if i%7 == 0 {
				e.Payload, e.Text = nil, ""
			}
			e.Parents = nil
			ids, whole[e.ID] = append(ids, e.ID), slices.Concat(e.Bytes, e.Payload)
			here, there = append(here, e), append(there, said(1000+i, "another word"))
		}
		add(t, r, here...)
		add(t, other, there...)
	}
	inOrder := make([]ID, 400)
	for i := range inOrder {
		inOrder[i] = key(i).ID
	}
	backwards := slices.Clone(inOrder)
	slices.Reverse(backwards)
	gone := id("nothing")
	gaps := slices.DeleteFunc(slices.Clone(inOrder), func(ID) bool { return rnd.IntN(20) == 0 })
	missing := slices.Insert(slices.Clone(inOrder), 100, gone, key(1100).ID, gone)
	for name, asked := range map[string][]ID{"in order": inOrder, "as they came": ids, "gaps": gaps, "what is not there": missing,
		"backwards": backwards, "first is not there": append([]ID{gone}, inOrder...), "twice": append(slices.Clone(inOrder[:50]), inOrder[40:60]...),
		"one": inOrder[:1], "none": nil, "only what is not there": {gone}} {
		all, err := r.Sent(t.Context(), asked...)
		if err != nil {
			t.Fatal(name, err)
		}
		var want []ID
		for _, id := range asked {
			if whole[id] != nil {
				want = append(want, id)
			}
		}
		if len(all) != len(want) {
			t.Fatalf("%s: %d events in place of %d", name, len(all), len(want))
		}
		for i, x := range all {
			if x.ID != want[i] || !bytes.Equal(x.Bytes, whole[x.ID]) || x.Time == 0 {
				t.Fatalf("%s: event %d is another one", name, i)
			}
		}
	}
}
