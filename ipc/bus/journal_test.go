//go:build linux

package bus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// places is what a journal holds, for people.
func (j *journal) places() string {
	var words []string
	for i := range j.entries {
		e := &j.entries[i]
		words = append(words, fmt.Sprintf("%d=%d#%d", e.seq, e.origin, e.oseq))
	}
	return strings.Join(words, " ")
}

func journalOf(n int) *journal {
	j := &journal{epoch: 1}
	for i := range n {
		j.add(entry{origin: uint64(i % 2), oseq: uint64(i/2 + 1), data: make([]byte, 10)})
	}
	return j
}

func TestJournalKeepsWhatIsNeeded(t *testing.T) {
	for _, tt := range []struct {
		need, stable uint64
		want         string
	}{
		{0, 9, "1=0#1 2=1#1 3=0#2 4=1#2"},
		{3, 9, "3=0#2 4=1#2"},
		{9, 2, "3=0#2 4=1#2"},
		{9, 9, "4=1#2"}, // the last value stays
	} {
		j := journalOf(4)
		j.trim(tt.need, tt.stable)
		if got := j.places(); got != tt.want {
			t.Errorf("need %d, stable %d: %s, want %s", tt.need, tt.stable, got, tt.want)
		}
	}
	j := journalOf(3 * keepMsgs)
	if j.trim(j.head, 0); len(j.entries) != keepMsgs {
		t.Errorf("%d messages are kept, want %d", len(j.entries), keepMsgs)
	}
	j = &journal{}
	for range 20 {
		j.add(entry{data: make([]byte, MaxMsg)})
	}
	if j.trim(j.head, 0); len(j.entries) != keepSize/MaxMsg-1 {
		t.Errorf("%d large messages are kept, want %d", len(j.entries), keepSize/MaxMsg-1)
	}
}

func TestJournalTakesBack(t *testing.T) {
	j := journalOf(6)
	gone := j.cutBack(3)
	if len(gone) != 3 || j.head != 3 || j.known(0) != 2 || j.known(1) != 1 || j.places() != "1=0#1 2=1#1 3=0#2" {
		t.Errorf("%d are gone, %d and %d are known, left is %s", len(gone), j.known(0), j.known(1), j.places())
	}
	j.add(entry{origin: 1, oseq: 2})
	if n, size := j.behind(3); n != 2 || size != 10+2*entryCost {
		t.Errorf("behind 3 are %d messages of %d bytes", n, size)
	}
	if gone := j.cutBack(9); len(gone) != 0 || j.head != 4 {
		t.Errorf("cutting back to a later place: %d are gone", len(gone))
	}
	if gone := j.cutBack(0); len(gone) != 4 || j.head != 0 || j.known(0) != 0 {
		t.Errorf("cutting back to nothing: %d are gone, head %d", len(gone), j.head)
	}
}

func TestJournalKnowsThePast(t *testing.T) {
	j := journalOf(5)
	j.begin(2)
	j.add(entry{origin: 1, oseq: 9})
	for _, tt := range []struct {
		epoch, seq, at uint64
		ok             bool
	}{{1, 3, 3, true}, {1, 8, 5, true}, {2, 6, 6, true}, {2, 9, 6, true}, {3, 1, 0, false}, {0, 0, 0, false}} {
		if at, ok := j.locate(tt.epoch, tt.seq); at != tt.at || ok != tt.ok {
			t.Errorf("place %d of epoch %d is %d, %v; want %d, %v", tt.seq, tt.epoch, at, ok, tt.at, tt.ok)
		}
	}
	for epoch := range uint64(2 * maxPast) {
		j.begin(epoch + 3)
	}
	if len(j.past) != maxPast {
		t.Errorf("%d epochs are remembered, want %d", len(j.past), maxPast)
	}
}

func TestJournalForgetsSilentPublishers(t *testing.T) {
	j := &journal{}
	for i := range uint64(3 * maxOrigins) {
		j.add(entry{origin: i, oseq: 1})
		j.trim(j.head, j.head)
	}
	if len(j.seen) > maxOrigins || j.known(3*maxOrigins-1) != 1 || j.known(0) != 0 {
		t.Errorf("%d are remembered", len(j.seen))
	}
}

// Whatever is acknowledged, given back and sent again, the numbers of an outbox go up
// by one, and none is forgotten that has no place.
func TestOutbox(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var o outbox
		var acked []own
		lowest := uint64(1) // without a place
		for range 30 {
			switch r.IntN(4) {
			case 0, 1:
				o.put(make([]byte, r.IntN(5)), false)
			case 2:
				o.unsent()
				if upto := lowest + uint64(r.IntN(3)); upto <= o.last && o.sent > int(upto-lowest) {
					acked = append(acked, o.waiting[:upto-lowest+1]...)
					acked[len(acked)-1] = o.waiting[upto-lowest]
					if m, ok := o.acked(upto); !ok || m.oseq != upto {
						t.Fatalf("%d is acknowledged, and was not there", upto)
					}
					lowest = upto + 1
				}
			case 3:
				back := acked[len(acked)-r.IntN(len(acked)+1):]
				if len(back) > 0 {
					lowest = back[0].oseq
				}
				acked = acked[:len(acked)-len(back)]
				known := lowest - 1 + uint64(r.IntN(int(o.last-lowest)+2))
				o.resume(min(known, lowest-1), append([]own(nil), back...))
			}
			held := int64(0)
			for i := range o.waiting {
				held += o.waiting[i].size()
				if o.waiting[i].oseq != lowest+uint64(i) {
					t.Fatalf("message %d stands where %d should", o.waiting[i].oseq, lowest+uint64(i))
				}
			}
			if held != o.held || o.sent > len(o.waiting) || uint64(len(o.waiting)) != o.last+1-lowest {
				t.Fatalf("%d bytes, %d sent, %d waiting, want %d bytes, all from %d to %d", o.held, o.sent, len(o.waiting), held, lowest, o.last)
			}
		}
	}
}
