package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tenon-net/tenon/transport"
)

const (
	heartbeat    = time.Second      // a page that hears nothing for some of these knows that something is wrong
	writeTimeout = 10 * time.Second // a browser that takes nothing for so long is dropped
	ahead        = 2                // pictures under way to a browser
	maxSaid      = 256              // bytes in a message from a page
)

// A show is what all browsers see.
type show struct {
	deck  *deck
	slide latest[int] // which one, from 0
	video *video
}

// A told is what a page is told: at once when something changes, and with every
// heartbeat.
type told struct {
	Deck    string  `json:"deck"`  // a page of another deck loads itself again
	Slide   int     `json:"slide"` // from 0
	Video   state   `json:"video"`
	Text    string  `json:"text"`    // what the slide says, "" if the video plays
	Seconds float64 `json:"seconds"` // how long the video has been so
}

// A said is what a page says: one of these.
type said struct {
	Turn  int  `json:"turn"`  // go on by so many slides
	Go    *int `json:"go"`    // go to a slide, from 0
	Drawn bool `json:"drawn"` // a picture was drawn: there may be another
}

// session keeps one page up to date until it goes or ctx is done. Pictures are sent
// as binary messages, a new one when the page has drawn one before: a slow browser
// gets fewer pictures, and they are never old.
func (s *show) session(ctx context.Context, c transport.MsgConn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.Close() })() // ends both directions
	credit := make(chan struct{}, ahead)
	for range ahead {
		credit <- struct{}{}
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		defer cancel()
		s.hear(c, credit)
	}()
	s.keep(ctx, c, credit)
	c.Close()
	<-heard
}

// keep tells the page what is new.
func (s *show) keep(ctx context.Context, c transport.MsgConn, credit <-chan struct{}) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var last told
	sent := uint64(0) // number of the picture sent last
	for {
		slide, turned := s.slide.get()
		pic, moved := s.video.newest.get()
		if now := s.told(slide, pic); now != last {
			if last = now; !say(c, now, pic.since) {
				return
			}
		}
		may := credit
		if pic.number == sent || !s.deck.Slides[slide].Video {
			may = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-turned:
		case <-moved:
		case <-beat.C:
			last = told{}
		case <-may:
			if sent = pic.number; !write(c, pic.jpeg, transport.Meta{}) {
				return
			}
		}
	}
}

func (s *show) told(slide int, pic picture) told {
	t := told{Deck: s.deck.ID, Slide: slide, Video: pic.state, Text: pic.state.text()}
	if pic.why != "" {
		t.Text += " (" + pic.why + ")"
	}
	return t
}

// say tells the page what there is to tell, and since when the video is so.
func say(c transport.MsgConn, t told, since time.Time) bool {
	if !since.IsZero() {
		t.Seconds = time.Since(since).Seconds()
	}
	text, err := json.Marshal(t)
	return err == nil && write(c, text, transport.Meta{Text: true})
}

// write sends a message to a page that takes it.
func write(c transport.MsgConn, p []byte, m transport.Meta) bool {
	return c.SetWriteDeadline(time.Now().Add(writeTimeout)) == nil && c.WriteMsg(p, m) == nil
}

// hear does what the page says, until it goes or says something else.
func (s *show) hear(c transport.MsgConn, credit chan<- struct{}) {
	buf := make([]byte, maxSaid)
	for {
		n, _, err := c.ReadMsg(buf)
		if err != nil {
			return
		}
		var what said
		if json.Unmarshal(buf[:n], &what) != nil {
			return
		}
		if what.Drawn {
			select {
			case credit <- struct{}{}:
			default: // more than were sent
			}
			continue
		}
		s.slide.change(func(at int) int {
			if what.Go != nil {
				at = *what.Go
			}
			turn := max(-len(s.deck.Slides), min(what.Turn, len(s.deck.Slides)))
			return s.deck.clamp(s.deck.clamp(at) + turn)
		})
	}
}
