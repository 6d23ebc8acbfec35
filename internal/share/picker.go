package share

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// A picker decides who is asked for which groups, so that all who have some are busy in
// proportion to how fast they are, and none sends what another has sent. It does no I/O;
// whoever calls it holds a lock.
type picker struct {
	groups  int64 // that are known of; it grows
	done    set   // groups that are there
	taken   set   // groups that somebody was asked for; those that came stay in it
	skipped set   // groups that are not wanted, which are taken too
	crowd   bool  // others fetch the share at the same time
	inOrder bool  // the first groups are wanted first
	begun   bool  // somebody was asked for something
	most    int64 // groups of a request, if not 0
	members []*member
	random  *rand.Rand
}

// A member is somebody who has something of the share.
type member struct {
	all       bool // it has everything
	have      set  // the pieces that it has, if not all
	lacks     set  // groups that it was asked for and could not give
	asked     []*request
	shortened func(*request) // is called when others are asked for the end of a request

	cursor int64 // where its last request ended, 0 before the first

	rate  float64   // groups a second; 0 while nothing is known
	fresh int64     // groups that came since
	since time.Time // then
}

// A request is a run of groups that a member was asked for, the answer to which has not
// ended. Members answer one after the other.
type request struct {
	number uint64
	run    tree.Run // the groups that are still to come from it
}

// The size of a request, and how much is asked for in advance.
const (
	firstWindow  = 16              // groups, while a member's rate is not known
	maxWindow    = 256             // groups: at most 16 MiB
	maxRequest   = 64              // groups: at most 4 MiB
	windowTime   = time.Second / 2 // worth of what a member sends
	requestParts = 4               // requests that make up a window
	rateTime     = time.Second / 10
	patience     = 1.0 // seconds: who will need longer gives something away at the end
)

func (p *picker) window(m *member) int64 {
	if m.rate == 0 {
		return firstWindow
	}
	return max(requestParts, min(int64(m.rate*windowTime.Seconds()), maxWindow))
}

// outstanding returns how many groups a member has yet to send.
func (m *member) outstanding() (n int64) {
	for _, r := range m.asked {
		n += r.run.Len()
	}
	return n
}

// next returns the next run to ask a member for, and notes it as asked for under a
// number. It is empty if there is nothing to ask it for now.
func (p *picker) next(m *member, number uint64, now time.Time) tree.Run {
	window := p.window(m)
	out := m.outstanding()
	size := p.atMost(min(max(window/requestParts, 1), maxRequest))
	if out > 0 && out+size > window {
		return tree.Run{}
	}
	r := p.free(m, size)
	if r.Len() == 0 {
		if r = p.steal(m, now); r.Len() == 0 {
			return r
		}
	}
	p.ask(m, number, r, now)
	return r
}

func (p *picker) atMost(n int64) int64 {
	if p.most > 0 {
		return min(n, p.most)
	}
	return n
}

// ask notes that a member was asked for a run.
func (p *picker) ask(m *member, number uint64, r tree.Run, now time.Time) {
	p.taken.add(r)
	if len(m.asked) == 0 {
		m.fresh, m.since = 0, now
	}
	m.asked = append(m.asked, &request{number, r})
	m.cursor = r.To
}

// open tells whether a group is wanted, nobody was asked for it, and m has it.
func (p *picker) open(m *member, g int64) bool {
	return g < p.groups && !p.taken.has(g) && m.holds(g)
}

func (m *member) holds(g int64) bool {
	return (m.all || m.have.has(g/piece)) && !m.lacks.has(g)
}

// free returns at most size groups that nobody was asked for.
func (p *picker) free(m *member, size int64) tree.Run {
	at := m.cursor
	if at == 0 || !p.open(m, at) {
		if at = p.start(m); at < 0 {
			return tree.Run{}
		}
	}
	end := at + 1
	for end < at+size && p.open(m, end) {
		end++
	}
	return tree.Run{From: at, To: end}
}

// start returns where a member that cannot go on from its last request begins, or -1.
func (p *picker) start(m *member) int64 {
	begun := p.begun
	p.begun = true
	switch {
	case p.inOrder:
		return p.firstOpen(m, 0)
	case !begun && m.all && len(p.members) == 1: // others may begin at the same time
		return max(p.firstOpen(m, p.random.Int64N(max(p.groups, 1))), p.firstOpen(m, 0))
	case p.crowd:
		return p.rare(m)
	default:
		return p.room(m)
	}
}

// firstOpen returns the first open group from a number on, or -1.
func (p *picker) firstOpen(m *member, from int64) int64 {
	for at := from; at < p.groups; {
		i := at / piece
		if p.taken.word(i)|^(^uint64(0)<<(at%piece)) == ^uint64(0) || !m.all && !m.have.has(i) {
			at = (i + 1) * piece
			continue
		}
		if p.open(m, at) {
			return at
		}
		at++
	}
	return -1
}

// firstLacking returns the first group that is wanted and not there, or how many there are.
func (p *picker) firstLacking() (g int64) {
	for g < p.groups {
		if g = p.done.scan(g, p.groups, true); !p.skipped.has(g) {
			break
		}
		g = p.skipped.scan(g, p.groups, true)
	}
	return g
}

// samples is how many open pieces are looked at for the rarest of them.
const samples = 16

