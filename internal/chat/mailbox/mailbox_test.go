package mailbox

import (
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// What somebody has put into a box others get who have the key, though they are never there together; what
// two put is there once; and each learns what the other side lacks.
func TestKept(t *testing.T) {
	at(t, Config{}, func(p *place) {
		all := append(blobs("small", 300, 200), blobs("large", 5, MaxBlob)...)
		a := p.in("a", "box")
		need, lacks, err := a.Compare(holding(all...))
		if len(need) != 0 || len(lacks) != len(all) || err != nil {
			t.Fatalf("of an empty box: need %d, lacks %d, %v", len(need), len(lacks), err)
		}
		p.put(a, all[:200]...)
		p.put(a, all...)
		a.Close()
		b := p.in("b", "box")
		p.put(b, all[100:]...)
		own := blob("of b", 1000)
		need, lacks, err = b.Compare(holding(append(all[:100:100], own)...))
		if len(need) != len(all)-100 || len(lacks) != 1 || lacks[0] != IDOf(own) || err != nil {
			t.Errorf("need %d, lacks %d, %v", len(need), len(lacks), err)
		}
		if n := p.has(b, all...); n != len(all) {
			t.Errorf("%d of %d are in the box", n, len(all))
		}
		if s := p.Stats(); s.Blobs != len(all) {
			t.Errorf("kept are %+v", s)
		}
		// Another box has nothing of it, and the same stream may turn to it.
		if err := open(b, "another"); err != nil {
			t.Fatal(err)
		}
		if n := p.has(b, all...); n != 0 {
			t.Errorf("another box has %d", n)
		}
		b.Close()
	})
}

// The mailbox can be ended and started.
func TestRestart(t *testing.T) {
	at(t, Config{}, func(p *place) {
		all := blobs("b", 50, 500)
		s := p.in("a", "box")
		p.put(s, all...)
		s.Close()
		p.close()
		p.open(Config{})
		s = p.in("b", "box")
		defer s.Close()
		if n := p.has(s, all...); n != len(all) {
			t.Errorf("%d of %d are there", n, len(all))
		}
	})
}

// More than one exchange can tell is told by several.
func TestMany(t *testing.T) {
	at(t, Config{}, func(p *place) {
		all := blobs("b", 3000, 64)
		s := p.in("a", "box")
		defer s.Close()
		for set := holding(all...); ; {
			_, lacks, err := s.Compare(set)
			if err != nil {
				t.Fatal(err)
			}
			if len(lacks) == 0 {
				break
			}
			var more [][]byte
			for _, b := range all {
				for _, id := range lacks {
					if IDOf(b) == id {
						more = append(more, b)
					}
				}
			}
			p.put(s, more...)
		}
		if n := p.has(s, all...); n != len(all) {
			t.Errorf("%d of %d are there", n, len(all))
		}
	})
}

// Who waits is told at once when something is new, also if that was before he waited, and else after a while.
func TestWait(t *testing.T) {
	at(t, Config{}, func(p *place) {
		a, b := p.in("a", "box"), p.in("b", "box")
		defer a.Close()
		defer b.Close()
		begin := time.Now()
		put := make(chan error, 1) // the news may be here before b is told that it is kept
		time.AfterFunc(time.Minute, func() { put <- b.Put([][]byte{blob("one", 100)}) })
		if news, err := a.Wait(); !news || err != nil || time.Since(begin) > 61*time.Second {
			t.Errorf("%v, %v after %v", news, err, time.Since(begin))
		}
		if err := <-put; err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.Compare(new(rbsr.Set)); err != nil {
			t.Fatal(err)
		}
		p.put(b, blob("two", 100))
		begin = time.Now()
		if news, err := a.Wait(); !news || err != nil || time.Since(begin) > time.Second {
			t.Errorf("what was put before: %v, %v after %v", news, err, time.Since(begin))
		}
		if news, err := a.Wait(); news || err != nil || time.Since(begin) > waitTime+time.Second {
			t.Errorf("without news: %v, %v after %v", news, err, time.Since(begin))
		}
		if _, _, err := a.Compare(new(rbsr.Set)); err != nil {
			t.Errorf("after it: %v", err)
		}
		// What he has put himself is no news to him, and does not hide what others have.
		p.put(a, blob("own", 100))
		if news, err := a.Wait(); news || err != nil {
			t.Errorf("after one's own: %v, %v", news, err)
		}
		b = p.in("b", "box") // the other stream was silent for too long
		defer b.Close()
		p.put(b, blob("three", 100))
		p.put(a, blob("another own", 100))
		if news, err := a.Wait(); !news || err != nil {
			t.Errorf("after one of each: %v, %v", news, err)
		}
	})
}

// What has been kept long enough is deleted, also while the box is in use, and its place is free again.
func TestExpiry(t *testing.T) {
	at(t, Config{Limits: Limits{Keep: 24 * time.Hour, Guest: Quota{Blobs: 1200}, DayGuest: Quota{Blobs: 1200}}}, func(p *place) {
		old, young := blobs("old", 1100, 100), blobs("young", 50, 100)
		s := p.in("a", "box")
		p.put(s, old...)
		s.Close()
		time.Sleep(20 * time.Hour)
		s = p.in("a", "box")
		p.put(s, young...)
		s.Close()
		time.Sleep(3*time.Hour + 59*time.Minute)
		if got := p.Stats().Blobs; got != 1150 {
			t.Errorf("before the time there are %d", got)
		}
		s = p.in("a", "box")
		time.Sleep(15 * time.Minute) // it is cut meanwhile
		s.Close()
		if got := p.Stats().Blobs; got != 50 {
			t.Errorf("after it there are %d", got)
		}
		s = p.in("b", "box")
		defer s.Close()
		if n := p.has(s, young...); n != 50 {
			t.Errorf("%d of 50 young ones are there", n)
		}
	})
}
