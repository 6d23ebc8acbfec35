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

// Bounds of an attempt.
const (
	begun     = 5 * time.Second         // until both have said all, apart from round trips
	plainTime = 3 * time.Second         // for punching without guesses
	longTime  = 5500 * time.Millisecond // with guesses
	maxRTT    = 5 * time.Second         // of what is measured, more is not believed
)

// Open makes an attempt as the side that has opened the stream, and closes the stream. Errors match the context's
// or ErrFailed, or tell what is wrong with the stream; they are an *Error.
func Open(ctx context.Context, signal transport.Stream, c Config) (*Result, error) {
	return attempt(ctx, signal, c, true)
}

// Accept makes an attempt as the side at which the stream arrived; see Open.
func Accept(ctx context.Context, signal transport.Stream, c Config) (*Result, error) {
	return attempt(ctx, signal, c, false)
}

// A session is one side of an attempt.
type session struct {
	opener bool
	c      Config
	signal transport.Stream
	frames <-chan frame // read from signal; closed at its end
	key    key
	s      *sockets
	mine   here
	theirs here
	report Report
}

type frame struct {
	typ     byte
	content []byte
	err     error
}

func attempt(ctx context.Context, signal transport.Stream, c Config, opener bool) (*Result, error) {
	start := time.Now()
	frames := make(chan frame, 4)
	x := &session{opener: opener, c: c, signal: signal, frames: frames}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { expire(signal, time.Unix(1, 0)) })
	expire(signal, start.Add(begun+longTime+5*maxRTT)) // whatever the other side does not read
	var wg sync.WaitGroup
	wg.Go(func() { readFrames(ctx, signal, frames) })
	res, err := x.run(ctx)
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
		case frames <- frame{typ, content, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// run does everything: looks, agrees, punches.
func (x *session) run(ctx context.Context) (*Result, error) {
	early, cancel := context.WithTimeout(ctx, begun)
	defer cancel()
	if err := x.agree(early); err != nil {
		if x.s != nil {
			x.s.close()
		}
		if ctx.Err() == nil && early.Err() != nil {
			err = fmt.Errorf("%w: the other side does not answer", ErrFailed)
		}
		return nil, err
	}
	defer x.s.close()
	return x.punch(ctx)
}

// agree makes both sides know the same, and returns when it is time to begin.
func (x *session) agree(ctx context.Context) error {
	var own, other [nodeLen]byte
	_, _ = rand.Read(own[:])
	looked := make(chan *sockets, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	if x.opener {
		if err := writeFrame(x.signal, frameBegin, append([]byte{version}, own[:]...)); err != nil {
			return err
		}
		go func() { looked <- gather(ctx, x.c) }()
	} else {
		content, err := x.expect(ctx, frameBegin, 1+nodeLen)
		if err != nil {
			return err
		}
		if content[0] != version {
			return fmt.Errorf("%w: version %d", errFrame, content[0])
		}
		other = [nodeLen]byte(content[1:])
		go func() { looked <- gather(ctx, x.c) }()
		if err := writeFrame(x.signal, frameReady, own[:]); err != nil {
			cancel()
			x.s = <-looked
			return err
		}
	}
	if x.opener {
		content, err := x.expect(ctx, frameReady, nodeLen)
		if err != nil {
			cancel()
			x.s = <-looked
			return err
		}
		other = [nodeLen]byte(content)
		x.report.RTT = min(time.Since(begin), maxRTT)
		x.key = newKey(own, other)
	} else {
		x.key = newKey(other, own)
	}
	x.s = <-looked
	x.report.Mine = x.s.views
	x.mine = x.s.here(x.c)
	if err := writeFrame(x.signal, frameHere, x.mine.encode()); err != nil {
		return err
	}
	content, err := x.expect(ctx, frameHere, -1)
	if err != nil {
		return err
	}
	if x.theirs, err = parseHere(content); err != nil {
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

// expect returns the content of the next frame, which must be of a type and a length; -1 is any.
func (x *session) expect(ctx context.Context, typ byte, length int) ([]byte, error) {
	select {
	case f, ok := <-x.frames:
		switch {
		case !ok:
			return nil, errFrame
		case f.err != nil:
			return nil, fmt.Errorf("punch: signalling: %w", f.err)
		case f.typ == frameFailed:
			return nil, fmt.Errorf("%w: the other side gave up", ErrFailed)
		case f.typ != typ || length >= 0 && len(f.content) != length:
			return nil, fmt.Errorf("%w: frame %d of %d bytes", errFrame, f.typ, len(f.content))
		}
		return f.content, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
