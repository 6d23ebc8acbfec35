package share

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// A session is a stream with another one who takes part in the share. Each side asks and
// answers. Three goroutines:
//
//	read     takes what comes: it verifies and stores answers, and hands questions on
//	answer   answers one question after the other
//	tell     says what is new, and asks
//
// Who reads never writes, so that two who send at once do not wait for each other.
type session struct {
	share  *Share
	peer   peer.ID
	stream transport.Stream
	in     *bufio.Reader
	last   int // bytes of the last frame, still in in

	writing chan struct{} // has room for one, who writes frames; a lock that synctest understands
	out     []byte

	wants  chan want
	kicked chan struct{} // has room for one
	gone   chan struct{} // closed when read has ended
	heard  atomic.Int64  // when, in nanoseconds since 1970

	taking taking // what read is in the middle of
	named  int    // peers of whom read has heard
	began  time.Time

	sealed *opening // nil: the other side is no holder

	toldOwn []string // where this process is, as tell has told it
	ownAt   time.Time

	// What share.mu guards:

	m         *member
	head      Head          // what the other side knows of the manifest
	agreed    int64         // with so many bytes of ours it was compared, and is the same
	other     bool          // it is of another version
	toldOther bool          // and the user of the Share knows that
	number    uint64        // of the last question
	asks      []asked       // questions that are not answered yet, in order
	trims     []trim        // to be told
	paused    time.Duration // until more may be asked for, if that is limited
	told      set           // pieces that the other side was told of
	toldAt    time.Time
	toldAll   bool // that everything is here
	toldDone  bool // that no more is wanted
	toldHead  Head // how far the manifest is known
	done      bool // it has all that it wants
	up, down  meter
	crowd     int              // how many fetch the share, as the other side says
	spent     bool             // it has sent every piece to somebody
	toldOf    int              // how many fetch the share, as it was told
	addrs     []string         // where the other side says that it is
	said      uint64           // the number in the share of that saying; 0 before the first
	toldPeers uint64           // up to which it was told what others have said
	peersAt   time.Time        // when
	trimmed   map[uint64]int64 // its questions that have become shorter: the end of their runs
}

// asked is a question of ours.
type asked struct {
	want
	head Head     // which manifest is meant, if it is about that
	r    *request // of the picker, if it is about groups
	of   *patch   // if it is about nodes
	due  int64    // bytes that are expected, if that is limited
}

type trim struct {
	number uint64
	to     int64
}

// haveTime is how long it may take until others are told which pieces have come.
const haveTime = time.Second / 4

// earlyPieces is how many pieces the other side may tell of before the whole manifest is
// here: it bounds what is remembered of them, 128 KiB.
const earlyPieces = 1 << 20

// silence is how long a side that was asked may send nothing.
const silence = 15 * time.Second

// maxSessions is how many may take part in a share with this process at a time. Each holds
// about 200 KiB.
const maxSessions = 256

var errTooMany = errors.New("too many take part with us at once")

// stuck is how long a write may wait for the other side to read.
const stuck = 2 * time.Minute

// ErrGone: the other side has no such share, or not for us.
var ErrGone = errors.New("there is no such share, or the ticket is not valid for it")

func newSession(stream transport.Stream, to peer.ID) *session {
	return &session{peer: to, stream: stream, in: bufio.NewReaderSize(stream, frameHeadN+maxFrame), m: &member{},
		wants: make(chan want, maxAsked), kicked: make(chan struct{}, 1), gone: make(chan struct{}), writing: make(chan struct{}, 1), trimmed: map[uint64]int64{}}
}

// readHello reads the first frame.
func (x *session) readHello() (hello, error) {
	kind, p, err := readFrame(x.in, &x.last)
	switch {
	case err != nil:
		return hello{}, err
	case kind == frameGone:
		return hello{}, ErrGone
	case kind != frameHello:
		return hello{}, errWire
	}
	return parseHello(p)
}

// run has a session go on until it ends. Both sides have shown that they may.
func (s *Share) run(x *session) error {
	x.share = s
	x.m.shortened = func(r *request) {
		x.trims = append(x.trims, trim{r.number, r.run.To})
		x.kick()
	}
	x.began = time.Now()
	x.heard.Store(x.began.UnixNano())
	s.mu.Lock()
	switch {
	case s.closed || s.ended != nil:
		err := cmp.Or(s.ended, errClosed)
		s.mu.Unlock()
		return err
	case len(s.sessions) >= maxSessions:
		s.mu.Unlock()
		return errTooMany
	case s.sessions[x.peer] != nil:
		s.mu.Unlock()
		return nil // one is enough
	}
	s.working.Add(1)
	defer s.working.Done()
	s.sessions[x.peer] = x
	s.picker.join(x.m)
	s.crowded()
	s.been = true
	delete(s.troubles, x.peer)
	s.mu.Unlock()
	x.stream.SetDeadline(time.Time{}) //nolint:errcheck // the read below shows it
	s.event(Event{Kind: Joined, Peer: x.peer, Text: "takes part"})

	var all sync.WaitGroup
	all.Go(x.answer)
	all.Go(x.tell)
	x.kick()
	err := x.read()
	close(x.gone)
	if err != nil {
		transport.Abort(x.stream, err)
	} else {
		x.stream.Close() //nolint:errcheck // all was said
	}
	all.Wait()
	x.stored()
	x.taking.close()

	defer s.event(Event{Kind: Left, Peer: x.peer, Text: "does not take part any more", Err: err})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.check()
	delete(s.sessions, x.peer)
	s.picker.leave(x.m)
	for i := range x.asks {
		s.unexpect(&x.asks[i], x.asks[i].due)
		x.unanswered(&x.asks[i])
	}
	s.served(x)
	if s.fetching == x {
		s.fetching = nil
	}
	s.crowded()
	return err
}

