package meet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

const (
	readSize = 16 << 10

	maxPending = 2 << 20   // bytes that have come and that admit has not taken
	maxNotes   = 8         // that were not sent yet
	maxPushes  = 512 << 10 // bytes of new events that were not sent yet

	pushRate, pushBurst = 5000, 20_000     // events a second that one may push
	syncRate, syncBurst = 1 << 20, 4 << 20 // bytes a second of messages of exchanges
	noteRate, noteBurst = 10, 20           // notes a second; more are dropped
	markRate, markBurst = 64 << 10, 1 << 20
)

// A session is a stream with another member. Two goroutines:
//
//	read   takes what comes, and hands it on: events to the room, all else to write
//	write  decides what is to be said next, and says it
//
// Read never writes, so that two who send at once do not wait for each other.
type session struct {
	room    *Room
	peer    peer.ID
	opener  peer.ID // which of the two has opened the stream
	stream  transport.Stream
	in      *bufio.Reader
	ctx     context.Context //nolint:containedctx // it lives as long as the session
	cancel  context.CancelCauseFunc
	kicked  chan struct{} // has room for one
	drained chan struct{} // has room for one: admit has taken something
	heard   atomic.Int64  // when, in nanoseconds since 1970
	held    account.Account

	pushed, synced, noted, marked, spare *rate.Limiter

	// What write alone uses:

	out     []byte
	told    int64 // up to which number rows were told
	serving *want

	// What room.mu guards:

	branch
	places
	began, equal time.Time
	farewell     *time.Timer // ends it, since the other side is no member any more; nil: it is one
	parted       bool        // it was told why, and nothing else is
	notes        [][]byte
	pushes       []Blob
	pushBytes    int
	behind       bool           // what is new is not pushed until they are compared
	greeted      bool           // the rows that are there were named
	known        map[known]bool // what the other side has named; nil: nothing yet, and then no rows are told
	marks        bool           // there may be rows to be told
	check        bool           // they are to be compared,
	checkAt      time.Time
	more         bool // an exchange has not come to the end:
	from         rbsr.Key
	ours, theirs dialog
	needs        []rbsr.Key // what the other side has, in order
	blocked      bool       // all of them are asked of others
	parents      [][32]byte // to be asked for, because of their children
	walked       int        // parents that were asked for since all had theirs
	asking       map[uint64]*want
	number       uint64
	wants        []want // of the other side
	open         int    // how many of its wants were not answered to their ends
	pending      int64
}

// A dialog is an exchange that one side has begun.
type dialog struct {
	x    *rbsr.Exchange
	came [][]byte // messages that are to be taken, maxCame at most
}

// maxCame is how many messages of a dialog may wait: the last of an exchange, which has no answer, and
// the first of the next one.
const maxCame = 2

func newSession(r *Room, to, opener peer.ID, stream transport.Stream, in *bufio.Reader) *session {
	x := &session{room: r, peer: to, opener: opener, stream: stream, in: in,
		kicked: make(chan struct{}, 1), drained: make(chan struct{}, 1), asking: map[uint64]*want{}, places: places{toldOf: map[peer.ID]uint64{}},
		held:   account.Account{Limit: maxPending, Parent: &r.held},
		pushed: rate.NewLimiter(pushRate, pushBurst), synced: rate.NewLimiter(syncRate, syncBurst),
		noted: rate.NewLimiter(noteRate, noteBurst), marked: rate.NewLimiter(markRate, markBurst), spare: rate.NewLimiter(spareRate, spareBurst)}
	x.ctx, x.cancel = context.WithCancelCause(r.ctx)
	x.heard.Store(time.Now().UnixNano())
	return x
}

// kick has write look whether there is something to say.
func (x *session) kick() { wake(x.kicked) }

// end has the session end; the first reason counts. It waits for nothing.
func (x *session) end(why error) {
	if why == nil {
		why = io.EOF
	}
	x.cancel(why)
}

// hangUp ends the stream when the session ends.
func (x *session) hangUp() {
	<-x.ctx.Done()
	if err := context.Cause(x.ctx); errors.Is(err, io.EOF) || errors.Is(err, errTwice) || errors.Is(err, errClosed) || errors.Is(err, errBusy) {
		x.stream.Close() //nolint:errcheck // it is over
	} else {
		transport.Abort(x.stream, err)
	}
}

// read takes what the other side sends, until it ends.
func (x *session) read() error {
	for {
		kind, p, err := readFrame(x.in)
		if err == io.EOF { //nolint:errorlint // at the end of a frame
			return nil
		}
		if err == nil {
			x.heard.Store(time.Now().UnixNano())
			err = x.take(kind, p)
		}
		if err != nil {
			return err
		}
	}
}

