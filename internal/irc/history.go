package irc

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
)

// maxHistory is how many messages a CHATHISTORY answers with at most.
const maxHistory = 500

// A ref names a place in a history.
type ref struct {
	id   string
	time time.Time // of the message, or the place itself
}

var (
	errRef    = errors.New("that is no msgid=, timestamp= or *")
	errTarget = errors.New("there is no such room or person")
)

// chathistoryCmd is CHATHISTORY (https://ircv3.net/specs/extensions/chathistory).
func (s *session) chathistoryCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	sub := strings.ToUpper(p[0])
	want := map[string]int{"LATEST": 4, "BEFORE": 4, "AFTER": 4, "AROUND": 4, "BETWEEN": 5, "TARGETS": 4}[sub]
	if want == 0 || len(p) < want {
		s.fail("CHATHISTORY", "INVALID_PARAMS", oneWord(sub), "it is CHATHISTORY LATEST|BEFORE|AFTER|AROUND room place limit, BETWEEN room place place limit, TARGETS place place limit")
		return nil
	}
	limit, err := strconv.Atoi(p[want-1])
	if err != nil || limit < 1 {
		s.fail("CHATHISTORY", "INVALID_PARAMS", oneWord(sub), "the limit is a number from 1 on")
		return nil
	}
	limit = min(limit, maxHistory)
	if sub == "TARGETS" {
		return s.targets(ctx, p[1], p[2], limit)
	}
	c, err := s.historyOf(p[1])
	if err != nil {
		s.fail("CHATHISTORY", "INVALID_TARGET", oneWord(sub)+" "+oneWord(p[1]), err.Error())
		return nil
	}
	if c == nil { // nothing was said yet
		s.showNothing(p[1])
		return nil
	}
	all, err := s.history(ctx, c, sub, p[2:want-1], limit)
	switch {
	case errors.Is(err, errRef):
		s.fail("CHATHISTORY", "INVALID_MSGREFTYPE", oneWord(sub), err.Error())
		return nil
	case err != nil:
		s.fail("CHATHISTORY", "MESSAGE_ERROR", oneWord(sub), reason(err))
		return nil
	}
	s.show(c, all, oneWord(p[1]))
	return nil
}

// historyOf finds the room of a target; nil = it is a person with whom nothing was said.
func (s *session) historyOf(name string) (*channel, error) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	c, p := w.target(name)
	switch {
	case p != nil:
		return w.direct(p), nil
	case c == nil:
		return nil, errTarget
	}
	return c, nil
}

func (s *session) showNothing(name string) {
	b := s.newBatch()
	s.reply(&msg{cmd: "BATCH", params: []string{"+" + b, "chathistory", oneWord(name)}})
	s.reply(&msg{cmd: "BATCH", params: []string{"-" + b}})
}

// history returns the messages that are asked for.
func (s *session) history(ctx context.Context, c *channel, sub string, places []string, limit int) ([]api.RoomMessage, error) {
	var refs []ref
	for _, p := range places {
		if p == "*" && sub == "LATEST" {
			refs = append(refs, ref{})
			continue
		}
		r, err := s.ref(ctx, c, p)
		if err != nil {
			return nil, err
		}
		refs = append(refs, r)
	}
	switch sub {
	case "LATEST":
		all, err := s.before(ctx, c, "", limit)
		if refs[0] != (ref{}) {
			all = afterRef(all, refs[0])
		}
		return all, err
	case "BEFORE":
		return s.beforeRef(ctx, c, refs[0], limit)
	case "AFTER":
		return s.afterRef(ctx, c, refs[0], limit)
	case "AROUND":
		older, err := s.beforeRef(ctx, c, refs[0], limit/2)
		if err != nil {
			return nil, err
		}
		at := refs[0]
		if at.id == "" {
			at.time = at.time.Add(-time.Millisecond)
		}
		newer, err := s.afterRef(ctx, c, at, limit-len(older))
		if at.id != "" && err == nil {
			var m api.RoomMessage
			if m, err = s.world.node.RoomMessage(ctx, c.id, at.id); s.displays(c, &m) {
				newer = append([]api.RoomMessage{m}, newer...)
			}
		}
		all := append(older, newer...)
		return all[:min(limit, len(all))], err
	}
	a, b := refs[0], refs[1]
	if a.time.After(b.time) {
		all, err := s.beforeRef(ctx, c, a, limit)
		return afterRef(all, b), err
	}
	all, err := s.afterRef(ctx, c, a, limit)
	for i, m := range all {
		if m.ID == b.id || !m.Time.Before(b.time) && (b.id == "" || m.Time.After(b.time)) {
			return all[:i], err
		}
	}
	return all, err
}

