package irc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// A manner is for what a message is rendered.
type manner int

const (
	live  manner = iota // it is new
	edit                // it is different now
	again               // it is a part of a history
	echo                // the client has said it itself
)

// Limits of the lines of a message.
const (
	maxPiece   = 400  // bytes of a line
	maxLines   = 40   // for those who know no multiline messages
	maxBatch   = 1000 // for those who do
	maxBegins  = 60   // bytes of a quotation
	timePrefix = "[2006-01-02 15:04] "
)

// render makes the lines of a message. It is called with the lock of the world held.
func (s *session) render(c *channel, m *api.RoomMessage, how manner) []*msg {
	if m.Kind == "control" {
		return s.renderControl(c, m, how)
	}
	p := s.world.author(m)
	base := msg{from: p, cmd: "PRIVMSG", params: []string{s.targetOf(c, p)}, time: m.Time, id: m.ID}
	base.resolve()
	text, render := textOf(m), s.split
	if did, ok := api.Action(text); ok && m.File == nil {
		text, render = did, s.action
	}
	if m.Reply != nil && s.modern() {
		base.tags = map[string]string{"+draft/reply": m.Reply.ID}
	} else if m.Reply != nil && m.Reply.From != "" {
		text = fmt.Sprintf("↳ %s “%s” %s", neutral.Line(m.Reply.From), begins(m.Reply.Text), text)
	}
	switch {
	case how == edit:
		base.id, base.time, base.tags = "", m.Edited, map[string]string{"+draft/reply": m.ID}
		text = "✎ " + text
	case how == again && !s.caps.has(capServerTime):
		text = m.Time.Local().Format(timePrefix) + text
	}
	return render(&base, text)
}

// action makes lines of what somebody does. The first is an ACTION (CTCP, draft-oakley-irc-ctcp), and what that has no room for is said.
func (s *session) action(base *msg, text string) []*msg {
	const begin, end = "\x01ACTION ", "\x01"
	pieces := cut(text, s.room(base)-len(begin+end))
	if i := slices.IndexFunc(pieces, func(p piece) bool { return p.text != "" }); i >= 0 {
		pieces[i].text = begin + pieces[i].text + end
	}
	return s.lines(base, pieces)
}

// with is the line with a text.
func (m msg) with(text string) *msg {
	m.params = append(m.params[:len(m.params):len(m.params)], text)
	return &m
}

// room is how many bytes of text there is room for.
func (s *session) room(m *msg) int {
	return min(maxPiece, maxLine-len(": ")-len(m.source)-len(m.cmd)-len(m.params[0])-len("  :\r\n"))
}

// split makes lines of a text of any length.
func (s *session) split(base *msg, text string) []*msg {
	pieces := cut(text, s.room(base))
	if len(pieces) > 1 && s.caps.has(capMultiline|capBatch) {
		return s.multiline(base, pieces)
	}
	return s.lines(base, pieces)
}

// lines makes a line of each piece.
func (s *session) lines(base *msg, pieces []piece) (out []*msg) {
	for i, p := range pieces {
		if p.text == "" {
			continue
		}
		if len(out) == maxLines {
			out = append(out, base.with(fmt.Sprintf("… and %d lines more: tenon tail shows them", len(pieces)-i)))
			out[len(out)-1].id = ""
			break
		}
		out = append(out, base.with(p.text))
		if len(out) > 1 {
			out[len(out)-1].id, out[len(out)-1].tags = "", nil // an ID is of one line
		}
	}
	return out
}

// multiline makes a batch of a text (https://ircv3.net/specs/extensions/multiline).
func (s *session) multiline(base *msg, pieces []piece) []*msg {
	ref := s.newBatchLocked()
	begin := *base
	begin.cmd, begin.params = "BATCH", []string{"+" + ref, "draft/multiline", base.params[0]}
	out := []*msg{&begin}
	plain := msg{source: base.source, as: base.as, cmd: base.cmd, params: base.params, batch: ref}
	for i, p := range pieces {
		if i == maxBatch-1 && len(pieces) > maxBatch {
			out = append(out, plain.with(fmt.Sprintf("… and %d lines more: tenon tail shows them", len(pieces)-i)))
			break
		}
		line := plain.with(p.text)
		line.concat = p.goesOn
		out = append(out, line)
	}
	return append(out, &msg{cmd: "BATCH", params: []string{"-" + ref}})
}

