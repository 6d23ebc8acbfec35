package share

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A source is a member in a simulation: it sends so many groups a second, a delay after
// it was asked.
type source struct {
	*member
	rate  float64
	delay time.Duration
	until time.Duration // 0, or when it is lost
	sends []sending     // what it was asked for, one after the other
	sent  int
}

type sending struct {
	run   tree.Run
	start time.Duration // when it can begin
}

// A simulation moves time from event to event.
type simulation struct {
	picker
	sources []*source
	t       *testing.T
	twice   int // groups that came and were there
}

func newSimulation(t *testing.T, groups int64, sources ...*source) *simulation {
	s := &simulation{t: t, sources: sources}
	s.groups, s.random = groups, rand.New(rand.NewPCG(1, uint64(groups)))
	for _, x := range sources {
		if x.member == nil {
			x.member = &member{all: true}
		}
		x.shortened = func(*request) {}
		s.join(x.member)
	}
	return s
}

// run returns how long it took.
func (s *simulation) run() time.Duration {
	start := time.Unix(0, 0)
	var now time.Duration
	free := map[*source]time.Duration{} // when a source has sent what it sends
	number := uint64(0)
	for s.done.count < s.groups {
		for _, x := range s.sources {
			for x.until == 0 || now < x.until {
				number++
				r := s.next(x.member, number, start.Add(now))
				if r.Len() == 0 {
					break
				}
				x.sends = append(x.sends, sending{r, now + x.delay})
			}
		}
		var first *source
		var at time.Duration
		for _, x := range s.sources {
			if len(x.asked) == 0 {
				continue
			}
			end := max(free[x], x.sends[0].start) + time.Duration(float64(time.Second)/x.rate)
			if x.until > 0 && end > x.until {
				end = x.until
			}
			if first == nil || end < at {
				first, at = x, end
			}
		}
		if first == nil {
			s.t.Fatalf("nobody is asked for anything, and %d of %d groups are there", s.done.count, s.groups)
		}
		now = at
		free[first] = at
		if first.until > 0 && now >= first.until {
			s.leave(first.member)
			first.sends = nil
			continue
		}
		if r := first.asked[0]; r.run.Len() > 0 { // the rest may have been stolen
			first.sent++
			if !s.got(first.member, r.run.From, start.Add(now)) {
				s.twice++
			}
		}
		if first.asked[0].run.Len() == 0 {
			s.ended(first.member, first.asked[0].run)
			first.sends = first.sends[1:]
		}
	}
	return now
}

// Each source sends in proportion to how fast it is, and all end at the same time.
func TestProportion(t *testing.T) {
	for _, test := range []struct {
		groups int64
		rates  []float64
		within float64 // of the best that is possible
	}{
		{16384, []float64{1000}, 1.05},
		{16384, []float64{1000, 1000}, 1.05},
		{16384, []float64{1000, 100}, 1.05},
		{16384, []float64{2000, 1000, 500, 20}, 1.1},
		{16384, []float64{5000, 1}, 1.2},
		{300, []float64{100, 100, 100}, 1.3},
		{10, []float64{100, 1}, 12},
		{1, []float64{100, 1}, 120},
	} {
		t.Run(fmt.Sprint(test.groups, test.rates), func(t *testing.T) {
			var sources []*source
			sum := 0.0
			for _, rate := range test.rates {
				sources = append(sources, &source{rate: rate, delay: 40 * time.Millisecond})
				sum += rate
			}
			s := newSimulation(t, test.groups, sources...)
			took, best := s.run(), float64(test.groups)/sum+0.04
			if took.Seconds() > test.within*best {
				t.Errorf("took %v, %.2f times the best", took, took.Seconds()/best)
			}
			if s.twice > 0 {
				t.Errorf("%d groups came twice", s.twice)
			}
		})
	}
}

// What a source was asked for that is lost goes to others.
func TestSourceIsLost(t *testing.T) {
	a := &source{rate: 1000, delay: time.Millisecond}
	b := &source{rate: 1000, delay: time.Millisecond, until: time.Second}
	s := newSimulation(t, 4096, a, b)
	took := s.run()
	if best := 3.1; took.Seconds() > 1.05*best {
		t.Errorf("took %v, the best is %v s", took, best)
	}
	if a.sent+b.sent != 4096 {
		t.Errorf("%d and %d groups were sent of 4096", a.sent, b.sent)
	}
}

// A source that has some pieces is asked for these, and one that cannot give a group is
// not asked for it again.
func TestWhoHasWhat(t *testing.T) {
	half := &member{}
	half.have.add(tree.Run{From: 0, To: 8})
	a, b := &source{rate: 1000}, &source{rate: 1000, member: half}
	s := newSimulation(t, 1024, a, b)
	s.run()
	if b.sent < 400 || a.sent < 400 {
		t.Errorf("%d from all, %d from the half", a.sent, b.sent)
	}

	p := &picker{groups: 10, random: rand.New(rand.NewPCG(1, 1))}
	m := &member{all: true}
	p.join(m)
	r := p.next(m, 1, time.Unix(0, 0))
	p.got(m, r.From, time.Unix(0, 1))
	p.ended(m, m.asked[0].run)
	for n := uint64(2); ; n++ {
		again := p.next(m, n, time.Unix(0, 2))
		if again.Len() == 0 {
			break
		}
		if again.Meets(tree.Run{From: r.From + 1, To: r.To}) {
			t.Errorf("%v is asked for, after %v could not be had", again, r)
		}
	}
}

// In order, a single source is asked for everything from the front.
func TestInOrder(t *testing.T) {
	p := &picker{groups: 1000, inOrder: true, random: rand.New(rand.NewPCG(1, 1))}
	a, b := &member{all: true}, &member{all: true}
	p.join(a)
	p.join(b)
	at := int64(0)
	for n := uint64(0); at < 24; n += 2 {
		for i, m := range []*member{a, b} {
			r := p.next(m, n+uint64(i), time.Unix(0, 0))
			if r.Len() > 0 && r.From != at {
				t.Fatalf("%v is asked for, want the groups from %d on", r, at)
			}
			at = max(at, r.To)
		}
	}
}

func TestSet(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var s set
		has := map[int64]bool{}
		for range 20 {
			from := random.Int64N(300)
			r := tree.Run{From: from, To: from + random.Int64N(150)}
			add := random.IntN(3) > 0
			more := int64(0)
			for g := r.From; g < r.To; g++ {
				if add && !has[g] {
					more++
				}
				has[g] = add
			}
			if !add {
				s.remove(r)
			} else if n := s.add(r); n != more {
				t.Fatalf("add(%v) returned %d, want %d", r, n, more)
			}
		}
		count := int64(0)
		for g := range int64(512) {
			if s.has(g) != has[g] {
				t.Fatalf("has(%d) is %v", g, !has[g])
			}
			if has[g] {
				count++
			}
		}
		if s.count != count {
			t.Fatalf("%d are counted, want %d", s.count, count)
		}
		from, limit := random.Int64N(450), int64(460)
		want := tree.Run{From: from, To: limit}
		for want.From < limit && has[want.From] {
			want.From++
		}
		for want.To = want.From; want.To < limit && !has[want.To]; {
			want.To++
		}
		if got := s.missing(from, limit); got != want {
			t.Fatalf("missing(%d, %d) is %v, want %v", from, limit, got, want)
		}
	}
}
