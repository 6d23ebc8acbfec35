package log

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
)

// The numbers of what arrives begin with 1 in each room, follow the order of arrival, and none is left out or
// told twice, whatever the pages are.
func TestArrived(t *testing.T) {
	ctx := context.Background()
	l := open(t, t.TempDir())
	other, r := room(t, l, "other"), room(t, l, "room")
	add(t, other, said(1, "elsewhere"))
	for _, n := range []int{5, 3, 9, 1} {
		add(t, r, said(n, "said"))
	}
	last, err := r.Latest(ctx)
	want(t, "the last number", []any{last, err}, []any{int64(4), nil})
	for limit := 1; limit < 6; limit++ {
		var got []uint64
		for after := int64(0); ; {
			page, next, err := r.Arrived(ctx, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				want(t, "the end", next, after)
				break
			}
			for _, e := range page {
				got = append(got, e.Time)
			}
			after = next
		}
		want(t, "the order", got, []uint64{said(5, "").Time, said(3, "").Time, said(9, "").Time, said(1, "").Time})
	}
	if n, err := room(t, l, "empty").Latest(ctx); n != 0 || err != nil {
		t.Errorf("of an empty room: %d, %v", n, err)
	}
}

// The beginning of an ID finds it, of any length, and no other room's.
func TestFind(t *testing.T) {
	ctx := context.Background()
	l := open(t, t.TempDir())
	r, other := room(t, l, "room"), room(t, l, "other")
	e, far := said(1, "here"), said(2, "there")
	add(t, r, e)
	add(t, other, far)
	digits := hex.EncodeToString(e.ID[:])
	for n := 1; n <= len(digits); n++ {
		if ids, err := r.Find(ctx, strings.ToUpper(digits[:n]), 3); err != nil || len(ids) != 1 || ids[0] != e.ID {
			t.Fatalf("%d digits: %x, %v", n, ids, err)
		}
	}
	for _, no := range []string{hex.EncodeToString(far.ID[:]), digits + "0", digits[:63] + "x", "g", digits[:20] + strings.Repeat("f", 44)} {
		if ids, err := r.Find(ctx, no, 3); err != nil || len(ids) > 0 {
			t.Errorf("%s: %x, %v", no, ids, err)
		}
	}
}
