//go:build linux

package bus

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Times of finding a hub, or becoming it.
const (
	greetTime  = 5 * time.Second        // for one try, with all that is said at the beginning
	meetTime   = 10 * time.Second       // until a member that finds no hub and cannot be it gives up
	firstPause = 10 * time.Millisecond  // at most, at random, before a member tries to be the next hub
	guestPause = 50 * time.Millisecond  // before one does that never was a member: others go first
	lastPause  = 100 * time.Millisecond // at most, at random, between two tries
	gatherTick = 10 * time.Millisecond  // a new hub begins when nobody has come for
	quietTicks = 30                     // so many ticks in a row,
	guestTicks = 10                     // or so many, if most probably there was no bus,
	gatherTime = 3 * time.Second        // and after so long in any case
	lateTime   = 5 * time.Second        // it keeps what those may lack who come later than that
)

// A link is a member's connection with a hub.
type link struct {
	conn transport.Stream
	r    *bufio.Reader
	gone chan struct{} // closed when it is of no more use

	hungUp bool // the hub is gone; of receive
}

// hubError is about the hub or the way to it, and may pass: the hub has gone, or
// somebody else was faster.
type hubError struct{ err error }

func (e *hubError) Error() string { return e.err.Error() }
func (e *hubError) Unwrap() error { return e.err }

// meet finds the hub, or becomes it. An error that may pass has it try again.
func (c *Conn) meet(ctx context.Context) (*link, error) {
	end := time.Now().Add(meetTime)
	wait := firstPause
	for try := 0; ; try++ {
		l, err := c.attempt(ctx, try)
		var passes *hubError
		switch {
		case err == nil:
			return l, nil
		case ctx.Err() != nil:
			return nil, transport.Mark(context.Cause(ctx), ctx.Err())
		case !errors.As(err, &passes):
			return nil, err
		case time.Now().After(end):
			return nil, passes.err
		}
		if try == 0 && c.guest() && errors.Is(err, syscall.ECONNREFUSED) {
			waitFor(ctx, guestPause)
		} else {
			pause(ctx, wait)
			wait = min(2*wait, lastPause)
		}
	}
}

// guest tells whether this one never was a member of the bus.
func (c *Conn) guest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.journal.epoch == 0
}

// attempt connects to the hub, which it becomes if there is none, and shakes hands.
func (c *Conn) attempt(ctx context.Context, try int) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	conn, err := c.dial(ctx)
	switch {
	case errors.Is(err, os.ErrNotExist) && (try > 0 || c.guest()),
		errors.Is(err, syscall.ECONNREFUSED) && try > 0:
		// A socket without a program may mean that members are looking for the
		// next hub: those who know more than a guest go first.
		if err := c.becomeHub(ctx, !errors.Is(err, os.ErrNotExist)); err != nil {
			return nil, err
		}
		conn, err = c.dial(ctx)
	}
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) || errors.Is(err, context.DeadlineExceeded) {
			err = &hubError{err}
		}
		return nil, err
	}
	l := &link{conn: conn, r: bufio.NewReaderSize(conn, batchSize/4), gone: make(chan struct{})}
	if err := c.greet(ctx, l); err != nil {
		conn.Close()
		return nil, c.greetError(ctx, conn, err)
	}
	return l, nil
}

// greetError tells what may pass from what does not.
func (c *Conn) greetError(ctx context.Context, conn transport.Conn, err error) error {
	switch {
	case ctx.Err() != nil:
		text := "the member that plays the hub does not answer"
		if cred := conn.Info().Cred; cred != nil {
			text += ": process " + strconv.Itoa(cred.PID)
		}
		return &hubError{transport.WithHint(transport.Mark(errors.New(text), transport.ErrTimeout),
			"a program that is stopped, by Ctrl-Z say, stops the bus; fg or kill it")}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, refuseBusy):
		return &hubError{err}
	}
	return err
}

func (c *Conn) dial(ctx context.Context) (transport.Stream, error) {
	return c.bus.rendezvous(c.bus.Access).Dial(ctx)
}

// becomeHub listens in the place of a hub. If others may know more of the bus than
// this one does, the hub gathers them before it begins.
func (c *Conn) becomeHub(ctx context.Context, others bool) error {
	access := c.bus.Access
	access.Unlink = opt.Off // see tidy
	acc, err := c.bus.rendezvous(access).Listen(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return &hubError{err}
	} else if err != nil {
		return err
	}
	c.mu.Lock()
	j, old := c.journal.clone(), c.hub
	c.mu.Unlock()
	quiet := quietTicks // some may still be reading what the last hub has written
	if j.epoch == 0 && strings.HasPrefix(c.bus.Name, "@") {
		quiet = guestTicks // an abstract name says nothing about who was there
	}
	h := startHub(acc, j, others || j.epoch != 0, quiet)
	c.mu.Lock()
	c.hub = h
	c.mu.Unlock()
	if old != nil {
		old.close(c.origin) // somebody has removed its socket
	}
	return nil
}

// waitFor waits for d, or until ctx is done.
func waitFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
