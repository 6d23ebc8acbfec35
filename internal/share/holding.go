package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Units is where the units of a sealed copy are kept, by their numbers: those of the manifest first. Its methods may be
// called at the same time.
type Units interface {
	Has(n int64) bool
	Count() (units, bytes int64) // of what is there
	Open(n int64) (io.ReadCloser, error)

	// Put keeps a unit. Those that were put may be lost with the power, until Whole returns. A
	// [HoldError] is told to who has brought it.
	Put(n int64, p []byte) error

	// Whole is told that all are there, and makes them last.
	Whole() error

	// Until returns when they are given up.
	Until() time.Time
}

// A Vault decides what is held. Its methods may be called at the same time.
type Vault interface {
	// Take takes up what is offered, or begins with it. A [HoldError] is told to who offers it.
	Take(from peer.ID, o Offer) (*Held, error)

	// Drop drops what somebody has brought; there need be nothing.
	Drop(from peer.ID, id ID) error
}

// A Held is a sealed copy that this process holds for somebody. Others have it by [Hub.Hold]. Its methods may be called at
// the same time.
type Held struct {
	Offer
	Owner, Self peer.ID
	Units       Units
	Admit       func(who peer.ID) bool // of those who have shown that they have the share's secret

	mu       sync.Mutex // guards what follows
	sessions map[*session]bool
	taking   bool
	closed   bool
	came     chan struct{} // closed when more has come
	working  sync.WaitGroup
	up       meter
}

// Close ends all that goes on with it, and waits for that. What is kept stays.
func (h *Held) Close() {
	h.mu.Lock()
	h.closed = true
	for x := range h.sessions {
		transport.Abort(x.stream, errClosed)
	}
	h.mu.Unlock()
	h.working.Wait()
}

// Sent returns how many bytes others were sent, and how many a second lately.
func (h *Held) Sent() (bytes int64, rate float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.up.bytes, h.up.rate(time.Now())
}

// begin notes that something goes on with a stream, until done is called.
func (h *Held) begin(x *session, taking bool) (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, errClosed
	case taking && h.taking:
		return nil, &HoldError{Why: HoldBusy}
	case len(h.sessions) >= maxHeldSessions:
		return nil, errTooMany
	}
	if h.sessions == nil {
		h.sessions = map[*session]bool{}
	}
	h.sessions[x], h.taking = true, h.taking || taking
	h.working.Add(1)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions, x)
		h.taking = h.taking && !taking
		h.working.Done()
	}, nil
}

// Busy tells whether it is being brought.
func (h *Held) Busy() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taking
}

// maxHeldSessions is how many may fetch a copy at a time.
const maxHeldSessions = 64

// news returns a channel that is closed when more has come.
func (h *Held) news() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.came == nil {
		h.came = make(chan struct{})
	}
	return h.came
}

// more notes that more has come.
func (h *Held) more() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.came != nil {
		close(h.came)
		h.came = nil
	}
}

// HandleHold is the handler of [HoldProto].
func HandleHold(stream transport.Stream, v Vault) {
	from, ok := peer.Of(stream)
	if !ok {
		return
	}
	x := newSession(stream, from)
	stream.SetDeadline(time.Now().Add(silence)) //nolint:errcheck // the read below shows it
	kind, p, err := readFrame(x.in, &x.last)
	if err == nil {
		switch kind {
		case frameOffer:
			err = x.takeOffer(p, v)
		case frameDrop:
			err = x.takeDrop(p, v)
		default:
			err = errWire
		}
	}
	var refused *HoldError
	if errors.As(err, &refused) {
		err = x.write(frameHold, held{how: byte(refused.Why), n: refused.Most}.append)
	}
	if err != nil {
		transport.Abort(stream, err)
		return
	}
	stream.Close() //nolint:errcheck // all was said
}

func (x *session) takeDrop(p []byte, v Vault) error {
	var id ID
	if copy(id[:], p) < len(id) || len(p) > len(id) {
		return errWire
	}
	if err := v.Drop(x.peer, id); err != nil {
		return err
	}
	return x.write(frameHold, held{}.append)
}

func (x *session) takeOffer(p []byte, v Vault) error {
	o, err := parseOffer(p)
	if err != nil {
		return err
	}
	h, err := v.Take(x.peer, o)
	if err != nil {
		return err
	}
	done, err := h.begin(x, true)
	if err != nil {
		return err
	}
	defer done()
	return h.fetch(x)
}

// aheadUnits is for how many units a holder asks at once.
const aheadUnits = 2

// A fetch is a copy that is brought: its holder asks for the units that it lacks, in order. Who reads
// never writes, so that two who send at once do not wait for each other.
type fetch struct {
	h     *Held
	x     *session
	say   chan []byte // frames; there is room for all that can be
	next  int64       // the first unit that was not asked for
	asked []int64
	buf   []byte
	bytes int64
}

func (h *Held) fetch(x *session) error {
	f := &fetch{h: h, x: x, say: make(chan []byte, 4*aheadUnits+4)}
	_, f.bytes = h.Units.Count()
	var writing sync.WaitGroup
	writing.Go(f.write)
	err := f.run()
	close(f.say)
	if refused := new(HoldError); err != nil && !errors.As(err, &refused) { // which is still said
		transport.Abort(x.stream, err)
	}
	writing.Wait()
	return err
}

func (f *fetch) write() {
	for frame := range f.say {
		if err := f.x.send(frame); err != nil {
			transport.Abort(f.x.stream, err)
		}
	}
}

func (f *fetch) run() error {
	for f.ask(); len(f.asked) > 0; {
		f.x.stream.SetReadDeadline(time.Now().Add(holdSilence)) //nolint:errcheck // the read shows it
		kind, p, err := readFrame(f.x.in, &f.x.last)
		if err != nil {
			return err
		}
		if err := f.take(kind, p); err != nil {
			return err
		}
	}
	if err := f.h.Units.Whole(); err != nil {
		return err
	}
	f.tell(holdAll)
	return nil
}

// tell says how much is there.
func (f *fetch) tell(how byte) {
	n, _ := f.h.Units.Count()
	f.say <- closeFrame(held{how, f.h.Units.Until(), n}.append(appendFrame(nil, frameHold, 0)))
}

// ask says how much is there, and asks for more.
func (f *fetch) ask() {
	f.tell(holdPart)
	for ; len(f.asked) < aheadUnits && f.next < f.h.Offer.Units(); f.next++ {
		if f.h.Units.Has(f.next) {
			continue
		}
		f.asked = append(f.asked, f.next)
		f.say <- closeFrame(binary.AppendUvarint(appendFrame(nil, frameUnit, 0), uint64(f.next)))
	}
}

func (f *fetch) take(kind byte, p []byte) error {
	switch kind {
	case frameData:
		f.bytes += int64(len(p))
		if len(f.buf)+len(p) > maxUnit || f.bytes > f.h.Bytes {
			return fmt.Errorf("%w: more than was offered", errWire)
		}
		f.buf = append(f.buf, p...)
		return nil
	case frameEnd:
		e := fields{p: p}
		number, how := e.number(), e.number()
		if err := e.end(); err != nil {
			return err
		}
		if number != uint64(f.asked[0]) || how != endAll || len(f.buf) == 0 || len(f.buf)%sealedStep != 0 {
			return fmt.Errorf("%w: a unit that is none", errWire)
		}
		if err := f.h.Units.Put(f.asked[0], f.buf); err != nil {
			return err
		}
		f.buf, f.asked = f.buf[:0], f.asked[1:]
		f.h.more()
		f.ask()
	}
	return nil
}
