package log

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/store/storetest"
)

// A child adds batches and says each once it is there; it is killed in the middle, again and again. Every batch
// that it has told of is there, whole, with what is searched and counted.
func TestKilled(t *testing.T) {
	dir, lines := storetest.Killed(t, 4, 10, child)
	told, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, dir) // and looks at the end whether all agrees
	r := room(t, l, "room")
	var keys []Key
	if err := r.Keys(t.Context(), func(part []Key) error { keys = append(keys, part...); return nil }); err != nil {
		t.Fatal(err)
	}
	_, unread, err := r.Unread(t.Context())
	if err != nil || len(keys) < told || told < 40*batch || len(keys)%batch != 0 || unread != len(keys) {
		t.Errorf("%d events are there, %d unread, %v; %d were told of", len(keys), unread, err, told)
	}
	heads, err := r.Heads(t.Context())
	if err != nil || len(heads) != 1 || heads[0] != key(len(keys)-1).ID {
		t.Errorf("heads are %v, %v", heads, err)
	}
}

const batch = 20

func child(dir, _ string) {
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	db, err := store.Open(ctx, dir)
	fail(err)
	l, err := Open(ctx, db)
	fail(err)
	r, err := l.Room(ctx, id("room"))
	fail(err)
	n := 0
	fail(r.Keys(ctx, func(part []Key) error { n += len(part); return nil }))
	for {
		var events []Event
		for range batch {
			events = append(events, said(n, "killed"))
			n++
		}
		_, err := r.Add(ctx, events...)
		fail(err)
		fmt.Println(n)
	}
}
