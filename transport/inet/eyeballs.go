package inet

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// attemptDelay is the head start that an address has over the next one, the
// Connection Attempt Delay of RFC 8305, section 5.
const attemptDelay = 250 * time.Millisecond

// interleave puts the addresses in the order of RFC 8305, section 4: the families
// take turns, the best address of all first.
func interleave(addrs []netip.AddrPort) []netip.AddrPort {
	var same, other []netip.AddrPort
	for _, a := range addrs {
		if a.Addr().Is4() == addrs[0].Addr().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	if len(other) == 0 {
		return addrs
	}
	out := addrs[:0:0]
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// A race is between connections to addresses of the same name.
type race struct {
	dial   *Dial
	addrs  []netip.AddrPort // not tried yet
	local  localAddr        // to connect from
	permit func(netip.AddrPort) error
	err    error // the most telling one so far

	results chan result // of the attempts that goroutines wait for; has room for all
	pending int         // how many those are
	cancel  func()      // ends them; nil if there never was one
}

type result struct {
	conn *Conn
	err  error
}

// race connects to the first of addrs that answers. When it returns, nothing of
// the other attempts is left.
func (d *Dial) race(ctx context.Context, addrs []netip.AddrPort, local localAddr, permit func(netip.AddrPort) error) (*Conn, error) {
	r := &race{dial: d, addrs: addrs, local: local, permit: permit}
	defer r.finish()
	attempts := ctx
	for ctx.Err() == nil {
		switch {
		case len(r.addrs) > 0:
			conn, a := r.begin()
			if conn != nil {
				return conn, nil
			}
			if a == nil {
				continue
			}
			if r.pending == 0 && len(r.addrs) == 0 { // nothing to race with
				conn, err := a.wait(ctx)
				r.note(err)
				if conn != nil {
					return conn, nil
				}
				continue
			}
			if r.cancel == nil {
				attempts, r.cancel = context.WithCancel(ctx)
				r.results = make(chan result, len(addrs))
			}
			r.pending++
			go r.wait(attempts, a)
		case r.pending == 0:
			return nil, r.err
		}
		if conn := r.await(); conn != nil {
			return conn, nil
		}
	}
	return nil, dialError(addrs[0], contextError(ctx))
}

// begin starts the next attempt. It returns nothing if that failed at once.
func (r *race) begin() (*Conn, *attempt) {
	to := r.addrs[0]
	r.addrs = r.addrs[1:]
	if err := r.permit(to); err != nil {
		r.note(err)
		return nil, nil
	}
	conn, a, err := r.dial.begin(to, r.local)
	r.note(err)
	return conn, a
}

// await returns the first connection; or nil when it is time for another attempt,
// because one has failed or has had its head start.
func (r *race) await() *Conn {
	var headStart <-chan time.Time
	if len(r.addrs) > 0 {
		timer := time.NewTimer(attemptDelay)
		defer timer.Stop()
		headStart = timer.C
	}
	select {
	case got := <-r.results:
		r.pending--
		r.note(got.err)
		return got.conn
	case <-headStart:
		return nil
	}
}

func (r *race) wait(ctx context.Context, a *attempt) {
	conn, err := a.wait(ctx)
	r.results <- result{conn, err}
}

// finish ends the attempts that were not first, and drops those that made it all
// the same.
func (r *race) finish() {
	if r.cancel != nil {
		r.cancel()
	}
	for ; r.pending > 0; r.pending-- {
		if late := <-r.results; late.conn != nil {
			late.conn.Abort(nil)
		}
	}
}

// note keeps the error that tells most: that a protocol or a network is missing
// here tells least, since there are other addresses.
func (r *race) note(err error) {
	if err != nil && (r.err == nil || rank(err) > rank(r.err)) {
		r.err = err
	}
}

func rank(err error) int {
	switch {
	case errors.Is(err, transport.ErrDenied):
		return 2
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return 0
	}
	return 1
}
