//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/gift"
	"github.com/tenon-net/tenon/internal/rundir"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// takeInterval is the time between two looks whether somebody gives.
const takeInterval = 100 * time.Millisecond

var (
	errNobodyGives = errors.New("nobody gives anything there")
	errGiverGone   = errors.New("the giver went away; perhaps somebody else has taken it")
)

// A taker is one run of tenon take.
type taker struct {
	*program
	*call
	name string // of the rendezvous, as the user wrote it
	from local.Access
}

// runTake is "tenon take RENDEZVOUS [ADDRESS | -- PROGRAM ARGS...]".
func runTake(p *program, c *call) error {
	t := &taker{program: p, call: c, from: local.Access{AllowUID: c.take.from}}
	path := ""
	switch n := len(c.args); {
	case n < 1 || n > 2 || n == 2 && c.rest != nil:
		return usageError("a rendezvous is needed, and then an address, or -- and a program", "for example: tenon take web -- nginx")
	case c.rest != nil && len(c.rest) == 0:
		return usageError("a program is missing behind --", "for example: tenon take web -- nginx")
	case c.rest == nil && c.take.stdio:
		return usageError("--stdio is for a program", "for example: tenon take --stdio db -- psql")
	case c.rest != nil:
		var err error
		if path, err = findProgram(c.rest[0]); err != nil {
			return err
		}
	}
	t.name = c.args[0]
	if err := t.from.Validate(); err != nil {
		return err
	}
	if c.rest != nil {
		return t.run(path)
	}
	return t.join()
}

// run becomes the program.
func (t *taker) run(path string) error {
	gifts, err := t.get(func(gifts []gift.Gift) error {
		if t.take.stdio {
			return fitsStdio(gifts)
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer gift.Close(gifts) // if there will be no program
	if t.take.stdio {
		places, err := stdioPlaces(gifts[0].File)
		if err != nil {
			return err
		}
		t.report(gifts, func(int) string { return "standard input and output" })
		return t.failed(become(path, t.rest, os.Environ(), places))
	}
	var places []place
	for i, g := range gifts {
		places = append(places, place{g.File, firstPassed + i})
	}
	t.report(gifts, func(i int) string { return fmt.Sprintf("descriptor %d", firstPassed+i) })
	return t.failed(become(path, t.rest, listenEnv(os.Environ(), gifts), places))
}

// join makes a joint of what is taken and another end.
func (t *taker) join() error {
	other := address.Stdio
	if len(t.args) == 2 {
		other = t.args[1]
	}
	e, err := newOpener().Explain(other)
	if err != nil {
		return err // before anything is taken
	}
	gifts, err := t.get(fitsJoint)
	if err != nil {
		return err
	}
	t.report(gifts, func(int) string { return "joined to " + e.Address })
	mine, other, oneWay, err := jointEnds(gifts, other)
	gift.Close(gifts) // there are duplicates
	if err != nil {
		return t.failed(err)
	}
	t.joint.oneWay = oneWay
	return t.program.join(t.call, mine, other)
}

// get takes what somebody gives, if fits has nothing against it.
func (t *taker) get(fits func([]gift.Gift) error) ([]gift.Gift, error) {
	ctx := t.ctx
	if d := t.take.timeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, transport.Mark(t.failed(errors.New("timed out: nobody has given anything")), tenon.ErrTimeout))
		defer cancel()
	}
	for {
		gifts, err := t.try(ctx, fits)
		if last, ok := ctx.Deadline(); ok && errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(last) {
			<-ctx.Done() // package net looks at the clock by itself, and may be first
		}
		again := errors.Is(err, errNobodyGives) || errors.Is(err, errGiverGone)
		switch {
		case ctx.Err() != nil && err != nil:
			return nil, context.Cause(ctx)
		case err == nil:
			return gifts, nil
		case !again || !t.take.wait:
			return nil, t.failed(err)
		}
		select {
		case <-time.After(takeInterval):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try takes once.
func (t *taker) try(ctx context.Context, fits func([]gift.Gift) error) ([]gift.Gift, error) {
	giver := rundir.Rendezvous{Name: t.name, Ext: giveExt, Access: t.from, Hint: "--from=USER takes from another user"}
	conn, err := giver.Dial(ctx)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, transport.WithHint(errNobodyGives, "tenon give "+t.name+" ADDRESS does, and --wait waits for it")
	case err != nil:
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c, ok := transport.As[gift.Conn](conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	gifts, err := gift.Receive(c)
	if err == io.ErrUnexpectedEOF || errors.Is(err, syscall.ECONNRESET) {
		return nil, transport.WithHint(errGiverGone, "--wait waits for the next one")
	}
	if err != nil {
		return nil, err
	}
	if err = fits(gifts); err == nil {
		err = gift.Accept(c)
	}
	if err != nil {
		gift.Close(gifts)
		return nil, err
	}
	return gifts, nil
}

// failed says what was being done.
func (t *taker) failed(err error) error {
	if err == nil {
		return nil
	}
	return &tenon.Error{Op: "take", End: t.name, Err: err}
}

// givenNames returns what is given by this user at the moment, for completion.
func givenNames() []string {
	path, err := rundir.Socket("x", giveExt)
	if err != nil {
		return nil
	}
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+giveExt))
	if err != nil {
		return nil
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), giveExt)
	}
	return paths
}
