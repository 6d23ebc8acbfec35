package join

import (
	"context"
	"errors"
	"net"

	"github.com/tenon-net/tenon/transport"
)

// An Adopter is an end at whose home, in another process, it can be joined to a socket of
// this one. Then no byte of the joint passes through this process.
type Adopter interface {
	// Adopt joins the end to fd, a socket of TCP that does not block and that stands at the
	// side at, by those Options that an [Engine] heeds; Count is not nil. It owns fd, and
	// returns when the joint is over, as Join would. When ctx is done the joint is aborted.
	// If the error matches [ErrNotAdopted] nothing has begun, and fd is the caller's.
	Adopt(ctx context.Context, fd int, at Side, o Options) (Result, error)
}

// ErrNotAdopted: the bytes have to pass through this process.
var ErrNotAdopted = errors.New("not adopted")

// Adoptable tells whether an [Adopter] may take c: a socket of TCP, and nothing but that.
func Adoptable(c transport.Conn) bool {
	_, ok := transport.As[transport.Detacher](c)
	if !ok {
		return false
	}
	_, ok = c.RemoteAddr().(*net.TCPAddr)
	return ok
}

// hand has one end adopt the other one if it can. With errNotTaken the joint has not begun,
// and the ends that it returns are the ones to carry.
func hand(ctx context.Context, a, b transport.Conn, o Options) (r Result, ends [2]transport.Conn, err error) {
	ends = [2]transport.Conn{a, b}
	if !o.blind() {
		return r, ends, errNotTaken
	}
	for at, end := range ends {
		home, ok := ends[1-at].(Adopter)
		if !ok || !Adoptable(end) {
			continue
		}
		d, _ := transport.As[transport.Detacher](end)
		fd, err := d.Detach()
		if err != nil {
			break
		}
		r, err = home.Adopt(ctx, fd, Side(at), o)
		if errors.Is(err, ErrNotAdopted) {
			ends[at] = attach(fd, end)
			break
		}
		closed := [2]error{ends[A].Close(), ends[B].Close()}
		if err == nil {
			err = verdict(&r, nil, closed)
		}
		return r, ends, err
	}
	return r, ends, errNotTaken
}

// blind tells whether nobody in this process has to see the bytes.
func (o *Options) blind() bool { return len(o.Taps) == 0 && o.Limit <= 0 && o.HangUp == 0 }
