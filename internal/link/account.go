package link

import "sync/atomic"

// An account bounds memory: that of one peer, and above it that of all.
type account struct {
	used   atomic.Int64
	limit  int64
	parent *account
}

// take books n bytes, if there are so many, or at any rate if they must be had.
func (a *account) take(n int64, must bool) bool {
	for b := a; b != nil; b = b.parent {
		if b.used.Add(n) > b.limit && !must {
			for c := a; ; c = c.parent {
				c.used.Add(-n)
				if c == b {
					return false
				}
			}
		}
	}
	return true
}

// give takes the booking back.
func (a *account) give(n int64) {
	for ; a != nil; a = a.parent {
		a.used.Add(-n)
	}
}