// ref reads the name of a place.
func (s *session) ref(ctx context.Context, c *channel, text string) (ref, error) {
	kind, value, _ := strings.Cut(text, "=")
	switch kind {
	case "timestamp":
		t, err := parseTime(value)
		if err != nil {
			return ref{}, errRef
		}
		return ref{time: t}, nil
	case "msgid":
		m, err := s.world.node.RoomMessage(ctx, c.id, value)
		return ref{m.ID, m.Time}, err
	}
	return ref{}, errRef
}

func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && (t.Year() < 1970 || t.Year() > 9999) {
		err = errRef
	}
	return t, err
}

// afterRef is what of a part of a history is after a place.
func afterRef(all []api.RoomMessage, r ref) []api.RoomMessage {
	for i, m := range slices.Backward(all) {
		if m.ID == r.id || r.id == "" && m.Time.Before(r.time.Add(time.Millisecond)) || m.Time.Before(r.time) {
			return all[i+1:]
		}
	}
	return all
}

// beforeRef returns the last messages before a place.
func (s *session) beforeRef(ctx context.Context, c *channel, r ref, limit int) ([]api.RoomMessage, error) {
	if r.id == "" {
		page, err := s.world.node.RoomMessages(ctx, c.id, api.RoomQuery{Since: r.time, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Messages) > 0 {
			r.id = page.Messages[0].ID
		}
	}
	return s.before(ctx, c, r.id, limit)
}

// maxPages is how often a node is asked for one command, if it has much that is not shown.
const maxPages = 10

// before returns the last messages before one; "" = before the next one.
func (s *session) before(ctx context.Context, c *channel, id string, limit int) (all []api.RoomMessage, err error) {
	for range maxPages {
		if len(all) >= limit {
			break
		}
		page, err := s.world.node.RoomMessages(ctx, c.id, api.RoomQuery{Before: id, Limit: limit})
		if err != nil {
			return nil, err
		}
		all = append(s.displayed(c, page.Messages), all...)
		if len(page.Messages) < limit {
			break
		}
		id = page.Messages[0].ID
	}
	return all[max(0, len(all)-limit):], nil
}

// afterRef returns the first messages after a place.
func (s *session) afterRef(ctx context.Context, c *channel, r ref, limit int) (all []api.RoomMessage, err error) {
	q := api.RoomQuery{After: r.id, Limit: limit}
	if r.id == "" {
		q.Since = r.time.Add(time.Millisecond)
	}
	for range maxPages {
		if len(all) >= limit {
			break
		}
		page, err := s.world.node.RoomMessages(ctx, c.id, q)
		if err != nil {
			return nil, err
		}
		all = append(all, s.displayed(c, page.Messages)...)
		if len(page.Messages) < limit {
			break
		}
		q = api.RoomQuery{After: page.Messages[len(page.Messages)-1].ID, Limit: limit}
	}
	return all[:min(limit, len(all))], nil
}

func (s *session) displayed(c *channel, all []api.RoomMessage) (out []api.RoomMessage) {
	for i := range all {
		if s.displays(c, &all[i]) {
			out = append(out, all[i])
		}
	}
	return out
}

// targets lists the rooms in which something was said between two times.
func (s *session) targets(ctx context.Context, from, to string, limit int) error {
	a, okA := strings.CutPrefix(from, "timestamp=")
	b, okB := strings.CutPrefix(to, "timestamp=")
	since, errA := parseTime(a)
	until, errB := parseTime(b)
	if !okA || !okB || errA != nil || errB != nil {
		s.fail("CHATHISTORY", "INVALID_PARAMS", "TARGETS", "it is TARGETS timestamp=... timestamp=... limit")
		return nil
	}
	if since.After(until) {
		since, until = until, since
	}
	rooms, err := s.world.node.Rooms(ctx)
	if err != nil {
		s.fail("CHATHISTORY", "MESSAGE_ERROR", "TARGETS", reason(err))
		return nil
	}
	rooms = slices.DeleteFunc(rooms, func(r api.Room) bool {
		return r.Last == nil || !r.Last.Time.After(since) || !r.Last.Time.Before(until)
	})
	slices.SortFunc(rooms, func(x, y api.Room) int { return x.Last.Time.Compare(y.Last.Time) })
	ref := s.newBatch()
	s.reply(&msg{cmd: "BATCH", params: []string{"+" + ref, "draft/chathistory-targets"}})
	for _, r := range rooms[:min(limit, len(rooms))] {
		s.world.mu.Lock()
		name := ""
		if c := s.world.channels[r.ID]; c != nil {
			name = c.name
		}
		s.world.mu.Unlock()
		if name != "" {
			s.reply(&msg{cmd: "CHATHISTORY", params: []string{"TARGETS", name, r.Last.Time.UTC().Format(timeFormat)}, batch: ref})
		}
	}
	s.reply(&msg{cmd: "BATCH", params: []string{"-" + ref}})
	return nil
}
