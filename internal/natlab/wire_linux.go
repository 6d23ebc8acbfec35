package natlab

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Wire is how a link treats what passes, in each direction. The zero value changes nothing.
type Wire struct {
	Delay   time.Duration // one way
	Jitter  time.Duration // added to Delay, evenly distributed from 0; the order is kept
	Loss    float64       // percent
	Reorder float64       // percent that overtakes what waits, by going at once
	Rate    int64         // bits a second; 0 is no limit
	Queue   int           // frames that wait at a time, the rest is lost; 0 is 1000
}

// A pump is a wire at work: two interfaces between which it carries every frame. It does what
// the kernel's netem does, which not every kernel has.
type pump struct {
	wire  atomic.Pointer[Wire]
	ends  [2]*os.File
	lanes [2]*lane
	wg    sync.WaitGroup
}

func newPump(s *space, a, b string, w Wire) (*pump, error) {
	p := &pump{}
	p.set(w)
	for i, dev := range []string{a, b} {
		f, err := s.frames(dev)
		if err != nil {
			p.close()
			return nil, err
		}
		p.ends[i] = f
	}
	for i := range p.lanes {
		l := &lane{wire: &p.wire, from: p.ends[i], to: p.ends[1-i], more: make(chan struct{}, 1), stop: make(chan struct{})}
		p.lanes[i] = l
		p.wg.Go(l.take)
		p.wg.Go(l.give)
	}
	return p, nil
}

func (p *pump) set(w Wire) { p.wire.Store(&w) }

func (p *pump) close() {
	for i, f := range p.ends {
		if f != nil {
			f.Close()
		}
		if l := p.lanes[i]; l != nil {
			close(l.stop)
		}
	}
	p.wg.Wait()
}

// A lane is one direction.
type lane struct {
	wire     *atomic.Pointer[Wire]
	from, to *os.File
	more     chan struct{} // something may be due earlier than give thinks
	stop     chan struct{}

	mu    sync.Mutex // guards queue
	queue frames
}

type frame struct {
	due time.Time
	seq uint64
	b   []byte
}

type frames []frame

func (q frames) Len() int      { return len(q) }
func (q frames) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q frames) Less(i, j int) bool {
	return q[i].due.Before(q[j].due) || q[i].due.Equal(q[j].due) && q[i].seq < q[j].seq
}
func (q *frames) Push(x any) { *q = append(*q, x.(frame)) }
func (q *frames) Pop() any {
	old := *q
	f := old[len(old)-1]
	old[len(old)-1] = frame{}
	*q = old[:len(old)-1]
	return f
}

// take reads frames and decides what becomes of each.
func (l *lane) take() {
	var free, last time.Time // when the line is free, and the last frame in order due
	var seq uint64
	buf := make([]byte, 65536)
	for {
		n, err := l.from.Read(buf)
		if err != nil {
			select {
			case <-l.stop:
				return
			default: // the interface is down for a while
				continue
			}
		}
		w := l.wire.Load()
		if w.Loss > 0 && rand.Float64()*100 < w.Loss {
			continue
		}
		now := time.Now()
		due := now
		if w.Rate > 0 {
			if free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(int64(n) * 8 * int64(time.Second) / w.Rate))
			due = free
		}
		if w.Reorder == 0 || rand.Float64()*100 >= w.Reorder {
			due = due.Add(w.Delay)
			if w.Jitter > 0 {
				due = due.Add(rand.N(w.Jitter))
			}
			if due.Before(last) {
				due = last
			}
		}
		limit := w.Queue
		if limit == 0 {
			limit = 1000
		}
		seq++
		l.mu.Lock()
		if l.queue.Len() < limit {
			heap.Push(&l.queue, frame{due, seq, append([]byte(nil), buf[:n]...)})
			if due.After(last) {
				last = due
			}
		}
		l.mu.Unlock()
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
}

// give writes each frame when it is due.
func (l *lane) give() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var f frame
		wait := time.Duration(-1)
		l.mu.Lock()
		if l.queue.Len() > 0 {
			if wait = time.Until(l.queue[0].due); wait <= 0 {
				f = heap.Pop(&l.queue).(frame)
			}
		}
		l.mu.Unlock()
		if f.b != nil {
			_, _ = l.to.Write(f.b) // lost if the interface is down
			continue
		}
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
		case <-l.more:
		case <-l.stop:
			return
		}
	}
}

// frames opens all that passes an interface from its other side.
func (s *space) frames(dev string) (f *os.File, err error) {
	err = s.do(func() error {
		proto := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("packet socket", err)
		}
		f = os.NewFile(uintptr(fd), dev)
		ifr, err := unix.NewIfreq(dev)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr)
		}
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		}
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
		}
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: int(ifr.Uint32())})
		}
		if err != nil {
			f.Close()
			return os.NewSyscallError("packet socket", err)
		}
		return nil
	})
	return f, err
}
