package rbsr

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A talk is what an exchange has taken.
type talk struct {
	trips     int // round trips
	sent, got int // bytes, seen from the side that began
	exchanges int
}

// reconcile has a and b exchange until both know what they lack. The one with a began.
func reconcile(t testing.TB, a, b *Set) (needA, needB []Key, took talk) {
	t.Helper()
	for from := (Key{}); from != End; took.exchanges++ {
		x, m := Begin(a, from)
		y := Join(b)
		var err error
		for m != nil {
			took.sent += len(m)
			if m, err = y.Take(m); err != nil {
				t.Fatal(err)
			}
			took.trips++
			if m == nil {
				break
			}
			if took.got += len(m); len(m) > MaxMessage {
				t.Fatalf("a message of %d bytes", len(m))
			}
			if m, err = x.Take(m); err != nil {
				t.Fatal(err)
			}
		}
		endX, overX := x.Over()
		endY, overY := y.Over()
		if !overX || !overY || endX != endY || !from.Less(endX) {
			t.Fatalf("one side is %v at %x, the other one %v at %x", overX, endX, overY, endY)
		}
		needA, needB, from = append(needA, x.Need()...), append(needB, y.Need()...), endX
	}
	return needA, needB, took
}

// without returns the keys of a that b has not.
func without(a, b *Set) (keys []Key) {
	for _, k := range a.Append(nil, Key{}, a.Len()) {
		if !b.Has(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// converge reconciles and checks that both learned what they lack, and nothing else.
func converge(t testing.TB, a, b *Set) talk {
	t.Helper()
	needA, needB, took := reconcile(t, a, b)
	if !slices.Equal(needA, without(b, a)) {
		t.Fatalf("who began needs %d keys, and lacks %d", len(needA), len(without(b, a)))
	}
	if !slices.Equal(needB, without(a, b)) {
		t.Fatalf("who answered needs %d keys, and lacks %d", len(needB), len(without(a, b)))
	}
	return took
}

// pair makes two sets out of what both have and what only one has.
func pair(r *rand.Rand, times uint64, both, onlyA, onlyB int) (a, b *Set) {
	a, b = new(Set), new(Set)
	add := func(n int, sets ...*Set) {
		for range n {
			k := random(r, times)
			for _, s := range sets {
				s.Add(k)
			}
		}
	}
	add(both, a, b)
	add(onlyA, a)
	add(onlyB, b)
	return a, b
}

// Both sides learn what they lack and nothing else, whoever begins, and after one exchange of
// what was found nothing is left to find.
func TestConverge(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		size := func() int { return int(r.Uint64N(1 << r.Uint64N(12))) }
		times := uint64(1) << r.Uint64N(63)
		a, b := pair(r, times, size(), size(), size())
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			converge(t, a, b)
			converge(t, b, a)
			needA, needB, _ := reconcile(t, a, b)
			a.Add(needA...)
			b.Add(needB...)
			if took := converge(t, a, b); took.trips != 1 || took.exchanges != 1 {
				t.Errorf("equal sets take %+v", took)
			}
		})
	}
}

// Sets that differ by more than a message holds take several exchanges, each of which ends.
func TestManyExchanges(t *testing.T) {
	r := generator(t, 3)
	for _, c := range [][3]int{{0, 0, 20_000}, {0, 20_000, 0}, {8_000, 8_000, 8_000}, {40_000, 3_000, 3_000}} {
		a, b := pair(r, 1<<50, c[0], c[1], c[2])
		took := converge(t, a, b)
		t.Logf("%v: %+v", c, took)
	}
}

