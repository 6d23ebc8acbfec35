package irc

import (
	"context"
	"errors"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/transport"
)

// oneWord makes what a client has typed a parameter that can be anywhere in a line.
func oneWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == ' ' {
			return '_'
		}
		return r
	}, strings.TrimLeft(neutral.Line(s), ":"))
	if s == "" {
		return "*"
	}
	return ircmsg.TruncateUTF8Safe(s, maxChannel)
}

// reason is what the node says about why something is not done, and what to do about it.
func reason(err error) string {
	text := neutral.Line(err.Error())
	if hint := transport.Hint(err); hint != "" {
		text += ": " + hint
	}
	return ircmsg.TruncateUTF8Safe(text, maxPiece-60)
}

// refused answers that the node does not do something.
func (s *session) refused(code, about string, err error) {
	s.numeric(code, oneWord(about), reason(err))
}

// lost answers that something could not be found out. The client stays, but not if the server ends.
func (s *session) lost(err error) error {
	if s.server.life.Err() != nil {
		return context.Cause(s.server.life)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	s.reply(&msg{cmd: "NOTICE", params: []string{s.me(), "the node says: " + reason(err)}})
	return nil
}
