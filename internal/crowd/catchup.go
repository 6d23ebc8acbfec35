package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"time"
)

// A caughtUp is what catchup has measured, in seconds.
type caughtUp struct {
	Messages      int
	Made, MadeCPU float64 // until they were said; 0 if an earlier run has said them
	Rounds        []missed
}

// A missed is how long it took to get what was missed.
type missed struct {
	Met     float64 // from the start of who was away until they are connected
	Seconds float64 // and until all is kept and shown
	CPU     float64 // of both, meanwhile
}

// catchUp has one of two go, the other say much, and the first come back, again and again.
func catchUp(ctx context.Context, o *options) (any, error) {
	c := caughtUp{Messages: o.messages}
	m, err := o.once(func(m *made) error { return c.make(ctx, o, m) })
	if err != nil {
		return nil, err
	}
	stop, err := o.startProfile()
	if err != nil {
		return nil, err
	}
	defer stop()
	for range o.rounds {
		if err := os.CopyFS(place(o.dir, comesBack), os.DirFS(place(o.dir, away))); err != nil {
			return nil, err
		}
		r, err := comeBack(ctx, o, m)
		if err != nil {
			return nil, err
		}
		c.Rounds = append(c.Rounds, r)
		if err := os.RemoveAll(place(o.dir, comesBack)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// The directories of who is away, and of who comes back each time.
const (
	away      = "member1"
	comesBack = "back"
)

// make makes a room of two, and has one say much while the other is away.
func (c *caughtUp) make(ctx context.Context, o *options, m *made) error {
	here, err := newMember(ctx, o.dir, 0)
	if err != nil {
		return err
	}
	defer here.close() //nolint:errcheck // what was said is kept
	there, err := newMember(ctx, o.dir, 1, here)
	if err != nil {
		return err
	}
	r, err := room(ctx, here, there)
	if err := errors.Join(err, there.close()); err != nil {
		return err
	}
	begin, used := time.Now(), cpu()
	m.Room = r.ID()
	m.Last, err = say(ctx, r, o.messages)
	c.Made, c.MadeCPU = time.Since(begin).Seconds(), cpu()-used
	return err
}

// comeBack is one round.
func comeBack(ctx context.Context, o *options, m made) (x missed, err error) {
	here, err := newMember(ctx, o.dir, 0)
	if err != nil {
		return x, err
	}
	defer here.close() //nolint:errcheck // the measurement is over
	begin, used := time.Now(), cpu()
	back, err := newMemberIn(ctx, place(o.dir, comesBack), 1, here)
	if err != nil {
		return x, err
	}
	defer back.close() //nolint:errcheck // the measurement is over
	own, err := back.Room(m.Room)
	if err != nil {
		return x, err
	}
	if err := until(ctx, func() bool { return len(own.Connected()) > 0 }); err != nil {
		return x, err
	}
	x.Met = time.Since(begin).Seconds()
	if err := until(ctx, func() bool { _, err := own.Get(ctx, m.Last.ID); return err == nil }); err != nil {
		return x, err
	}
	x.Seconds, x.CPU = time.Since(begin).Seconds(), cpu()-used
	return x, nil
}

// text is the i-th message, of 200 bytes: words out of 5,000, some of them often.
func text(i int) string {
	rnd := rand.New(rand.NewPCG(uint64(i), 1))
	words := rand.NewZipf(rnd, 1.2, 20, 4999)
	var b strings.Builder
	for b.Len() < 190 {
		b.WriteString(word(int(words.Uint64())) + " ")
	}
	return b.String() + strings.Repeat("x", 200-b.Len())
}

func word(n int) string { return fmt.Sprintf("w%04x", n) }

// cpu is how many seconds of processors this process has used.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