// rare returns an open group that few have, by looking at some at random: those who fetch
// the same share at the same time shall come to have different parts of it.
func (p *picker) rare(m *member) int64 {
	best, fewest := int64(-1), 0
	for range samples {
		at := p.firstOpen(m, p.random.Int64N(max(p.groups, 1)))
		if at < 0 {
			continue
		}
		if n := p.holders(at); best < 0 || n < fewest {
			best, fewest = at, n
		}
	}
	if best < 0 {
		best = p.firstOpen(m, 0)
	}
	return best
}

func (p *picker) holders(g int64) (n int) {
	for _, m := range p.members {
		if m.holds(g) {
			n++
		}
	}
	return n
}

// room returns where the longest stretch of open pieces begins that the fewest have, or
// its middle, if another member is on its way into it from the front; or -1.
func (p *picker) room(m *member) int64 {
	partial := slices.ContainsFunc(p.members, func(o *member) bool { return !o.all })
	var best, this tree.Run
	fewest, holders := 0, 0
	for i := range pieces(p.groups) {
		if p.taken.word(i) != 0 || !m.all && !m.have.has(i) {
			this = tree.Run{}
			continue
		}
		n := 0
		if partial {
			n = p.holders(i * piece)
		}
		if this.To != i || n != holders {
			this, holders = tree.Run{From: i, To: i}, n
		}
		this.To++
		if best.Len() == 0 || n < fewest || n == fewest && this.Len() > best.Len() {
			best, fewest = this, n
		}
	}
	at := best.From
	if slices.ContainsFunc(p.members, func(o *member) bool {
		return o != m && len(o.asked) > 0 && (o.cursor/piece == at || o.cursor/piece == at-1)
	}) {
		at += best.Len() / 2
	}
	if at = p.firstOpen(m, at*piece); at >= 0 {
		return at
	}
	return p.firstOpen(m, 0)
}

// steal takes groups away from the member that will be the last to end, so that it and m
// end at the same time. The other is to be told that its last request has become shorter.
func (p *picker) steal(m *member, now time.Time) tree.Run {
	if len(m.asked) > 0 {
		return tree.Run{}
	}
	var slow *member
	most := patience
	for _, o := range p.members {
		if t := o.seconds(now); o != m && o.outstanding() > 0 && t > most {
			slow, most = o, t
		}
	}
	if slow == nil {
		return tree.Run{}
	}
	n := (slow.outstanding() + 1) / 2
	if m.rate > 0 {
		n = int64(math.Ceil(float64(slow.outstanding()) * m.rate / (m.rate + slow.rate)))
		if float64(n)/m.rate > most/2 {
			return tree.Run{} // it would come hardly sooner
		}
	}
	i := len(slow.asked) - 1
	for slow.asked[i].run.Len() == 0 {
		i--
	}
	last := slow.asked[i]
	r := tree.Run{From: last.run.To - min(n, last.run.Len()), To: last.run.To}
	for g := r.From; g < r.To; g++ {
		if !m.holds(g) {
			return tree.Run{}
		}
	}
	last.run.To = r.From
	slow.shortened(last)
	return r
}

// seconds returns how long a member will need for what it was asked for, as far as that is
// known: one that has sent nothing lately will need as long again as it has taken.
func (m *member) seconds(now time.Time) float64 {
	quiet := 2 * now.Sub(m.since).Seconds()
	if m.rate == 0 {
		return quiet
	}
	return max(quiet, float64(m.outstanding())/m.rate)
}

// got notes that a member has sent a group, and tells whether it is new.
func (p *picker) got(m *member, g int64, now time.Time) bool {
	m.fresh++
	if d := now.Sub(m.since); d >= rateTime {
		rate := float64(m.fresh) / d.Seconds()
		if m.rate > 0 {
			rate = 0.6*m.rate + 0.4*rate
		}
		m.rate, m.fresh, m.since = rate, 0, now
	}
	if len(m.asked) > 0 && g >= m.asked[0].run.From {
		m.asked[0].run.From = min(g+1, m.asked[0].run.To)
	}
	one := tree.Run{From: g, To: g + 1}
	p.taken.add(one)
	return p.done.add(one) > 0
}

// ended notes that a member has answered its first request. What did not come of it, and was
// not taken away from it, can be asked for again, but for what is lacking: that can be had from
// others only.
func (p *picker) ended(m *member, lacking tree.Run) {
	r := m.asked[0]
	m.asked = m.asked[1:]
	p.release(r.run)
	m.lacks.add(lacking)
}

// release has groups asked for again that have not come, but for those that are not wanted.
func (p *picker) release(r tree.Run) {
	for r.From < r.To {
		open := p.done.missing(r.From, r.To)
		p.taken.remove(open)
		for at := open.From; at < open.To; {
			from := p.skipped.scan(at, open.To, false)
			at = p.skipped.scan(from, open.To, true)
			p.taken.add(tree.Run{From: from, To: at})
		}
		r.From = max(open.To, r.From+1)
	}
}

// join and leave say who has something.
func (p *picker) join(m *member) { p.members = append(p.members, m) }

func (p *picker) leave(m *member) {
	p.members = slices.DeleteFunc(p.members, func(o *member) bool { return o == m })
	for _, r := range m.asked {
		p.release(r.run)
	}
	m.asked = nil
}
