package rbsr

import (
	"slices"
	"sort"
	"sync"
)

const (
	blockKeys = 1024 // in a block, at most
	growKeys  = 64   // by which a block's memory grows
)

// A Set is a sorted set of keys. It takes about 42 bytes for a key that came in order and
// at most 48 for others. A key that is added anywhere moves those of one block; the
// fingerprint of a range costs the sums of two parts of blocks, however long the range is.
//
// The zero Set is empty. Methods may be called from any goroutine.
type Set struct {
	mu     sync.Mutex // guards what follows
	blocks []*block   // none is empty
	n      int
	clean  int // of so many blocks, the first ones, before and sumBefore are right
}

// A block is a run of keys.
type block struct {
	keys      []Key
	sum       sum // of its own keys
	before    int // how many keys are in the blocks before this one
	sumBefore sum // and their sum
}

// Add adds keys and returns how many are new. A key with the time of [End] is never in a
// Set.
func (s *Set) Add(keys ...Key) (added int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if k.Time != End.Time && s.add(k) {
			added++
		}
	}
	return added
}

// block returns the index of the block that k is in or belongs into.
func (s *Set) block(k Key) int {
	if n := len(s.blocks); n > 0 && !k.Less(s.blocks[n-1].keys[0]) {
		return n - 1 // what is new is mostly last
	}
	i := sort.Search(len(s.blocks), func(i int) bool { return k.Less(s.blocks[i].keys[0]) })
	return max(i-1, 0)
}

func (s *Set) add(k Key) bool {
	if s.n == 0 {
		s.blocks, s.n, s.clean = []*block{{keys: resize([]Key{k}, growKeys), sum: sumOf(&k.ID)}}, 1, 0
		return true
	}
	i := s.block(k)
	b := s.blocks[i]
	at, there := b.find(k)
	if there {
		return false
	}
	if len(b.keys) == blockKeys {
		// Where keys come in order, blocks are full, and else at least half full.
		cut := blockKeys / 2
		if i == len(s.blocks)-1 && at == blockKeys {
			cut = blockKeys
		}
		next := &block{keys: resize(b.keys[cut:], 0)}
		b.keys = resize(b.keys[:cut], 0)
		b.sum = total(b.keys)
		next.sum = total(next.keys)
		s.blocks = slices.Insert(s.blocks, i+1, next)
		s.clean = min(s.clean, i+1)
		if at >= cut {
			i, b, at = i+1, next, at-cut
		}
	}
	if len(b.keys) == cap(b.keys) {
		b.keys = resize(b.keys, growKeys)
	}
	b.keys = slices.Insert(b.keys, at, k)
	b.sum.add(sumOf(&k.ID))
	s.n++
	s.clean = min(s.clean, i+1)
	return true
}

// resize copies keys to where there is room for so many more, and little else.
func resize(keys []Key, more int) []Key {
	return append(slices.Grow([]Key(nil), len(keys)+more), keys...)
}

// Remove removes keys and returns how many were there.
func (s *Set) Remove(keys ...Key) (removed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if s.remove(k) {
			removed++
		}
	}
	return removed
}

func (s *Set) remove(k Key) bool {
	if s.n == 0 {
		return false
	}
	i := s.block(k)
	b := s.blocks[i]
	at, there := b.find(k)
	if !there {
		return false
	}
	b.keys = slices.Delete(b.keys, at, at+1)
	b.sum.sub(sumOf(&k.ID))
	s.n--
	s.clean = min(s.clean, i+1)
	if len(b.keys) == 0 {
		s.blocks = slices.Delete(s.blocks, i, i+1)
		s.clean = min(s.clean, i)
	}
	return true
}

// Has tells whether k is there.
func (s *Set) Has(k Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has(k)
}

func (s *Set) has(k Key) bool {
	if s.n == 0 {
		return false
	}
	_, there := s.blocks[s.block(k)].find(k)
	return there
}

// Len returns how many keys there are.
func (s *Set) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// Last returns the greatest key, if there is one.
func (s *Set) Last() (k Key, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return k, false
	}
	b := s.blocks[len(s.blocks)-1]
	return b.keys[len(b.keys)-1], true
}

// Append appends keys to p that are not below from, in order, and at most max.
func (s *Set) Append(p []Key, from Key, max int) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.rank(from)
	return s.append(p, at, min(at+max, s.n))
}

// Fingerprint returns the fingerprint of the keys from from on and below to, and how many
// they are.
func (s *Set) Fingerprint(from, to Key) (Fingerprint, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, j := s.rank(from), s.rank(to)
	return s.fingerprint(i, max(i, j)), max(j-i, 0)
}

func (b *block) find(k Key) (int, bool) { return slices.BinarySearchFunc(b.keys, k, Key.Compare) }

func total(keys []Key) (t sum) {
	for i := range keys {
		t.add(sumOf(&keys[i].ID))
	}
	return t
}

// freshen makes what blocks know of those before them right.
func (s *Set) freshen() {
	for i := s.clean; i < len(s.blocks); i++ {
		b := s.blocks[i]
		b.before, b.sumBefore = 0, sum{}
		if i > 0 {
			p := s.blocks[i-1]
			b.before, b.sumBefore = p.before+len(p.keys), p.sumBefore
			b.sumBefore.add(p.sum)
		}
	}
	s.clean = len(s.blocks)
}

// rank returns how many keys are below k.
func (s *Set) rank(k Key) int {
	if s.n == 0 {
		return 0
	}
	s.freshen()
	b := s.blocks[s.block(k)]
	at, _ := b.find(k)
	return b.before + at
}

// holding returns the block of position at, which is below n.
func (s *Set) holding(at int) int {
	return sort.Search(len(s.blocks), func(i int) bool { return s.blocks[i].before > at }) - 1
}

// key returns the key at a position.
func (s *Set) key(at int) Key {
	s.freshen()
	b := s.blocks[s.holding(at)]
	return b.keys[at-b.before]
}

func (s *Set) append(p []Key, i, j int) []Key {
	s.freshen()
	for i < j {
		b := s.blocks[s.holding(i)]
		part := b.keys[i-b.before : min(j-b.before, len(b.keys))]
		p, i = append(p, part...), i+len(part)
	}
	return p
}

// sumTo returns the sum of the first at keys.
func (s *Set) sumTo(at int) sum {
	if at == 0 {
		return sum{}
	}
	s.freshen()
	b := s.blocks[s.holding(at-1)]
	in := at - b.before
	if in > len(b.keys)/2 {
		t, rest := b.sumBefore, total(b.keys[in:])
		t.add(b.sum)
		t.sub(rest)
		return t
	}
	t := total(b.keys[:in])
	t.add(b.sumBefore)
	return t
}

func (s *Set) fingerprint(i, j int) Fingerprint {
	t := s.sumTo(j)
	t.sub(s.sumTo(i))
	return t.fingerprint(j - i)
}
