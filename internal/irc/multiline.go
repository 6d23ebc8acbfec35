package irc

import (
	"context"
	"errors"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/node/api"
)

// An incoming is a message of several lines that a client is saying (https://ircv3.net/specs/extensions/multiline).
type incoming struct {
	ref    string
	target string
	label  string
	reply  string
	text   strings.Builder
	lines  int
	failed bool // it was answered already
}

// inBatch tells whether a line belongs to what is being said.
func (s *session) inBatch(m *ircmsg.Message) bool {
	_, ref := m.GetTag("batch")
	return ref == s.batch.ref && (m.Command == "PRIVMSG" || m.Command == "NOTICE")
}

// batchCmd begins and ends a message.
func (s *session) batchCmd(ctx context.Context, p []string, m *ircmsg.Message) error {
	switch {
	case strings.HasPrefix(p[0], "+"):
		s.beginBatch(p, m)
	case strings.HasPrefix(p[0], "-") && s.batch != nil && p[0][1:] == s.batch.ref:
		b := s.batch
		s.batch = nil
		if s.label = b.label; b.failed {
			return nil
		}
		if b.lines == 0 || strings.TrimSpace(b.text.String()) == "" {
			s.fail("BATCH", "MULTILINE_INVALID", "", "there is nothing in it")
			return nil
		}
		s.say(ctx, b.target, api.RoomSay{Text: b.text.String(), Reply: b.reply})
	default:
		s.fail("BATCH", "MULTILINE_INVALID", "", "no such batch was begun")
	}
	return nil
}

func (s *session) beginBatch(p []string, m *ircmsg.Message) {
	if len(p) < 3 || p[1] != "draft/multiline" || s.batch != nil {
		s.fail("BATCH", "MULTILINE_INVALID", "", "it is BATCH +name draft/multiline target, and one at a time")
		return
	}
	s.batch = &incoming{ref: p[0][1:], target: p[2], label: s.label, reply: replyOf(m)}
	s.label = "" // it is answered when it ends
}

// addLine goes on with a message.
func (s *session) addLine(p []string, m *ircmsg.Message) {
	b := s.batch
	if b.failed {
		return
	}
	code, about, err := "MULTILINE_INVALID", "", error(nil)
	switch concat := m.HasTag("draft/multiline-concat"); {
	case len(p) < 2:
		err = errors.New("a line has no text")
	case p[0] != b.target:
		code, about, err = "MULTILINE_INVALID_TARGET", oneWord(b.target)+" "+oneWord(p[0]), errors.New("a line is for somebody else")
	case concat && b.lines == 0:
		err = errors.New("there is nothing that the first line could go on with")
	case b.lines >= maxBatch:
		code, about, err = "MULTILINE_MAX_LINES", "1000", errors.New("there are too many lines")
	case b.text.Len()+len(p[1])+1 > maxText:
		code, about, err = "MULTILINE_MAX_BYTES", "61440", errors.New("it is too long")
	default:
		if b.lines > 0 && !concat {
			b.text.WriteByte('\n')
		}
		b.text.WriteString(unformatted(p[1]))
		b.lines++
	}
	if err != nil {
		b.failed, s.label, b.label = true, b.label, ""
		s.fail("BATCH", code, about, err.Error())
	}
}
