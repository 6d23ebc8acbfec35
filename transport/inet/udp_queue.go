package inet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A msgQueue takes messages from the goroutine that receives for many and hands
// them to the one that reads one Conn. Of its two packs one is filled while the
// other one is read; then they change places. So a message is copied once, none
// makes garbage, and a reader that is woken finds all that has come meanwhile.
type msgQueue struct {
	limit   int           // bytes in the pack that is filled
	dropped atomic.Int64  // messages that found no room
	total   *atomic.Int64 // the same, of all queues of a listener
	ready   chan struct{} // holds a token when the reader should look again

	mu       sync.Mutex // guards what follows
	fill     *pack      // nil if empty
	waiting  bool       // the reader waits for ready, or has given up doing so
	forward  *forward   // nil if there is none
	end      error      // what reads return once the queue is empty
	cut      bool       // reads return end at once
	deadline time.Time
	timer    *time.Timer // of the deadline

	// Of the reader, which holds rmu.
	rmu     sync.Mutex
	lent    *pack
	next    int // in lent
	senders senders
}

// A pack is messages one after the other, and where each ends.
type pack struct {
	buf  []byte
	ends []int
	from []netip.AddrPort // of each message, if the queue is of many senders
}

// spare keeps packs between uses; an idle queue has none.
var sparePack = sync.Pool{New: func() any { return new(pack) }}

// perMessage is what a message takes besides its bytes.
const perMessage = 32

// maxSparePack bounds what is kept of a burst.
const maxSparePack = 1 << 20

func (p *pack) release() {
	if cap(p.buf) > maxSparePack {
		return
	}
	p.buf, p.ends, p.from = p.buf[:0], p.ends[:0], p.from[:0]
	sparePack.Put(p)
}

func newMsgQueue(limit int, total *atomic.Int64) *msgQueue {
	return &msgQueue{limit: limit, total: total, ready: make(chan struct{}, 1)}
}

// put adds the messages of d, with their sender if it is not nil, or drops those
// that find no room. It returns true if the reader has to be woken, once. If the
// queue is forwarded, and is empty, it does nothing but return where to.
func (q *msgQueue) put(d *datagram, from *netip.AddrPort) (wake bool, to *forward) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		q.drop(d.messages())
		return false, nil
	}
	if q.waiting && q.forward != nil {
		return false, q.forward
	}
	if q.fill == nil {
		q.fill = sparePack.Get().(*pack)
	}
	p := q.fill
	for more := true; more; {
		var msg []byte
		msg, more = d.next()
		if len(p.buf)+len(msg)+perMessage*(len(p.ends)+1) > q.limit && len(p.ends) > 0 {
			q.drop(1)
			continue
		}
		p.buf = append(p.buf, msg...)
		p.ends = append(p.ends, len(p.buf))
		if from != nil {
			p.from = append(p.from, *from)
		}
	}
	wake = q.waiting
	q.waiting = false
	return wake, nil
}

// setForward makes put send messages to f instead of queueing them, while the
// reader waits; until it is called with nil.
func (q *msgQueue) setForward(f *forward) {
	q.mu.Lock()
	q.forward = f
	q.mu.Unlock()
}

func (q *msgQueue) drop(n int) {
	q.dropped.Add(int64(n))
	q.total.Add(int64(n))
}

// wake makes the reader look again.
func (q *msgQueue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// finish makes reads return end: at once if cut, else when all is read. Only the
// first end counts, but a cut may follow.
func (q *msgQueue) finish(end error, cut bool) {
	q.mu.Lock()
	if q.end == nil || cut {
		q.end, q.cut = end, cut
	}
	q.waiting = false
	if q.timer != nil && cut {
		q.timer.Stop()
	}
	q.mu.Unlock()
	q.wake()
}

// setDeadline is SetReadDeadline. If reads return an end at once, so does it.
func (q *msgQueue) setDeadline(t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cut {
		return q.end
	}
	q.deadline = t
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if !t.IsZero() {
		q.timer = time.AfterFunc(time.Until(t), q.wake)
	}
	q.wake()
	return nil
}

// isCut returns what reads return at once, or nil.
func (q *msgQueue) isCut() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cut {
		return q.end
	}
	return nil
}

// errForward is the error of reading when that of the forward is what matters.
var errForward = errors.New("cannot send on")

// await makes q.lent hold a message. It needs rmu.
func (q *msgQueue) await() error {
	for {
		if q.lent != nil && q.next < len(q.lent.ends) {
			return q.isCut()
		}
		if q.lent != nil {
			q.lent.release()
			q.lent = nil
		}
		q.mu.Lock()
		switch {
		case q.cut:
		case q.fill != nil:
			q.lent, q.fill, q.next = q.fill, nil, 0
			q.mu.Unlock()
			continue
		case q.end != nil:
		case q.forward != nil && q.forward.failed() != nil:
			q.mu.Unlock()
			return errForward
		case !q.deadline.IsZero() && !time.Now().Before(q.deadline):
			q.mu.Unlock()
			return os.ErrDeadlineExceeded
		default:
			q.waiting = true
			q.mu.Unlock()
			<-q.ready
			continue
		}
		end := q.end
		q.mu.Unlock()
		return end
	}
}

// take returns the next message of q.lent. It needs rmu, and await before it.
func (q *msgQueue) take() (msg []byte, from net.Addr) {
	p, start := q.lent, 0
	if q.next > 0 {
		start = p.ends[q.next-1]
	}
	msg = p.buf[start:p.ends[q.next]:p.ends[q.next]]
	if len(p.from) > 0 {
		from = q.senders.addr(p.from[q.next])
	}
	q.next++
	return msg, from
}

// readMsg is ReadMsg.
func (q *msgQueue) readMsg(p []byte) (int, transport.Meta, error) {
	q.rmu.Lock()
	defer q.rmu.Unlock()
	if err := q.await(); err != nil {
		return 0, transport.Meta{}, err
	}
	msg, from := q.take()
	return copyMsg(p, msg, transport.Meta{From: from})
}

// lendMsg is LendMsg.
func (q *msgQueue) lendMsg() ([]byte, transport.Meta, error) {
	q.rmu.Lock()
	defer q.rmu.Unlock()
	if err := q.await(); err != nil {
		return nil, transport.Meta{}, err
	}
	msg, from := q.take()
	return msg, transport.Meta{From: from}, nil
}

// readMsgs is ReadMsgs.
func (q *msgQueue) readMsgs(ms []transport.Msg) (n int, err error) {
	q.rmu.Lock()
	defer q.rmu.Unlock()
	if err := q.await(); err != nil {
		return 0, err
	}
	for n < len(ms) && q.next < len(q.lent.ends) {
		msg, from := q.take()
		ms[n] = transport.Msg{Buf: msg, Meta: transport.Meta{From: from}}
		n++
	}
	return n, nil
}
