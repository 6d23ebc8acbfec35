package irc

// A recent is a set of the latest things that were added.
type recent[K comparable] struct {
	ring []K
	next int
	in   map[K]int // how often it is in ring
	max  int
}

func newRecent[K comparable](most int) *recent[K] {
	return &recent[K]{in: map[K]int{}, max: most}
}

// has tells whether k is in it.
func (r *recent[K]) has(k K) bool { return r.in[k] > 0 }

// add puts k in, and takes the oldest out if there are too many.
func (r *recent[K]) add(k K) {
	if r.has(k) {
		return
	}
	if len(r.ring) < r.max {
		r.ring = append(r.ring, k)
	} else {
		old := r.ring[r.next]
		if r.in[old]--; r.in[old] == 0 {
			delete(r.in, old)
		}
		r.ring[r.next] = k
		r.next = (r.next + 1) % r.max
	}
	r.in[k]++
}
