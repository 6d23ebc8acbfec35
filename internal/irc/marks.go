package irc

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
)

// askLocked asks a client that has a name for a sign that it has got what was sent: a PING, as soju does it. It is called with the
// lock of the world held.
func (s *session) askLocked() {
	if s.busy || s.asking || s.client == "" || len(s.entering) > 0 || s.greeting || maps.Equal(s.got, s.asked) {
		return
	}
	s.pings++
	s.asking, s.asked = true, maps.Clone(s.got)
	s.out.add(s.encode(&msg{cmd: "PING", params: []string{s.token()}}))
}

func (s *session) token() string { return "got-" + strconv.Itoa(s.pings) }

func (s *session) pongCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if len(p) == 0 || p[len(p)-1] != s.token() {
		return nil
	}
	s.world.mu.Lock()
	asking, got := s.asking, s.asked
	s.asking = false
	s.world.mu.Unlock()
	if asking {
		if err := s.server.config.Seen.got(s.client, got); err != nil {
			s.server.config.Tell("irc: " + err.Error())
		}
	}
	return nil
}

// readTime is when the last message was said that the user has read; zero = none.
func readTime(ctx context.Context, n Node, r api.Room) (time.Time, error) {
	if r.Read == "" {
		return time.Time{}, nil
	}
	m, err := n.RoomMessage(ctx, r.ID, r.Read)
	if errors.Is(err, api.ErrNotFound) {
		err = nil
	}
	return m.Time, err
}

// stamp is how MARKREAD says a time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "*"
	}
	return "timestamp=" + t.UTC().Format(timeFormat)
}

// tellRead tells how far the user has read, unless the client knows. It is called with the lock of the world held.
func (s *session) tellRead(c *channel, at time.Time) {
	if s.marks[c.id] == stamp(at) {
		return
	}
	s.marks[c.id] = stamp(at)
	s.tellMessage(c.id+stamp(at), &msg{cmd: "MARKREAD", params: []string{c.name, stamp(at)}})
}

// markreadCmd is MARKREAD (https://ircv3.net/specs/extensions/read-marker).
func (s *session) markreadCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	c, err := s.historyOf(p[0])
	switch {
	case err != nil:
		s.fail("MARKREAD", "INVALID_PARAMS", oneWord(p[0]), err.Error())
		return nil
	case c == nil:
		s.reply(&msg{cmd: "MARKREAD", params: []string{oneWord(p[0]), "*"}})
		return nil
	}
	if len(p) > 1 {
		value, ok := strings.CutPrefix(p[1], "timestamp=")
		at, err := parseTime(value)
		if !ok || err != nil {
			s.fail("MARKREAD", "INVALID_PARAMS", oneWord(p[0]), "it is MARKREAD room timestamp=...")
			return nil
		}
		if err := s.markRead(ctx, c, at); err != nil {
			s.fail("MARKREAD", "INTERNAL_ERROR", oneWord(p[0]), reason(err))
			return nil
		}
	}
	r, err := s.world.node.Room(ctx, c.id)
	if err != nil {
		s.fail("MARKREAD", "INTERNAL_ERROR", oneWord(p[0]), reason(err))
		return nil
	}
	at, err := readTime(ctx, s.world.node, r)
	if err != nil {
		s.fail("MARKREAD", "INTERNAL_ERROR", oneWord(p[0]), reason(err))
		return nil
	}
	s.world.mu.Lock()
	s.marks[c.id] = stamp(at)
	s.sent.add(c.id + stamp(at)) // what the node has told of it meanwhile is the same
	s.world.mu.Unlock()
	s.reply(&msg{cmd: "MARKREAD", params: []string{oneWord(p[0]), stamp(at)}})
	return nil
}

// markRead notes that the user has read what was said until then, and not less than before.
func (s *session) markRead(ctx context.Context, c *channel, at time.Time) error {
	r, err := s.world.node.Room(ctx, c.id)
	if err != nil {
		return err
	}
	if was, err := readTime(ctx, s.world.node, r); err != nil || !at.After(was) {
		return err
	}
	all, err := s.beforeRef(ctx, c, ref{time: at.Add(time.Millisecond)}, 1)
	if err != nil || len(all) == 0 {
		return err
	}
	return s.world.node.ReadRoom(ctx, c.id, all[0].ID)
}