// Keys that come and go during an exchange do not disturb it.
func TestChangesMeanwhile(t *testing.T) {
	r := generator(t, 4)
	a, b := pair(r, 1<<50, 5000, 100, 100)
	want := without(b, a)
	x, m := Begin(a, Key{})
	y := Join(b)
	for m != nil {
		for range 50 {
			a.Add(random(r, 1<<50))
			b.Add(random(r, 1<<50))
		}
		var err error
		if m, err = y.Take(m); m == nil || err != nil {
			break
		}
		if m, err = x.Take(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, over := x.Over(); !over {
		t.Fatal("it is not over")
	}
	for _, k := range want {
		if !slices.Contains(x.Need(), k) {
			t.Errorf("%x was not found", k.ID[:4])
		}
	}
}

// An exchange can be about the later keys only.
func TestFrom(t *testing.T) {
	r := generator(t, 5)
	a, b := pair(r, 1000, 1000, 100, 100)
	from := Key{Time: 500}
	x, m := Begin(a, from)
	y := Join(b)
	for m != nil {
		m, _ = y.Take(m)
		if m != nil {
			m, _ = x.Take(m)
		}
	}
	later := func(keys []Key) []Key { return slices.DeleteFunc(keys, func(k Key) bool { return k.Less(from) }) }
	if !slices.Equal(x.Need(), later(without(b, a))) || !slices.Equal(y.Need(), later(without(a, b))) {
		t.Error("not what is lacking above")
	}
}

var million = flag.Bool("million", false, "have TestCosts compare sets of a million keys, too")

// The costs of docs/protocol/rooms-sync.md.
func TestCosts(t *testing.T) {
	for _, c := range []struct {
		both, a, b int
		recent     bool
		trips      int // at most
		sent, got  int // bytes, at most
	}{
		{10_000, 0, 0, false, 1, 24, 8},
		{10_000, 5, 5, true, 3, 1_000, 2_000},
		{100_000, 0, 1, false, 3, 2_000, 2_000},
		{100_000, 50, 50, true, 3, 5_000, 5_000},
		{100_000, 50, 50, false, 3, 120_000, 120_000},
		{1_000_000, 500, 500, true, 4, 40_000, 40_000},
		{0, 0, 10_000, false, 4, 500, 400_000},
	} {
		if c.both > 100_000 && !*million {
			t.Logf("a million keys are left out: -million has them")
			continue
		}
		r := rand.New(rand.NewPCG(9, 9))
		a, b := new(Set), new(Set)
		for i := range c.both {
			k := random(r, 1)
			k.Time = uint64(i) << 26 // about one a second
			a.Add(k)
			b.Add(k)
		}
		only := func(n int, s *Set) {
			for range n {
				k := random(r, uint64(max(c.both, 1))<<26)
				if c.recent {
					k.Time = uint64(c.both) << 26
				}
				s.Add(k)
			}
		}
		only(c.a, a)
		only(c.b, b)
		took := converge(t, a, b)
		t.Logf("| %d | %d/%d | recent %v | %d | %d / %d |", c.both, c.a, c.b, c.recent, took.trips, took.sent, took.got)
		if took.trips > c.trips || took.sent > c.sent || took.got > c.got {
			t.Errorf("%+v took %+v", c, took)
		}
	}
}

// refused are messages that nobody sends who keeps to the rules.
func refused() map[string][]byte {
	id := make([]byte, 32)
	cat := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	return map[string][]byte{
		"nothing":                  {},
		"no range":                 {1, 0},
		"only the end":             {0},
		"a range below":            {5, 0, 0, 0, 0, 0},
		"an empty range":           {2, 0, 1, 0, 0},
		"a time that is too great": {2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0},
		"a long number":            {0x81, 0, 0, 0, 0},
		"a long bound":             {1, 0, 2, 1, 0, 0, 0, 0},
		"a bound of 33 bytes":      cat([]byte{1, 0, 2, 33}, id, []byte{1, 0, 0}),
		"a kind that there is not": {1, 0, 0, 4},
		"skipped twice":            {1, 0, 2, 0, 0, 0, 0},
		"half a fingerprint":       {1, 0, 0, 1, 1, 2, 3},
		"half a key":               {1, 0, 0, 2, 1, 0, 1, 2},
		"many keys that are not":   {1, 0, 0, 2, 0xff, 0xff, 0xff, 0x7f},
		"a key twice":              cat([]byte{1, 0, 0, 2, 2, 1}, id, []byte{0}, id),
		"a key above its range":    cat([]byte{1, 0, 2, 0, 2, 1, 9}, id, []byte{0, 0}),
		"a key that overflows":     cat([]byte{9, 0, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, id),
		"having nothing":           {1, 0, 0, 3, 0},
		"something behind the end": {1, 0, 0, 0, 0, 1, 0},
	}
}

func TestHostileMessages(t *testing.T) {
	var s Set
	s.Add(Key{Time: 5})
	hostile := refused()
	hostile["more than a message may be"] = make([]byte, MaxMessage+1)
	for name, m := range hostile {
		if _, err := Join(&s).Take(m); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	x, _ := Begin(&s, Key{Time: 1})
	if _, err := x.Take([]byte{1, 0, 0, 0}); !errors.Is(err, ErrMessage) {
		t.Errorf("an answer to another question: %v", err)
	}
	if _, err := x.Take([]byte{2, 0, 0, 0}); !errors.Is(err, ErrMessage) {
		t.Errorf("a message after the end: %v", err)
	}
}

// One who never agrees is not listened to for ever.
func TestEndless(t *testing.T) {
	var s Set
	r := generator(t, 1)
	for range 100 {
		s.Add(random(r, 10))
	}
	x := Join(&s)
	m := append([]byte{1, 0, 0, 1}, make([]byte, 16)...)
	for range maxRounds {
		if _, err := x.Take(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.Take(m); !errors.Is(err, ErrMessage) {
		t.Errorf("round %d: %v", maxRounds+1, err)
	}
}

// FuzzTake takes any messages: an answer is a message, and no longer than one may be.
func FuzzTake(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	a, b := pair(r, 100, 500, 20, 20)
	x, m := Begin(a, Key{})
	y := Join(b)
	for m != nil {
		f.Add(m)
		if m, _ = y.Take(m); m == nil {
			break
		}
		f.Add(m)
		m, _ = x.Take(m)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		x := Join(a)
		answer, err := x.Take(m)
		if err != nil {
			if !errors.Is(err, ErrMessage) || answer != nil {
				t.Errorf("%v, and an answer of %d bytes", err, len(answer))
			}
			return
		}
		lower, spans, err := parse(m)
		if err != nil {
			t.Fatal(err)
		}
		if again := write(lower, spans); string(again) != string(m) {
			t.Errorf("%x is another form of %x", m, again)
		}
		if answer != nil {
			if _, err := Join(b).Take(answer); err != nil {
				t.Errorf("the answer: %v", err)
			}
		}
	})
}

// write writes a message out of its parts.
func write(lower Key, spans []span) []byte {
	w := writer{}
	w.begin(lower)
	for _, s := range spans {
		switch s.mode {
		case skip:
			w.skip(s.upper)
			w.flush()
		case print:
			w.fingerprint(s.upper, s.print)
		default:
			w.keys(s.upper, s.mode, s.keys)
		}
	}
	return w.p
}

func BenchmarkReconcile(b *testing.B) {
	for _, c := range [][3]int{{10_000, 0, 0}, {100_000, 0, 1}, {100_000, 50, 50}, {1_000_000, 500, 500}, {0, 0, 10_000}} {
		b.Run(fmt.Sprintf("%d+%d+%d", c[0], c[1], c[2]), func(b *testing.B) {
			x, y := pair(rand.New(rand.NewPCG(1, 1)), 1<<50, c[0], c[1], c[2])
			var took talk
			for b.Loop() {
				_, _, took = reconcile(b, x, y)
			}
			b.ReportMetric(float64(took.trips), "trips")
			b.ReportMetric(float64(took.sent+took.got), "bytes")
		})
	}
}
