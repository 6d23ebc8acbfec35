package serve

import (
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// followSize hands the size of a person's terminal on to a program on a pseudo
// terminal at the other end, either way, until the ends are closed. The returned
// function waits for that.
func followSize(a, b transport.Conn) (wait func()) {
	var all sync.WaitGroup
	for _, pair := range [][2]transport.Conn{{a, b}, {b, a}} {
		s, ok := transport.About[transport.Sizer](pair[0])
		r, ok2 := transport.About[transport.Resizer](pair[1])
		if ok && ok2 {
			all.Go(func() { passSizes(s, r) })
		}
	}
	return all.Wait
}

func passSizes(s transport.Sizer, r transport.Resizer) {
	for {
		if rows, cols := s.WindowSize(); rows > 0 && cols > 0 {
			r.Resize(rows, cols) // a program that is gone needs no size
		}
		if _, open := <-s.SizeChanges(); !open {
			return
		}
	}
}
