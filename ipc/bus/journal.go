//go:build linux

package bus

import "slices"

// What a member keeps for the others in case that the hub dies, beyond what it knows
// to have reached all: so many messages and bytes at most. It is more than the usual
// queue at the hub and what is on its way.
const (
	keepMsgs = 2 * DefaultQueue
	keepSize = 3 * DefaultQueueSize / 2
)

// entryCost is what a message counts in a queue besides its own bytes.
const entryCost = 64

// maxOrigins is how many publishers a journal remembers, those who published last.
// Only one whose message is in doubt when a hub dies has to be among them.
const maxOrigins = 4096

// maxPast is how many epochs a journal remembers.
const maxPast = 8

// An entry is a message in its place in the order.
type entry struct {
	seq    uint64 // its place; the first message has 1
	origin uint64 // who published it
	oseq   uint64 // its number among those of its origin, from 1
	text   bool
	data   []byte // never changed
	upto   int64  // bytes of the journal since its beginning, with this one; set by add
}

func (e *entry) size() int64 { return int64(len(e.data)) + entryCost }

// A span is an epoch that is over: the hub that began it is gone.
type span struct{ epoch, end uint64 }

// A mark is the last message of an origin.
type mark struct{ oseq, seq uint64 }

// A journal is the order as far as one program knows it: the newest messages without
// a gap, and what is needed to go on from there. A hub has one, and each member,
// which may become the next hub. It is not safe for use by several goroutines.
type journal struct {
	epoch   uint64  // of the hub whose order this is; 0 before there was one
	past    []span  // the epochs before, oldest first
	head    uint64  // place of the newest message
	entries []entry // the newest ones, up to head, in order and without a gap
	total   int64   // bytes of all entries since the beginning
	seen    map[uint64]mark
}

// first returns the place of the oldest message that is kept; head+1 if none is.
func (j *journal) first() uint64 { return j.head + 1 - uint64(len(j.entries)) }

// at returns the message at a place from first to head.
func (j *journal) at(seq uint64) *entry { return &j.entries[seq-j.first()] }

// behind returns how many messages and bytes there are from next on.
func (j *journal) behind(next uint64) (n int, size int64) {
	if next > j.head {
		return 0, 0
	}
	e := j.at(next)
	return int(j.head + 1 - next), j.total - e.upto + e.size()
}

// known returns the number of the last message of an origin that has a place; 0 if
// none is known.
func (j *journal) known(origin uint64) uint64 { return j.seen[origin].oseq }

// add puts e behind head.
func (j *journal) add(e entry) {
	j.head++
	e.seq = j.head
	j.total += e.size()
	e.upto = j.total
	j.entries = append(j.entries, e)
	if e.oseq > j.known(e.origin) {
		j.remember(e.origin, mark{e.oseq, e.seq})
	}
}

// remember notes the last message of an origin, and forgets the half of them that
// has been silent longest if there are too many.
func (j *journal) remember(origin uint64, m mark) {
	if j.seen == nil {
		j.seen = map[uint64]mark{}
	}
	j.seen[origin] = m
	if len(j.seen) <= maxOrigins {
		return
	}
	places := make([]uint64, 0, len(j.seen))
	for _, m := range j.seen {
		places = append(places, m.seq)
	}
	slices.Sort(places)
	for origin, m := range j.seen {
		if m.seq < places[len(places)/2] {
			delete(j.seen, origin)
		}
	}
}

// trim forgets messages before need that all members have, up to stable, or that are
// too many. The newest one stays: it is the last value of the bus.
func (j *journal) trim(need, stable uint64) {
	n := 0
	for n < len(j.entries)-1 {
		e := &j.entries[n]
		tooMany := len(j.entries)-n > keepMsgs || j.total-e.upto+e.size() > keepSize
		if e.seq >= need || e.seq > stable && !tooMany {
			break
		}
		n++
	}
	clear(j.entries[:n])
	j.entries = j.entries[n:]
}

// cutBack forgets what is behind seq, and returns it: it has no place any more.
func (j *journal) cutBack(seq uint64) []entry {
	n := len(j.entries)
	if seq < j.head {
		n -= int(min(j.head-seq, uint64(n)))
		j.head = seq
	}
	gone := slices.Clone(j.entries[n:])
	j.entries = j.entries[:n]
	for i := len(gone) - 1; i >= 0; i-- {
		e := &gone[i]
		j.total -= e.size()
		if j.known(e.origin) >= e.oseq {
			j.seen[e.origin] = mark{e.oseq - 1, e.seq - 1}
		}
	}
	return gone
}

// restart forgets all messages, which keep their places, and goes on behind seq.
func (j *journal) restart(seq uint64) {
	j.entries, j.head = nil, seq
}

// begin starts a new epoch behind head.
func (j *journal) begin(epoch uint64) {
	if j.epoch != 0 {
		j.past = append(j.past, span{j.epoch, j.head})
		j.past = j.past[max(0, len(j.past)-maxPast):]
	}
	j.epoch = epoch
}

// locate returns up to which place the order that a member at seq of that epoch has
// received is the order of this journal. It is false for an epoch that the journal
// knows nothing of.
func (j *journal) locate(epoch, seq uint64) (uint64, bool) {
	if epoch == j.epoch {
		return min(seq, j.head), true
	}
	for _, s := range j.past {
		if s.epoch == epoch {
			return min(seq, s.end), true
		}
	}
	return 0, false
}

// clone returns a copy that shares nothing but the bytes of messages.
func (j *journal) clone() journal {
	c := *j
	c.past, c.entries = slices.Clone(j.past), slices.Clone(j.entries)
	c.seen = make(map[uint64]mark, len(j.seen))
	for origin, m := range j.seen {
		c.seen[origin] = m
	}
	return c
}
