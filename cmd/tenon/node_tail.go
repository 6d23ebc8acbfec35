//go:build node

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/opt"
)

// runTail is "tenon tail ROOM|PEER".
func runTail(p *program, c *call) error {
	if len(c.args) != 1 {
		return usageError("a room or a peer is needed", "for example: tenon tail -f plans")
	}
	f := &c.peer.room
	since, err := parseSince(f.since, time.Now())
	if err != nil {
		return err
	}
	if !since.IsZero() && c.set.Lookup("lines").Given() {
		return usageError("--since and --lines cannot both be", "--since shows all from a time on, --lines so many of the last")
	}
	err = p.withRunning(c, func(t *talk) error {
		lines := tailLines
		if c.set.Lookup("lines").Given() {
			lines = f.lines
		}
		s := p.newTailer(c, t)
		if err := s.enter(p.ctx, c.args[0], f.follow); err != nil {
			return err
		}
		if err := s.begin(p.ctx, lines, since); err != nil || !f.follow {
			return err
		}
		return s.follow(p.ctx)
	})
	return p.stopped(err)
}

// parseSince reads a time, or how long ago it is.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := opt.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", text, time.Local); err == nil {
		at := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, time.Local)
		if at.After(now) {
			at = at.AddDate(0, 0, -1)
		}
		return at, nil
	}
	return time.Time{}, usageError(fmt.Sprintf("%q is no time", text), "--since 2h, --since 7d, --since 2026-11-30, --since 2026-11-30T12:00 or --since 12:00")
}

// A tailer shows messages of a room, each once, and again when it says something else.
//
// It follows by the number of what has arrived, which outlives the node, so that it misses nothing and tells nothing
// twice whatever comes late and however often the node is started anew. Events only say that there may be more.
type tailer struct {
	p       *program
	c       *call
	t       *talk
	room    string
	called  string // as the user has called it
	ids     bool
	read    bool
	arrived int64
	shown   map[string]string // by ID, what was shown; "" = it cannot be read yet
	order   []string          // of shown
	last    string            // the last message that was shown
	noted   string            // up to where it was noted that it was read
	away    bool              // the node is not there
	forked  map[string]bool   // members of whom that was told
}

func (p *program) newTailer(c *call, t *talk) *tailer {
	f := &c.peer.room
	return &tailer{p: p, c: c, t: t, ids: f.ids, read: f.read || p.stdout.terminal() && c.name == "tail", shown: map[string]string{}, forked: map[string]bool{}}
}

