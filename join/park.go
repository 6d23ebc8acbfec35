package join

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A direction that reads from a plain socket is parked when it has been silent for a while:
// its goroutine ends, with its stack and its buffer, and the engine starts another one when
// there is something to be read. Before an end is closed its direction is roused, and reads
// what comes of that as ever.
//
//	carried ---silent---> poked ---Read returns---> parked
//	   ^                    | something comes         | readable, or the end is about
//	   '--------------------+-------------------------' to be closed

// parkAfter is for how long a direction is silent before it is parked, and for twice that
// at most. It is long enough that who answers a person, or a timer of a second, does not pay
// for another goroutine each time.
const parkAfter = 1100 * time.Millisecond

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// A place is where a direction is parked.
type place struct {
	mu    sync.Mutex // guards what follows
	never bool       // it is not to be parked, or not any more
	poked bool       // the deadline of its Read has been set, to park it
	timer *time.Timer
	seen  int64       // how much had moved at the last look
	stop  func() bool // ends the wait of the engine; nil while the direction is carried
	again func()      // carries it
}

// mayPark has a direction parked when it is silent. It is called by who is about to carry it.
func (j *joint) mayPark(ctx context.Context, f *flow) {
	p := &f.place
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = nil
	if p.never {
		return
	}
	if p.again == nil {
		_, socket := transport.As[transport.Detacher](j.ends[f.from])
		_, bytes := j.ends[f.to].(transport.Stream)
		if p.never = !socket || !bytes; p.never {
			return
		}
		p.again = func() { j.carryOn(ctx, f) }
	}
	p.seen = j.moveCount(f)
	p.timer = time.AfterFunc(parkAfter, func() { j.look(f) })
}

func (j *joint) moveCount(f *flow) int64 {
	if f.dir == AB {
		return j.opt.Count.AB.Load()
	}
	return j.opt.Count.BA.Load()
}

// look pokes a direction that has been silent since the last look.
func (j *joint) look(f *flow) {
	p := &f.place
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.never || p.timer == nil {
		return
	}
	if now := j.moveCount(f); now != p.seen {
		p.seen = now
		p.timer.Reset(parkAfter)
		return
	}
	p.timer = nil
	p.poked = j.ends[f.from].SetReadDeadline(longAgo) == nil
}

// poked tells whether a Read has failed because look has cut it.
func (j *joint) poked(f *flow, err error) bool {
	if !j.parks || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	f.place.mu.Lock()
	defer f.place.mu.Unlock()
	return f.place.poked
}

// park parks a direction that was poked, if it may. The caller has nothing more to do with
// it then.
func (j *joint) park(f *flow) bool {
	p := &f.place
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poked = false
	if j.ends[f.from].SetReadDeadline(time.Time{}) != nil || p.never {
		return false
	}
	f.buf.free()
	f.buf.small = nil
	raw, err := rawOf(j.ends[f.from])
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if p.stop, err = j.opt.Engine.await(int(fd), func() { go p.again() }); err != nil {
				p.never = true
			}
		})
	}
	p.never = p.never || err != nil
	return !p.never
}

func rawOf(c transport.Conn) (syscall.RawConn, error) {
	s, ok := transport.As[syscall.Conn](c)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.SyscallConn()
}

// rouse has the directions carried on that come from s, which is about to be closed.
func (j *joint) rouse(s Side) {
	if !j.parks {
		return
	}
	p := &j.flows[s].place // AB comes from A, BA from B
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	if p.stop != nil && p.stop() {
		go p.again()
	}
	p.stop = nil
}

// end has nobody parked there from now on. It is called with mu held.
func (p *place) end() {
	p.never = true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// stay has a direction not parked any more, and its reads not cut. It is called by who carries it.
func (f *flow) stay() {
	f.place.mu.Lock()
	defer f.place.mu.Unlock()
	f.place.end()
}
