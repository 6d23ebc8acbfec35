//go:build linux

package bus

// limits is the bounds of a queue and the rule for when it is full.
type limits struct {
	rule  rule
	queue int   // messages
	size  int64 // bytes
}

func (b *Bus) limits() limits {
	l := limits{rule: ruleOf(b.Slow), queue: b.Queue, size: b.QueueSize}
	if l.queue == 0 {
		l.queue = DefaultQueue
	}
	if l.size == 0 {
		l.size = DefaultQueueSize
	}
	return l
}

// exceeded tells whether a queue of that many messages and bytes is too long. One
// message never is.
func (l *limits) exceeded(n int, size int64) bool {
	return n > 1 && (n > l.queue || size > l.size)
}

// A rule is what happens when a queue is full.
type rule byte

const (
	skipRule rule = 1 + iota
	cutRule
	waitRule
)

// ruleOf returns the rule of that name, or 0.
func ruleOf(name string) rule {
	switch name {
	case "", Skip:
		return skipRule
	case Cut:
		return cutRule
	case Wait:
		return waitRule
	}
	return 0
}
