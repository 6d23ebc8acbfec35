package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
)

// A caughtUp is what catchup has measured, in seconds.
type caughtUp struct {
	Messages int
	Made     float64 // until they were said
	Met      float64 // from the start of who was away until they are connected
	Seconds  float64 // and until all is kept and shown
	CPU      float64 // of both, meanwhile
	MadeCPU  float64 // of who says, before
}

// catchUp has one of two go, the other say much, and the first come back.
func catchUp(ctx context.Context, o *options) (any, error) {
	here, err := newMember(ctx, o.dir, 0)
	if err != nil {
		return nil, err
	}
	defer here.close() //nolint:errcheck // the measurement is over
	away, err := newMember(ctx, o.dir, 1, here)
	if err != nil {
		return nil, err
	}
	r, err := room(ctx, here, away)
	if err != nil {
		return nil, err
	}
	if err := away.close(); err != nil {
		return nil, err
	}
	c := caughtUp{Messages: o.messages}
	begin, used := time.Now(), cpu()
	last, err := say(ctx, r, o.messages)
	if err != nil {
		return nil, err
	}
	c.Made, c.MadeCPU = time.Since(begin).Seconds(), cpu()-used
	begin, used = time.Now(), cpu()
	if away, err = newMember(ctx, o.dir, 1, here); err != nil {
		return nil, err
	}
	defer away.close() //nolint:errcheck // the measurement is over
	own, err := away.Room(r.ID())
	if err != nil {
		return nil, err
	}
	if err := until(ctx, func() bool { return len(own.Connected()) > 0 }); err != nil {
		return nil, err
	}
	c.Met = time.Since(begin).Seconds()
	if err := until(ctx, func() bool { _, err := own.Get(ctx, last.ID); return err == nil }); err != nil {
		return nil, err
	}
	c.Seconds, c.CPU = time.Since(begin).Seconds(), cpu()-used
	return c, nil
}

// speakers are how many say something at once.
const speakers = 64

// say says much, by many at once, and returns what came last.
func say(ctx context.Context, r *chat.Room, messages int) (last event.Key, err error) {
	type said struct {
		event.Key
		err error
	}
	todo, done := make(chan int), make(chan said)
	for range speakers {
		go func() {
			for i := range todo {
				k, err := r.Say(ctx, chat.Message{Text: text(i)})
				done <- said{k, err}
			}
		}()
	}
	go func() {
		defer close(todo)
		for i := range messages {
			todo <- i
		}
	}()
	for range messages {
		s := <-done
		if s.err != nil {
			err = s.err
		}
		if last.Less(s.Key) {
			last = s.Key
		}
	}
	return last, err
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