// A piece is a line of a text, or of a line that is too long.
type piece struct {
	text   string
	goesOn bool // it belongs to the line before
}

// cut cuts a text into lines of at most size bytes, where there are spaces if that leaves them long enough, and never
// within a character.
func cut(text string, size int) (all []piece) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = neutral.Prose(line)
		goesOn := false
		for len(line) > size {
			n := len(neutral.Cut(line, size))
			if i := strings.LastIndexByte(line[:n], ' '); i > n/2 {
				n = i + 1
			}
			if n == 0 {
				_, n = utf8.DecodeRuneInString(line)
			}
			all = append(all, piece{line[:n], goesOn})
			line, goesOn = line[n:], true
		}
		all = append(all, piece{line, goesOn})
	}
	return all
}

// textOf is what a message says.
func textOf(m *api.RoomMessage) string {
	if f := m.File; f != nil {
		text := "📎 " + neutral.Line(f.Name)
		if f.Size > 0 {
			text += " (" + size(f.Size) + ")"
		}
		if !f.Here {
			text += " — tenon room get " + shortID(m.Room) + " " + shortID(m.ID)
		}
		if m.Text != "" {
			text += "\n" + m.Text
		}
		return text
	}
	return m.Text
}

// shortID is as much of an ID as people need.
func shortID(id string) string { return id[:min(len(id), 12)] }

// size writes a number of bytes.
func size(n int64) string {
	x, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if x < 1000 {
			break
		}
		x, unit = x/1000, u
	}
	if x < 10 && unit != "B" {
		return strconv.FormatFloat(x, 'f', 1, 64) + " " + unit
	}
	return strconv.FormatFloat(x, 'f', 0, 64) + " " + unit
}

// begins is how a text begins.
func begins(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	short := neutral.Cut(line, maxBegins)
	if more || short != line {
		short += "…"
	}
	return neutral.Line(short)
}

// native are the control entries that clients see as what they know: somebody joins, the topic changes. They are told by what
// has changed of the room.
var native = map[string]bool{"add": true, "remove": true, "join": true, "leave": true, "role": true, "name": true, "topic": true, "create": true}

// renderControl makes the lines of what was done.
func (s *session) renderControl(c *channel, m *api.RoomMessage, how manner) []*msg {
	line := msg{time: m.Time, id: m.ID}
	p := s.world.author(m)
	if how != again {
		if native[m.Done] || c.room.Direct || m.Text == "" {
			return nil
		}
		line.cmd, line.params = "NOTICE", []string{c.name, m.Text}
		return []*msg{&line}
	}
	if !s.caps.has(capPlayback) || c.room.Direct {
		return nil
	}
	whom := s.world.called(m.Whom, c)
	if whom == nil && m.Whom != "" {
		whom = s.world.stranger("", m.Whom)
	}
	switch {
	case m.Done == "join":
		line.from, line.cmd, line.params = p, "JOIN", []string{c.name}
	case m.Done == "add" && whom != nil:
		line.from, line.cmd, line.params = whom, "JOIN", []string{c.name}
	case m.Done == "leave":
		line.from, line.cmd, line.params = p, "PART", []string{c.name}
	case m.Done == "remove" && whom != nil:
		line.from, line.cmd, line.params = p, "KICK", []string{c.name, whom.nick, "removed"}
	default:
		line.cmd, line.params = "NOTICE", []string{c.name, m.Text}
	}
	line.resolve()
	return []*msg{&line}
}

// inBatch puts lines into a batch; batches among them are nested in it.
func inBatch(ref string, lines []*msg) []*msg {
	own := map[string]bool{}
	for _, l := range lines {
		switch {
		case l.cmd == "BATCH" && l.params[0][0] == '+':
			own[l.params[0][1:]], l.batch = true, ref
		case l.cmd != "BATCH" && !own[l.batch]:
			l.batch = ref
		}
	}
	return lines
}
