package shares

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store/storetest"
)

// A holder, and who brings it something, are killed in the middle, again and again. All that the holder has told of is there,
// and the copy is brought to an end.
func TestHoldKilled(t *testing.T) {
	dir, told := storetest.Killed(t, 3, 2, func(dir, _ string) { bringHeld(t, dir) })
	alice, bob := personsAt(t, dir)
	last, err := strconv.ParseInt(told[len(told)-1], 10, 64)
	must(t, err)
	held := bob.held()
	if len(held) != 1 || held[0].Have < last || held[0].Have == held[0].Bytes {
		t.Errorf("held is %+v, and %d bytes were told of", held, last)
	}
	s := alice.List()[0]
	alice.holderNow(s.ID, isDone)
	alice.end()
	defer alice.start()
	target := t.TempDir()
	carol := newPerson(t, bob.world, "carol")
	must(t, carol.get(s.Ticket, target))
	sameTree(t, filepath.Join(dir, "things"), target)
}

// personsAt starts two whose state is in a directory.
func personsAt(t *testing.T, dir string) (alice, bob *person) {
	world := new(peertest.World)
	bob = newPersonAt(t, world, "bob", filepath.Join(dir, "bob"))
	alice = newPersonAt(t, world, "alice", filepath.Join(dir, "alice"))
	bob.allow(alice)
	return alice, bob
}

// bringHeld tells, line by line, how many bytes a holder has.
func bringHeld(t *testing.T, dir string) {
	alice, bob := personsAt(t, dir)
	if len(alice.List()) == 0 {
		things := filepath.Join(dir, "things")
		must(t, os.MkdirAll(things, 0o755))
		must(t, os.WriteFile(filepath.Join(things, "small"), []byte("small"), 0o644))
		must(t, os.WriteFile(filepath.Join(things, "large"), make([]byte, 60<<20), 0o644))
		_, err := alice.Share(t.Context(), api.ShareRequest{Paths: []string{things}, Hold: []string{bob.net.Self().String()}, Up: 16 << 20})
		must(t, err)
	}
	for last := int64(-1); ; time.Sleep(10 * time.Millisecond) {
		for _, s := range bob.held() {
			if s.Have != last {
				last = s.Have
				fmt.Println(last)
			}
		}
	}
}
