package log

import (
	"fmt"
	"testing"
)

// Of the prekeys of a device the latest one is told, and eight are kept; marks and prekeys are told in the order
// in which they came.
func TestPrekeys(t *testing.T) {
	ctx := t.Context()
	l := open(t, t.TempDir())
	r, other := room(t, l, "room"), room(t, l, "other")
	prekey := func(device string, time uint64) Prekey {
		return Prekey{id(device), time, fmt.Append(nil, device, " ", time)}
	}
	put := func(n int, all ...Prekey) {
		t.Helper()
		newer, err := r.PutPrekeys(ctx, all...)
		if err != nil || len(newer) != n {
			t.Errorf("%d of %v are newer, %v", len(newer), all, err)
		}
	}
	rows := func(r *Room, after int64) (last int64, text string) {
		t.Helper()
		rows, last, err := r.Rows(ctx, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		return last, fmt.Sprintf("%s", rows)
	}
	put(2, prekey("a", 5), prekey("b", 7))
	put(0, prekey("a", 5), prekey("a", 4), prekey("b", Last.Time+1))
	if _, err := r.PutMarks(ctx, Mark{Device: id("a"), Stamp: 1, Bytes: []byte("mark")}); err != nil {
		t.Fatal(err)
	}
	put(1, prekey("a", 6))
	last, text := rows(r, 0)
	want(t, "rows", text, "[b 7 mark a 6]")
	if again, text := rows(r, last); again != last || text != "[]" {
		t.Errorf("behind the last there are %s", text)
	}
	for n := range uint64(20) {
		put(1, prekey("a", 10+n))
	}
	_, text = rows(r, last)
	want(t, "rows that are new", text, "[a 29]")
	all, err := r.Prekeys(ctx)
	if err != nil || len(all) != KeptPrekeys+1 || all[0].Time == 5 {
		t.Errorf("kept are %v, %v", all, err)
	}
	if _, text := rows(other, 0); text != "[]" {
		t.Errorf("another room has %s", text)
	}
	if err := r.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, text := rows(room(t, l, "room"), 0); text != "[]" {
		t.Errorf("a room that was forgotten has %s", text)
	}
}
