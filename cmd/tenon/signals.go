package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tenon-net/tenon"
)

// An interrupted is the cause of a context that a signal has cancelled.
type interrupted struct{ sig syscall.Signal }

func (i interrupted) Error() string { return i.sig.String() }

// watchSignals cancels at the first signal from now on: joints are cut, sockets
// removed, programs ended, the terminal restored. The second ends the process at
// once. SIGHUP has a service read its files again. If it is ignored from the start,
// as by nohup(1), it stays so.
func (p *program) watchSignals(cancel context.CancelCauseFunc) {
	// SIGPIPE is caught, not ignored: a write to a closed pipe is then an error
	// like any other, and programs that are started do not inherit it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	c := make(chan os.Signal, 2)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
	go p.obeySignals(c, cancel)
}

func (p *program) obeySignals(c <-chan os.Signal, cancel context.CancelCauseFunc) {
	ending := false
	for s := range c {
		switch sig := s.(syscall.Signal); {
		case sig == syscall.SIGHUP && (ending || p.hangUp()):
			// A terminal that goes away sends it more than once.
		case ending:
			os.Exit(128 + int(sig))
		default:
			ending = true
			cancel(interrupted{sig})
		}
	}
}

// hangUp has a service reload. It returns false if there is none, or if a terminal
// has gone, which is the same signal.
func (p *program) hangUp() bool {
	again := p.reloads.Load()
	if again == nil || terminalGone() {
		return false
	}
	select {
	case *again <- struct{}{}:
	default: // one is to come anyway
	}
	return true
}

// The events of a reload.
const (
	reloaded    tenon.EventType = "reloaded"
	notReloaded tenon.EventType = "reload-failed"
)

// reloadOnHangUp has SIGHUP reload o and tell what came of it, until stop.
func (p *program) reloadOnHangUp(ctx context.Context, o *tenon.Opener, tell func(tenon.Event)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	again := make(chan struct{}, 1)
	p.reloads.Store(&again)
	var work sync.WaitGroup
	work.Go(func() { reloads(ctx, again, o.Reload, tell) })
	return func() {
		cancel()
		work.Wait()
	}
}

// reloads calls reload each time it hears from again, and tells how that went.
func reloads(ctx context.Context, again <-chan struct{}, reload func() error, tell func(tenon.Event)) {
	for {
		select {
		case <-again:
		case <-ctx.Done():
			return
		}
		e := tenon.Event{Time: time.Now(), Type: reloaded, Text: "reloaded: who connects from now on meets the certificates, keys, lists, users, passwords and tokens that the files have now"}
		if err := reload(); err != nil {
			e.Type, e.Text, e.Err = notReloaded, "not reloaded, all stays as it was", err
		}
		tell(e)
	}
}
