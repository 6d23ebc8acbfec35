package punch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A Report is what is known after an attempt.
type Report struct {
	Mine   Views
	Theirs [numWays]Class
	RTT    time.Duration // over the signalling stream, as the opener measured it
	Took   time.Duration
	Probes int // of the guessing of ports, sent from here
}

// A Result is a way to the other side. The caller owns what it is, and closes it.
type Result struct {
	Report

	// UDP is a socket that the other side reaches, and is reached from, at Remote; its readers may still
	// find packets of the attempt, which begin with '*' and so are none of QUIC.
	UDP    *net.UDPConn
	Remote netip.AddrPort

	// TCP is a connection, if UDP is nil.
	TCP *net.TCPConn
}

// ErrFailed is matched by the errors of attempts that came to nothing in time.
var ErrFailed = errors.New("punch: no direct way found")

// An Error is why an attempt failed, with what is known.
type Error struct {
	Report
	Err error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// DefaultWait is how long the other side has to say what it must, before anything is punched.
const DefaultWait = 15 * time.Second

// Bounds of an attempt.
const (
	plainTime = 3 * time.Second         // for punching without guesses
	longTime  = 5500 * time.Millisecond // with guesses
	maxRTT    = 5 * time.Second         // of what is measured, more is not believed
)

// Open makes an attempt as the side that has opened the stream, and closes the stream. Errors match the context's
// or ErrFailed, or tell what is wrong with the stream; they are an *Error.
func Open(ctx context.Context, signal transport.Stream, c Config) (*Result, error) {
	return attempt(ctx, signal, true, c.wait(), func(ctx context.Context) *Sockets { return Gather(ctx, c) })
}

// Accept makes an attempt as the side at which the stream arrived; see [Open].
func Accept(ctx context.Context, signal transport.Stream, c Config) (*Result, error) {
	return attempt(ctx, signal, false, c.wait(), func(ctx context.Context) *Sockets { return Gather(ctx, c) })
}

// Open is [Open] with these sockets, which it closes or returns.
func (s *Sockets) Open(ctx context.Context, signal transport.Stream) (*Result, error) {
	return attempt(ctx, signal, true, s.c.wait(), func(context.Context) *Sockets { return s })
}

// Accept is [Accept] with these sockets, which it closes or returns.
func (s *Sockets) Accept(ctx context.Context, signal transport.Stream) (*Result, error) {
	return attempt(ctx, signal, false, s.c.wait(), func(context.Context) *Sockets { return s })
}

// A session is one side of an attempt.
type session struct {
	opener bool
	signal transport.Stream
	frames <-chan frame // read from signal; closed at its end
	key    key
	s      *Sockets
	mine   here
	theirs here
	report Report
}

type frame struct {
	at      time.Time
	typ     byte
	content []byte
	err     error
}

func attempt(ctx context.Context, signal transport.Stream, opener bool, wait time.Duration, gather func(context.Context) *Sockets) (*Result, error) {
	start := time.Now()
	frames := make(chan frame, 4)
	x := &session{opener: opener, signal: signal, frames: frames}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { expire(signal, time.Unix(1, 0)) })
	expire(signal, start.Add(wait+longTime+5*maxRTT)) // whatever the other side does not read
	var wg sync.WaitGroup
	wg.Go(func() { readFrames(ctx, signal, frames) })
	res, err := x.run(ctx, wait, gather)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // whatever that broke first
	}
	stop()
	cancel()
	_ = signal.CloseWrite() // what was said arrives
	signal.Close()
	wg.Wait()
	x.report.Took = time.Since(start)
	if err != nil {
		return nil, &Error{x.report, err}
	}
	res.Report = x.report
	return res, nil
}

// expire ends what is written and read at a time; at once, if the stream has no deadlines.
func expire(signal transport.Stream, at time.Time) {
	if err := signal.SetDeadline(at); err != nil && time.Until(at) <= 0 {
		signal.Close()
	}
}

// readFrames reads what the other side says, until it says nonsense, too much, or no more.
func readFrames(ctx context.Context, signal transport.Stream, frames chan<- frame) {
	defer close(frames)
	for range 16 {
		typ, content, err := readFrame(signal)
		select {
		case frames <- frame{time.Now(), typ, content, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// run does everything: looks, agrees, punches.
func (x *session) run(ctx context.Context, wait time.Duration, gather func(context.Context) *Sockets) (*Result, error) {
	early, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	looked := make(chan struct{})
	go func() {
		x.s = gather(early)
		close(looked)
	}()
	err := x.agree(early, looked)
	if err != nil {
		cancel()
	}
	<-looked
	defer x.s.Close()
	if err != nil {
		if ctx.Err() == nil && early.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: the other side does not answer", ErrFailed)
		}
		return nil, err
	}
	return x.punch(ctx)
}

// agree makes both sides know the same, and returns when it is time to begin.
func (x *session) agree(ctx context.Context, looked <-chan struct{}) error {
	var own [nodeLen]byte
	_, _ = rand.Read(own[:])
	begin := time.Now()
	if x.opener {
		if err := writeFrame(x.signal, frameBegin, append([]byte{version}, own[:]...)); err != nil {
			return err
		}
	} else {
		f, err := x.expect(ctx, frameBegin, 1+nodeLen)
		if err != nil {
			return err
		}
		if f.content[0] != version {
			return fmt.Errorf("%w: version %d", errFrame, f.content[0])
		}
		if err := writeFrame(x.signal, frameReady, own[:]); err != nil {
			return err
		}
		x.key = newKey([nodeLen]byte(f.content[1:]), own)
	}
	<-looked
	x.report.Mine = x.s.views
	x.mine = x.s.here()
	if err := writeFrame(x.signal, frameHere, x.mine.encode()); err != nil {
		return err
	}
	if x.opener {
		f, err := x.expect(ctx, frameReady, nodeLen)
		if err != nil {
			return err
		}
		x.report.RTT = min(f.at.Sub(begin), maxRTT)
		x.key = newKey(own, [nodeLen]byte(f.content))
	}
	f, err := x.expect(ctx, frameHere, -1)
	if err != nil {
		return err
	}
	if x.theirs, err = parseHere(f.content); err != nil {
		return err
	}
	x.report.Theirs = x.theirs.class
	if !x.opener {
		_, err := x.expect(ctx, frameGo, 0)
		return err
	}
	if err := writeFrame(x.signal, frameGo, nil); err != nil {
		return err
	}
	// The other side begins when it hears this.
	t := time.NewTimer(x.report.RTT / 2)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// expect returns the next frame, which must be of a type and a length; -1 is any.
func (x *session) expect(ctx context.Context, typ byte, length int) (f frame, err error) {
	select {
	case got, ok := <-x.frames:
		f = got
		switch {
		case !ok:
			return f, errFrame
		case f.err != nil:
			return f, fmt.Errorf("punch: signalling: %w", f.err)
		case f.typ == frameFailed:
			return f, fmt.Errorf("%w: the other side gave up", ErrFailed)
		case f.typ != typ || length >= 0 && len(f.content) != length:
			return f, fmt.Errorf("%w: frame %d of %d bytes", errFrame, f.typ, len(f.content))
		}
		return f, nil
	case <-ctx.Done():
		return f, ctx.Err()
	}
}