// enter finds the room. Who follows a peer with whom nobody has talked yet waits for that.
func (s *tailer) enter(ctx context.Context, name string, follow bool) error {
	for waits := false; ; waits = true {
		r, err := s.t.Room(ctx, name)
		if err == nil {
			s.room, s.called = r.ID, name
			return nil
		}
		if !follow || !errors.Is(err, api.ErrNotFound) || !waits && !isPeer(s.p, s.t, name) {
			return err
		}
		if !waits {
			s.p.tell(s.c, "nobody has said anything yet; waiting for it")
		}
		if err := s.begun(ctx, name); err != nil && !passes(err) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// begun returns when there is such a room, or no node any more.
func (s *tailer) begun(ctx context.Context, name string) error {
	for _, err := range s.t.RoomEvents(ctx, 0) {
		if err != nil {
			s.again(ctx)
			return err
		}
		if _, err := s.t.Room(ctx, name); !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	return nil
}

// begin shows what was said.
func (s *tailer) begin(ctx context.Context, lines int, since time.Time) error {
	page, err := s.t.RoomMessages(ctx, s.room, api.RoomQuery{Limit: 1})
	if err == nil {
		err = s.forks(ctx)
	}
	if err != nil {
		return err
	}
	s.arrived = page.Last
	if !since.IsZero() {
		return s.since(ctx, since)
	}
	var all []api.RoomMessage
	for q := (api.RoomQuery{}); len(all) < lines; q.Before = page.Older {
		q.Limit = min(lines-len(all), maxTailPage)
		if page, err = s.t.RoomMessages(ctx, s.room, q); err != nil {
			return err
		}
		all = append(page.Messages, all...)
		if page.Older == "" {
			break
		}
	}
	return s.printAll(ctx, all)
}

// maxTailPage is how many messages are asked for at a time.
const maxTailPage = 500

func (s *tailer) since(ctx context.Context, since time.Time) error {
	for q := (api.RoomQuery{Since: since, Limit: maxTailPage}); ; {
		page, err := s.t.RoomMessages(ctx, s.room, q)
		if err == nil {
			err = s.printAll(ctx, page.Messages)
		}
		if err != nil || len(page.Messages) < maxTailPage {
			return err
		}
		q = api.RoomQuery{After: page.Messages[len(page.Messages)-1].ID, Limit: maxTailPage}
	}
}

func (s *tailer) printAll(ctx context.Context, all []api.RoomMessage) error {
	for _, m := range all {
		if err := s.show(m); err != nil {
			return err
		}
	}
	if s.read && s.last != s.noted {
		s.noted = s.last
		return s.t.ReadRoom(ctx, s.room, s.last)
	}
	return nil
}

// maxTold is of how many messages it is remembered what was shown.
const maxTold = 20_000

// show shows a message, unless it was shown as it is.
func (s *tailer) show(m api.RoomMessage) error {
	is := fmt.Sprintf("%v %v %v %q", m.Deleted, m.Erased, m.Edited.UnixMilli(), m.Text)
	if s.p.json {
		is += fmt.Sprint(m.Reactions, m.Pinned)
	}
	if m.Waiting {
		is = ""
	}
	was, seen := s.shown[m.ID]
	if seen && was == is {
		return nil
	}
	if !seen {
		if s.order = append(s.order, m.ID); len(s.order) > maxTold {
			delete(s.shown, s.order[0])
			s.order = s.order[1:]
		}
	}
	if s.shown[m.ID] = is; m.Waiting {
		return nil // it comes again when it can be read
	}
	s.last = m.ID
	return s.print(m)
}

// print prints a message: what it says in later lines is indented.
func (s *tailer) print(m api.RoomMessage) error {
	if s.p.json {
		return errors.Join(s.p.stdout.jsonText(m), s.p.written())
	}
	head := m.Time.Local().Format("2006-01-02 15:04") + " "
	if s.ids {
		head = shortID(m.ID) + " " + head
	}
	text := roomLine(m)
	if m.File != nil && !m.File.Here {
		text += " (tenon room get " + shellWord(s.called) + " " + shortID(m.ID) + ")"
	}
	lines := strings.Split(strings.ReplaceAll(text, "\t", "    "), "\n")
	for i, line := range lines {
		if i > 0 {
			line, head = "    "+line, ""
		}
		s.p.stdout.prose(head + line)
	}
	return s.p.written()
}

// roomLine is a message for people.
func roomLine(m api.RoomMessage) string {
	if m.Kind == "control" {
		return "-- " + m.Text // not what anybody could say by /me
	}
	text, isAction := m.Text, false
	var marks []string
	switch did, ok := api.Action(text); {
	case m.Deleted:
		text = "(deleted)"
	case m.Erased:
		text = "(disappeared)"
	case m.Waiting:
		text = "(cannot be read here yet)"
	case m.File != nil:
		text = strings.TrimSpace(text + " " + fileWords(m.File))
	case ok:
		text, isAction = did, true
	}
	if m.Reply != nil && m.Reply.From != "" && !m.Deleted {
		marks = append(marks, "answers "+m.Reply.From+`: "`+shortened(m.Reply.Text, 40)+`"`)
	}
	if !m.Edited.IsZero() && !m.Deleted {
		marks = append(marks, "edited")
	}
	if m.Late {
		marks = append(marks, "came late")
	}
	if len(marks) > 0 {
		text += " (" + strings.Join(marks, "; ") + ")"
	}
	if isAction {
		return "* " + m.From + " " + text
	}
	return m.From + ": " + text
}

// follow shows what comes, until the context ends.
func (s *tailer) follow(ctx context.Context) error {
	for {
		err := s.watch(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !passes(err), s.p.stdout.failed() != nil:
			return err
		}
		if !s.away {
			s.p.tell(s.c, "the node is not there; waiting for it")
			s.away = true
		}
		s.again(ctx)
	}
}

// passes tells whether an error is that of a node that has ended, or is about to be there.
func passes(err error) bool {
	var answered *api.Error
	return !errors.As(err, &answered) || errors.Is(err, api.ErrUnreachable)
}

// again looks after a while whether there is a node.
func (s *tailer) again(ctx context.Context) {
	select {
	case <-time.After(tailAgain):
	case <-ctx.Done():
		return
	}
	if client, err := api.Dial(s.t.dir); err == nil {
		s.t.end() //nolint:errcheck // what it was connected to is gone
		s.t.Client, s.t.end = client, client.Close
	}
}

// tailAgain is how often a node is looked for.
const tailAgain = 200 * time.Millisecond

// watch shows what comes as long as the node is there.
func (s *tailer) watch(ctx context.Context) error {
	for e, err := range s.t.RoomEvents(ctx, 0) {
		if err != nil {
			return err
		}
		switch {
		case e.Type == api.RoomsReady, e.Type == api.RoomsLost:
			s.away = false
			err = errors.Join(s.forks(ctx), s.pump(ctx), s.unread(ctx))
		case e.Room != s.room:
		case e.Type == api.RoomChanged && e.Message != nil:
			err = errors.Join(s.pump(ctx), s.printAll(ctx, []api.RoomMessage{*e.Message}))
		case e.Type == api.RoomItself:
			err = errors.Join(s.forks(ctx), s.pump(ctx))
		case e.Type == api.RoomNewMessage:
			err = s.pump(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pump shows what has arrived.
func (s *tailer) pump(ctx context.Context) error {
	for {
		page, err := s.t.RoomMessages(ctx, s.room, api.RoomQuery{Arrived: s.arrived, Limit: maxTailPage})
		if err == nil {
			err = s.printAll(ctx, page.Messages)
		}
		if err != nil || page.Last == s.arrived {
			return err
		}
		s.arrived = page.Last
	}
}

// forks tells once of each member with a device that was copied, or shows different things to different people:
// what he says here may not be what others read.
func (s *tailer) forks(ctx context.Context) error {
	members, err := s.t.RoomMembers(ctx, s.room)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Forked && !s.forked[m.ID] {
			s.forked[m.ID] = true
			s.p.tell(s.c, "%s shows different things to different people, or a device of theirs was copied", m.Name)
		}
	}
	return nil
}

// maxTried is how many messages that cannot be read are looked at again.
const maxTried = 200

// unread looks again at what could not be read.
func (s *tailer) unread(ctx context.Context) error {
	tried := 0
	for _, id := range slices.Backward(s.order) {
		if s.shown[id] != "" {
			continue
		}
		if tried++; tried > maxTried {
			return nil
		}
		m, err := s.t.RoomMessage(ctx, s.room, id)
		if err == nil {
			err = s.show(m)
		}
		if err != nil && !errors.Is(err, api.ErrNotFound) {
			return err
		}
	}
	return nil
}

// jsonText is json for what people have written at length: line feeds and tabs in strings stay.
func (c *console) jsonText(v any) error {
	return c.jsonBy(v, func(s string) string {
		lines := strings.Split(s, "\n")
		for i, line := range lines {
			lines[i] = neutral.Prose(line)
		}
		return strings.Join(lines, "\n")
	})
}

// prose prints one line of what people have written.
func (c *console) prose(text string) { c.lineBy(text, neutral.Prose) }