// take takes a frame.
func (x *session) take(kind byte, p []byte) error {
	switch kind {
	case framePush:
		return x.takeEvents(kind, 0, p)
	case frameEvents, frameEnd:
		n, p, ok := frame.Number(p)
		switch {
		case !ok, kind == frameEnd && len(p) > 0:
			return errWire
		case kind == frameEnd:
			return x.deliver(arrival{from: x, kind: kind, number: n})
		}
		return x.takeEvents(kind, n, p)
	case frameSync:
		return x.takeSync(p)
	case frameWant:
		return x.takeWant(p)
	case frameMarks:
		rows, err := frame.Rows(p, MaxRow)
		if err != nil {
			return err
		}
		if err := x.marked.WaitN(x.ctx, len(p)); err != nil {
			return err
		}
		return x.room.Set.TakeMarks(x.ctx, x.peer, rows)
	case frameKnown:
		return x.takeKnown(p)
	case frameNote:
		if len(p) == 0 || len(p) > MaxNote {
			return errWire
		}
		if x.room.Note != nil && x.noted.Allow() {
			x.room.Note(x.peer, p)
		}
		return nil
	case frameHave:
		return x.takeHave(p)
	case frameLazy, frameEager:
		return x.takeTurn(kind, p)
	case framePeers:
		return x.takePeers(p)
	case frameHello, frameGone:
		return errWire
	default:
		return nil // of a later version
	}
}

// takeKnown takes what the other side has, once.
func (x *session) takeKnown(p []byte) error {
	all, err := parseKnown(p)
	if err != nil {
		return err
	}
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	if x.known != nil {
		return fmt.Errorf("%w: known twice", errWire)
	}
	x.known = all
	x.kick()
	return nil
}

func (x *session) takeSync(p []byte) error {
	if len(p) < 2 || p[0] > 1 {
		return errWire
	}
	if err := x.synced.WaitN(x.ctx, len(p)); err != nil {
		return err
	}
	r := x.room
	r.mu.Lock()
	defer r.mu.Unlock()
	d := &x.theirs
	if p[0] == 1 {
		if d = &x.ours; d.x == nil {
			return fmt.Errorf("%w: an answer without a question", errWire)
		}
	}
	if len(d.came) == maxCame {
		return fmt.Errorf("%w: %d messages in a row", errWire, maxCame+1)
	}
	d.came = append(d.came, p[1:])
	x.kick()
	return nil
}

func (x *session) takeWant(p []byte) error {
	w, err := parseWant(p)
	if err != nil {
		return err
	}
	r := x.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.open == maxWants {
		return fmt.Errorf("%w: too many questions at once", errWire)
	}
	x.open++
	x.wants = append(x.wants, w)
	x.kick()
	return nil
}

// takeEvents checks events as far as that can be done without others, and hands them to the room.
func (x *session) takeEvents(kind byte, n uint64, p []byte) error {
	rows, err := frame.Rows(p, MaxEvent)
	if err != nil {
		return err
	}
	if kind == framePush {
		if err := x.pushed.WaitN(x.ctx, len(rows)); err != nil {
			return err
		}
	}
	blobs, err := x.room.parse(rows)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if kind == frameEvents {
		if err := x.came(n, blobs); err != nil {
			return err
		}
	}
	return x.deliver(arrival{x, kind, n, blobs, int64(len(p))})
}

// parse makes Blobs of bytes, on all processors: signatures are what costs most, and several together cost less than each by itself.
func (r *Room) parse(rows [][]byte) ([]Blob, error) {
	const few = 32
	parts := min(runtime.GOMAXPROCS(0), (len(rows)+few-1)/few)
	if parts <= 1 {
		return r.Parse(rows)
	}
	blobs, errs := make([][]Blob, parts), make([]error, parts)
	part := func(n int) { blobs[n], errs[n] = r.Parse(rows[len(rows)*n/parts : len(rows)*(n+1)/parts]) }
	var all sync.WaitGroup
	for n := 1; n < parts; n++ {
		all.Go(func() { part(n) })
	}
	part(0)
	all.Wait()
	return slices.Concat(blobs...), errors.Join(errs...)
}

// came notes what of a question of ours was answered.
func (x *session) came(n uint64, blobs []Blob) error {
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	w := x.asking[n]
	if w == nil {
		return fmt.Errorf("%w: an answer without a question", errWire)
	}
	for i := range blobs {
		if !w.left[blobs[i].ID] {
			return fmt.Errorf("%w: an event that was not asked for", errWire)
		}
		delete(w.left, blobs[i].ID)
	}
	return nil
}

// deliver hands something to admit, and waits as long as too much is there already.
func (x *session) deliver(a arrival) error {
	r := x.room
	for !x.book(a) {
		select {
		case <-x.drained:
		case <-x.ctx.Done():
			return context.Cause(x.ctx)
		}
	}
	wake(r.arrived)
	return nil
}

func (x *session) book(a arrival) bool {
	r := x.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if !x.held.Take(a.bytes, x.pending == 0) {
		return false
	}
	x.pending += a.bytes
	r.inbox = append(r.inbox, a)
	return true
}
