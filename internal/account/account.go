// Package account bounds memory that others cause to be held: what is booked on an
// account counts for those above it, too. It knows no buffers; choose it where many hold
// something that all together must stay within a limit.
package account

import "sync/atomic"

// An Account is what may be booked on it and on those above it: that of one peer, and
// above it that of all. The zero Account lets nothing be booked. All methods may be called
// from any goroutine.
type Account struct {
	used   atomic.Int64
	Limit  int64    // not changed once something was booked
	Parent *Account // or nil
}

// Take books n bytes, if there are so many, or at any rate if they must be had.
func (a *Account) Take(n int64, must bool) bool {
	for b := a; b != nil; b = b.Parent {
		if b.used.Add(n) > b.Limit && !must {
			for c := a; ; c = c.Parent {
				c.used.Add(-n)
				if c == b {
					return false
				}
			}
		}
	}
	return true
}

// Give takes the booking back.
func (a *Account) Give(n int64) {
	for ; a != nil; a = a.Parent {
		a.used.Add(-n)
	}
}

// Used returns what is booked now.
func (a *Account) Used() int64 { return a.used.Load() }
