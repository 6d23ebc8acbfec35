package screen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A fetching is a file that somebody has shared with a room, as it is fetched. Nothing is fetched by itself, and what
// has come is never opened.
type fetching struct {
	stop  context.CancelFunc
	words string // how far it is, or what has become of it
	bad   bool
	over  bool
}

// goesOn tells whether the file of an entry is being fetched.
func (t *talk) goesOn(e *entry) bool {
	x := t.fetched[e.ID]
	return x != nil && !x.over
}

func runGet(m *model, t *talk, _ string) tea.Cmd {
	e := t.at(m.picked)
	for i := len(t.entries) - 1; i >= 0 && e == nil; i-- {
		if x := &t.entries[i]; x.File != nil && !x.File.Here {
			e = x
		}
	}
	if e == nil || e.File == nil {
		return m.fail(errors.New("there is no file here that could be fetched"))
	}
	return m.fetch(t, e)
}

// fetch begins to fetch the file of an entry, or stops that.
func (m *model) fetch(t *talk, e *entry) tea.Cmd {
	switch {
	case e.File.Here:
		return m.say("this computer has shared it itself")
	case t.goesOn(e):
		t.fetched[e.ID].stop()
		return nil
	}
	ctx, stop := m.world.begin()
	x := &fetching{stop: stop, words: "looking for who has it"}
	if t.fetched == nil {
		t.fetched = map[string]*fetching{}
	}
	t.fetched[e.ID], e.drawn = x, nil
	next, end := iter.Pull2(m.node.Fetch(ctx, api.FetchRequest{Room: t.id, Message: e.ID, Target: m.downloads}))
	return m.follow(t, e.ID, x, func() (api.FetchEvent, error) {
		f, err, more := next()
		if !more && err == nil {
			err = errEnded
		}
		if err != nil || f.Type == api.FetchDone {
			end()
			if ctx.Err() != nil {
				err = errStopped
			}
			stop()
		}
		return f, err
	})
}

var errStopped = errors.New("stopped")

// follow waits for the next that happens to what is fetched.
func (m *model) follow(t *talk, id string, x *fetching, next func() (api.FetchEvent, error)) tea.Cmd {
	return m.ask(func(context.Context) answer {
		f, err := next()
		return func(m *model) tea.Cmd {
			if e := t.at(id); e != nil {
				e.drawn = nil
			}
			switch {
			case err == errStopped: //nolint:errorlint // it is ours
				x.words, x.over = "stopped: o goes on with it", true
			case err != nil:
				x.words, x.bad, x.over = "not fetched: "+errorWords(err), true, true
			case f.Type == api.FetchDone:
				x.words, x.over = "it is "+strings.Join(f.Paths, ", "), true
			default:
				if f.Type == api.FetchProgress && f.Share != nil {
					x.words = progressWords(f.Share)
				}
				return m.follow(t, id, x, next)
			}
			return nil
		}
	})
}

// progressWords says how far something is.
func progressWords(s *api.Share) string {
	if len(s.Peers) == 0 {
		return "looking for who has it"
	}
	if s.Bytes <= 0 {
		return "it is coming"
	}
	part := min(100*s.Have/s.Bytes, 100)
	return fmt.Sprintf("%d%%, %s of %s, %s/s", part, sizeWords(s.Have), sizeWords(s.Bytes), sizeWords(int64(s.GotPS)))
}
