package log

import (
	"slices"
	"testing"
)

// What is kept beside events comes back as it was: nodes, control events in the order of arrival, tips, and all
// that is about a message.
func TestNodes(t *testing.T) {
	r := room(t, open(t, t.TempDir()), "room")
	var events []Event
	for n := range 6 {
		e := said(n, "word")
		e.Node = []byte{byte(n)}
		if e.Kind = 128; n%2 == 0 {
			e.Kind = 1
		}
		events = append(events, e)
	}
	events[5].Target, events[5].Status = key(1).ID, Hidden
	late := events[0]
	if _, err := r.Put(t.Context(), Batch{Events: events[1:], Tips: []Tip{{id("device"), key(5).ID, 6, 2}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Put(t.Context(), Batch{Events: []Event{late}, Statuses: map[ID]Status{key(3).ID: Void}, Tips: []Tip{{id("device"), key(5).ID, 6, 1}}}); err != nil {
		t.Fatal(err)
	}
	var kinds []ID
	err := r.Control(t.Context(), func(part []Event) error {
		for _, e := range part {
			kinds = append(kinds, e.ID)
		}
		return nil
	})
	if want := []ID{key(2).ID, key(4).ID, key(0).ID}; err != nil || !slices.Equal(kinds, want) {
		t.Errorf("control events are %v, %v", kinds, err)
	}
	found := 0
	err = r.Nodes(t.Context(), func(id ID, node []byte, parents []ID) error {
		if found++; id != key(4).ID || !slices.Equal(node, []byte{4}) || !slices.Equal(parents, []ID{key(3).ID}) {
			t.Errorf("a node is %v of %v after %v", node, id, parents)
		}
		return nil
	}, key(4).ID, id("nothing"))
	if err != nil || found != 1 {
		t.Errorf("%d nodes are found, %v", found, err)
	}
	about, err := r.About(t.Context(), key(1).ID, key(2).ID)
	if err != nil || len(about) != 1 || about[0].ID != key(5).ID || about[0].Target != key(1).ID {
		t.Errorf("about it are %v, %v", about, err)
	}
	tips, err := r.Tips(t.Context())
	if want := (Tip{id("device"), key(5).ID, 6, 1}); err != nil || len(tips) != 1 || tips[0] != want {
		t.Errorf("tips are %v, %v", tips, err)
	}
	shown, err := r.After(t.Context(), Key{}, 10)
	if err != nil || len(shown) != 4 { // but the void one and the hidden one
		t.Errorf("%d are shown, %v", len(shown), err)
	}
	by := 0
	if err := r.By(t.Context(), id("author"), func(part []Event) error { by += len(part); return nil }); err != nil || by != 6 {
		t.Errorf("%d are by the author, %v", by, err)
	}
}

// What waits for its key is found by words, and counted, once it is opened, and no sooner.
func TestWaiting(t *testing.T) {
	r := room(t, open(t, t.TempDir()), "room")
	e := said(0, "")
	e.Waiting, e.Counts = true, false
	add(t, r, e, said(1, "here"))
	find := func(word string, want int) {
		t.Helper()
		if got, _, err := r.Search(t.Context(), Query{Text: word, Limit: 10}); err != nil || len(got) != want {
			t.Errorf("%s is found %d times, %v", word, len(got), err)
		}
	}
	find("apple", 0)
	waiting := 0
	for range 2 {
		err := r.Waiting(t.Context(), func(part []Event) error {
			waiting += len(part)
			part[0].Text, part[0].Counts, part[0].Waiting = "an apple", true, false
			return r.Opened(t.Context(), part...)
		})
		if err != nil || waiting != 1 {
			t.Errorf("%d have waited, %v", waiting, err)
		}
	}
	find("apple", 1)
	if _, n, err := r.Unread(t.Context()); n != 2 || err != nil {
		t.Errorf("%d are unread, %v", n, err)
	}
	if err := r.SetText(t.Context(), key(0).ID, "a pear"); err != nil {
		t.Fatal(err)
	}
	find("apple", 0)
	find("pear", 1)
	if err := r.Erase(t.Context(), key(0).ID); err != nil {
		t.Fatal(err)
	}
	if err := r.SetText(t.Context(), key(0).ID, "a plum"); err != nil {
		t.Fatal(err)
	}
	find("plum", 0)
}