// kick has tell look whether there is something to say.
func (x *session) kick() {
	select {
	case x.kicked <- struct{}{}:
	default:
	}
}

func (s *Share) kickAll() {
	for _, x := range s.sessions {
		x.kick()
	}
}

// crowded has everybody told how many fetch the share, and looks how many others do.
func (s *Share) crowded() {
	s.picker.crowd = false
	for _, x := range s.sessions {
		x.kick()
		s.picker.crowd = s.picker.crowd || x.crowd > 0 || !x.done
	}
}

// write sends a frame.
func (x *session) write(kind byte, content func([]byte) []byte) error {
	x.writing <- struct{}{}
	defer func() { <-x.writing }()
	x.out = closeFrame(content(appendFrame(x.out[:0], kind, 0)))
	return x.flush(x.out)
}

// flush writes to the stream. Who reads nothing for minutes loses it.
func (x *session) flush(p []byte) error {
	x.stream.SetWriteDeadline(time.Now().Add(stuck)) //nolint:errcheck // the write shows it
	_, err := x.stream.Write(p)
	return err
}

// read takes what the other side sends, until it ends.
func (x *session) read() error {
	for {
		kind, p, err := readFrame(x.in, &x.last)
		if err == io.EOF { //nolint:errorlint // at the end of a frame
			return nil
		}
		if err == nil {
			x.heard.Store(time.Now().UnixNano())
			err = x.take(kind, p)
		}
		switch {
		case errors.Is(err, tree.ErrWrongData), errors.Is(err, tree.ErrWrongNode):
			x.ban(err)
			return err
		case err != nil:
			return err
		}
	}
}

// take takes a frame.
func (x *session) take(kind byte, p []byte) error {
	if x.sealed != nil {
		return x.takeSealed(kind, p)
	}
	switch kind {
	case frameHead:
		return x.takeHead(p)
	case frameHave:
		return x.takeHave(p)
	case frameWant, frameAny, frameManifest, frameNodes:
		w, err := parseWant(kind, p)
		if err != nil {
			return err
		}
		return x.enqueue(w)
	case frameTrim:
		f := fields{p: p}
		number, to := f.number(), f.number()
		if err := f.end(); err != nil {
			return err
		}
		x.share.mu.Lock()
		defer x.share.mu.Unlock()
		if len(x.trimmed) < maxAsked {
			x.trimmed[number] = int64(min(to, 1<<62))
		}
		return nil
	case frameAnswer:
		return x.takeAnswer(p)
	case frameData:
		return x.takeData(p, len(p))
	case frameZeros:
		return x.takeZeros(p)
	case frameEnd:
		return x.takeEnd(p)
	case framePeers:
		return x.takePeers(p)
	case frameEnded:
		return x.takeEnded(p)
	case frameCrowd:
		f := fields{p: p}
		n := f.number()
		if err := f.end(); err != nil {
			return err
		}
		x.share.mu.Lock()
		defer x.share.mu.Unlock()
		x.crowd = int(min(n, 1<<20))
		x.share.crowded()
		return nil
	default:
		return nil // of a later version
	}
}

func (x *session) enqueue(w want) error {
	select {
	case x.wants <- w:
		return nil
	default:
		return fmt.Errorf("%w: too many questions at once", errWire)
	}
}

// takeHave learns which pieces the other side has.
func (x *session) takeHave(p []byte) error {
	now, err := x.has(p)
	switch now {
	case haveAll:
		x.share.event(Event{Kind: Finished, Peer: x.peer, Text: "has everything"})
	case haveEnough:
		x.share.event(Event{Kind: Content, Peer: x.peer, Text: "has all that it wants of it"})
	}
	x.kick()
	return err
}

// has notes which pieces the other side has, and tells whether it has everything now, or enough,
// and did not before.
func (x *session) has(p []byte) (now byte, err error) {
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	f := fields{p: p}
	how := f.take(1)[0]
	limit := pieces(s.layout.groups)
	if !s.head.Final || !x.agrees() {
		limit = max(limit, earlyPieces)
	}
	for len(f.p) > 0 && !f.bad {
		i, w := f.number(), binary.LittleEndian.Uint64(f.take(8))
		if i > uint64(limit/64) {
			return haveSome, fmt.Errorf("%w: pieces behind the last", errWire)
		}
		x.m.have.put(int64(i), w|x.m.have.word(int64(i)))
	}
	if f.bad || how > haveEnough {
		return haveSome, errWire
	}
	if how == haveSome || x.m.all || x.done && how == haveEnough {
		return haveSome, nil
	}
	x.done, x.m.all = true, how == haveAll
	s.crowded()
	return how, nil
}
