package main

import (
	"context"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
)

// A long is what million has measured, in seconds.
type long struct {
	Messages, Made float64
	Rounds         []used
}

// A used is how long it took to use the room.
type used struct {
	Open   float64 // all rooms, with the last page of this one
	Page   float64 // in the middle
	Search float64 // for a word that many messages have
	Worst  float64 // the slowest of several
}

// million makes a long room, and then opens it, and searches, again and again.
func million(ctx context.Context, o *options) (any, error) {
	l := long{Messages: float64(o.messages)}
	m, err := o.once(func(m *made) error { return l.make(ctx, o, m) })
	if err != nil {
		return nil, err
	}
	stop, err := o.startProfile()
	if err != nil {
		return nil, err
	}
	defer stop()
	for range o.rounds {
		var u used
		if err := u.use(ctx, o.dir, m.Room); err != nil {
			return nil, err
		}
		l.Rounds = append(l.Rounds, u)
	}
	return l, nil
}

// make has one member say all of it, many messages at once: to keep each by itself would take an hour.
func (l *long) make(ctx context.Context, o *options, into *made) error {
	m, err := newMember(ctx, o.dir, 0)
	if err != nil {
		return err
	}
	defer m.close() //nolint:errcheck // what was said is kept
	r, err := room(ctx, m)
	if err != nil {
		return err
	}
	begin := time.Now()
	for at := 0; at < o.messages; at += atOnce {
		all := make([]chat.Message, min(atOnce, o.messages-at))
		for i := range all {
			all[i].Text = text(at + i)
		}
		keys, err := r.SayAll(ctx, all)
		if err != nil {
			return err
		}
		into.Last = keys[len(keys)-1]
	}
	into.Room, l.Made = r.ID(), time.Since(begin).Seconds()
	return nil
}

// atOnce is how many messages of a long room are said at once.
const atOnce = 1000

// use opens the room, as a node does that starts, and looks for something.
func (u *used) use(ctx context.Context, dir string, id event.ID) error {
	m, err := newMember(ctx, dir, 0)
	if err != nil {
		return err
	}
	defer m.close() //nolint:errcheck // the measurement is over
	m.Close()
	took := func(f func() error) (seconds float64, err error) {
		begin := time.Now()
		err = f()
		return time.Since(begin).Seconds(), err
	}
	var r *chat.Room
	u.Open, err = took(func() error {
		if m.Chat, err = chat.Open(ctx, m.config); err != nil {
			return err
		}
		if r, err = m.Room(id); err != nil {
			return err
		}
		_, err = r.Before(ctx, event.Key{}, 50)
		return err
	})
	if err != nil {
		return err
	}
	first, err := r.After(ctx, event.Key{}, 1)
	if err != nil {
		return err
	}
	last, err := r.Before(ctx, event.Key{}, 1)
	if err != nil {
		return err
	}
	up := event.Key{Time: first[0].Time/2 + last[0].Time/2}
	if u.Page, err = took(func() error { _, err := r.Before(ctx, up, 50); return err }); err != nil {
		return err
	}
	// A word that is in many messages, two together, several, beginnings of the words of all, of most and of few messages, and none.
	for i, text := range []string{word(7), "w0000 w0001", word(12) + " " + word(100) + " " + word(7), "w0*", "w00*", "w012*", "nowhere"} {
		t, err := took(func() error { _, _, err := r.Search(ctx, chat.Query{Text: text, Limit: 50}); return err })
		if err != nil {
			return err
		}
		if i == 0 {
			u.Search = t
		}
		u.Worst = max(u.Worst, t)
	}
	return nil
}
