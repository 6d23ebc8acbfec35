package main

import (
	"context"
	"errors"
	"log"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// stallAfter is how long a video program may send no picture before it is said not
// to answer.
const stallAfter = 2 * time.Second

// A state is what a video program is doing, as the slide says it.
//
//	              picture                   2 s without one
//	waiting -----------------------> live ------------------> stalled
//	   |                             | ^ <----- picture ------- ^ |
//	   |  2 s without a picture      | |                        | |
//	   +-----------------------------|-|------------------------+ |
//	                             end | | picture                  | end
//	                                 v |                          |
//	                                ended <-----------------------+
//
// A program that comes after the end of another and sends nothing stalls, too.
type state string

const (
	waiting state = "" // no program has been there
	live    state = "live"
	stalled state = "stalled" // a program is there and sends no pictures
	ended   state = "ended"   // the program has gone
)

// text is what the slide says; a video that plays needs no words.
func (s state) text() string {
	switch s {
	case waiting:
		return "Waiting for the video program"
	case stalled:
		return "The video program does not answer"
	case ended:
		return "The video program has ended; waiting for it to come back"
	}
	return ""
}

// A picture is the newest of a video, and what has become of the program that made
// it.
type picture struct {
	state  state
	since  time.Time // of the state
	why    string    // what was wrong with what a program sent, "" if nothing
	jpeg   []byte    // nil before the first; does not change
	number uint64    // of the jpeg, from 1
}

// to returns the picture with another state.
func (p picture) to(s state, why string) picture {
	if p.state != s {
		p.state, p.since = s, time.Now()
	}
	p.why = why
	return p
}

// A video listens to one video program at a time. The zero video waits.
type video struct {
	newest latest[picture]
	wg     sync.WaitGroup // programs being listened to

	mu      sync.Mutex       // guards what follows, and the order of changes of newest
	program transport.Stream // the one that is listened to; nil if there is none
	heard   time.Time        // when it sent a picture, or came
}

// serve listens to the programs that come to acc until ctx is done.
func (v *video) serve(ctx context.Context, acc transport.Acceptor) {
	defer v.wg.Wait()
	defer v.dismiss()
	defer context.AfterFunc(ctx, func() { acc.Close() })()
	for {
		c, err := acc.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			log.Print(err)
			continue
		}
		program, ok := c.(transport.Stream)
		if !ok {
			log.Printf("%v carries messages, and a video is bytes", c.RemoteAddr())
			c.Close()
			continue
		}
		if !v.admit(program) {
			transport.Abort(program, errors.New("another video program is playing"))
			continue
		}
		v.wg.Go(func() { v.play(program) })
	}
}

// admit makes program the one that is listened to. It may take the place of one
// that does not answer, but not of one that plays.
func (v *video) admit(program transport.Stream) bool {
	v.mu.Lock()
	last := v.program
	if last != nil && time.Since(v.heard) < stallAfter {
		v.mu.Unlock()
		return false
	}
	v.program, v.heard = program, time.Now()
	v.mu.Unlock()
	if last != nil {
		transport.Abort(last, errors.New("another video program has taken over"))
	}
	return true
}

// dismiss ends the program that is listened to.
func (v *video) dismiss() {
	v.mu.Lock()
	program := v.program
	v.mu.Unlock()
	if program != nil {
		program.Close()
	}
}

// play takes pictures from program until it ends.
func (v *video) play(program transport.Stream) {
	defer program.Close()
	silence := time.AfterFunc(stallAfter, func() { v.silent(program) })
	defer silence.Stop()
	for frames := newCutter(program); ; {
		jpeg, err := frames.next()
		if err != nil {
			v.gone(program, err)
			return
		}
		v.show(program, jpeg)
		silence.Reset(stallAfter) // after heard was set, so that it does not run out too soon for silent
	}
}

// show makes jpeg the newest picture.
func (v *video) show(program transport.Stream, jpeg []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.program != program {
		return
	}
	v.heard = time.Now()
	v.newest.change(func(p picture) picture {
		p = p.to(live, "")
		p.jpeg, p.number = jpeg, p.number+1
		return p
	})
}

// silent notes that program has sent nothing for a while.
func (v *video) silent(program transport.Stream) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.program != program || time.Since(v.heard) < stallAfter {
		return // the timer ran out while a picture came in
	}
	v.newest.change(func(p picture) picture { return p.to(stalled, "") })
}

// gone notes that program has ended. What it was is still shown.
func (v *video) gone(program transport.Stream, err error) {
	why := ""
	for _, fault := range []error{errNoPicture, errTooLong, errTooLarge} {
		if errors.Is(err, fault) {
			why = fault.Error()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.program != program {
		return
	}
	v.program = nil
	v.newest.change(func(p picture) picture { return p.to(ended, why) })
}
