package mailbox

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
)

// A mailbox is killed in the middle of keeping, again and again. All that it has said to keep is there.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("MAILBOX_TEST_DIR"); dir != "" {
		child(dir)
	}
	dir, told := t.TempDir(), 0
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "MAILBOX_TEST_DIR="+dir, "MAILBOX_TEST_FROM="+strconv.Itoa(told))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines, n := bufio.NewScanner(out), 0; lines.Scan(); n++ {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Error(err)
			}
			if n == 10 {
				cmd.Process.Kill() //nolint:errcheck // the loop ends then
			}
		}
		cmd.Wait() //nolint:errcheck // it was killed
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

func child(dir string) {
	s, box, _ := killed(dir)
	var w peertest.World
	id := w.Node("a", nil).Self()
	b, err := s.use(box)
	from, _ := strconv.Atoi(os.Getenv("MAILBOX_TEST_FROM")) //nolint:errcheck // it is a number
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
