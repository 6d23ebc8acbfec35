package mailbox

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/store/storetest"
)

// A mailbox is killed in the middle of keeping, again and again. All that it has said to keep is there.
func TestKilled(t *testing.T) {
	dir, lines := storetest.Killed(t, 3, 10, child)
	told, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	if told < 30*perPut {
		t.Fatalf("%d were told of", told)
	}
	s, box, end := killed(dir)
	defer end()
	b, err := s.use(box)
	if err != nil {
		t.Fatal(err)
	}
	defer s.unuse(b)
	for n := range told {
		if id := IDOf(numbered(n)); !b.set.Has(KeyOf(id)) {
			t.Errorf("blob %d is not there", n)
		}
	}
	if n := b.set.Len(); n%perPut != 0 || n != s.Stats().Blobs {
		t.Errorf("there are %d, counted %+v", n, s.Stats())
	}
}

const perPut = 7

func numbered(n int) []byte { return blob(fmt.Sprint("blob ", n), 300) }

// killed opens the mailbox.
func killed(dir string) (*Server, ID, func()) {
	db, err := store.Open(context.Background(), dir)
	var s *Server
	if err == nil {
		s, err = Open(context.Background(), Config{DB: db})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return s, ID(keyOf("box").ID().Bytes()), func() {
		s.Close()
		if err := db.Check(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		db.Close() //nolint:errcheck // it was checked
	}
}

func child(dir, last string) {
	s, box, _ := killed(dir)
	var w peertest.World
	id := w.Node("a", nil).Self()
	b, err := s.use(box)
	from, _ := strconv.Atoi(last) //nolint:errcheck // it is a number, or there is none yet
	for n := from; err == nil; n += perPut {
		var more [][]byte
		for i := range perPut {
			more = append(more, numbered(n+i))
		}
		if _, _, err = s.put(b, s.keep.owner(Caller{Name: id.String(), Friend: true}), more, nil); err == nil {
			fmt.Println(n + perPut)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
