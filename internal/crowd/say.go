package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
)

// A made is a room in which much was said. What it is called is kept beside the databases, so that another run, or another build, measures the
// same.
type made struct {
	Room event.ID
	Last event.Key
}

// once has a room made, unless an earlier run has made it in the same directory.
func (o *options) once(make func(*made) error) (m made, err error) {
	record := filepath.Join(o.dir, "made.json")
	b, err := os.ReadFile(record)
	switch {
	case err == nil:
		return m, json.Unmarshal(b, &m)
	case !errors.Is(err, fs.ErrNotExist):
		return m, err
	}
	if err = make(&m); err == nil {
		b, err = json.Marshal(m)
	}
	if err == nil {
		err = os.WriteFile(record, b, 0o600)
	}
	return m, err
}

// speakers are how many say something at once.
const speakers = 64

// say says much, by many at once, and returns what came last.
func say(ctx context.Context, r *chat.Room, messages int) (last event.Key, err error) {
	type said struct {
		event.Key
		err error
	}
	numbers, done := make(chan int), make(chan said)
	for range speakers {
		go func() {
			for i := range numbers {
				k, err := r.Say(ctx, chat.Message{Text: text(i)})
				done <- said{k, err}
			}
		}()
	}
	go func() {
		defer close(numbers)
		for i := range messages {
			numbers <- i
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
