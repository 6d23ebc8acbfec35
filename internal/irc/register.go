package irc

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"
	"github.com/ergochat/irc-go/ircutils"

	"github.com/tenon-net/tenon/internal/neutral"
)

// Limits of passwords.
const (
	maxSASL   = 1024        // bytes of an answer
	maxWrong  = 3           // passwords
	wrongTime = time.Second // that each of them takes
)

func (s *session) capCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	switch sub := strings.ToUpper(p[0]); sub {
	case "LS":
		if len(p) > 1 && p[1] >= "302" && len(p[1]) == 3 {
			s.version = 302
			s.setCaps(s.caps | capNotify)
		}
		s.choosing = s.choosing || !s.registered
		s.capList("LS", allCaps.words(s.version >= 302))
	case "LIST":
		s.capList("LIST", s.caps.words(false))
	case "REQ":
		s.choosing = s.choosing || !s.registered
		request := ""
		if len(p) > 1 {
			request = p[len(p)-1]
		}
		caps, ok := s.caps.applied(request)
		if !ok {
			s.reply(&msg{cmd: "CAP", params: []string{s.me(), "NAK", request}})
			return nil
		}
		s.reply(&msg{cmd: "CAP", params: []string{s.me(), "ACK", request}})
		s.setCaps(caps)
	case "END":
		s.choosing = false
		return s.welcome()
	default:
		s.numeric(errInvalidCap, oneWord(sub), "CAP knows LS, LIST, REQ and END")
	}
	return nil
}

func (s *session) setCaps(c caps) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.caps = c
}

// capList answers with words, in several lines if they do not fit one.
func (s *session) capList(sub string, words []string) {
	const room = 400
	line := ""
	for i, w := range words {
		if line != "" {
			line += " "
		}
		line += w
		if i == len(words)-1 || len(line)+len(words[i+1]) > room {
			params := []string{s.me(), sub}
			if i < len(words)-1 {
				params = append(params, "*")
			}
			s.reply(&msg{cmd: "CAP", params: append(params, line)})
			line = ""
		}
	}
	if len(words) == 0 {
		s.reply(&msg{cmd: "CAP", params: []string{s.me(), sub, ""}})
	}
}

func (s *session) passCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if s.registered {
		s.numeric(errAlreadyHere, "you have registered")
		return nil
	}
	s.pass = p[len(p)-1]
	return nil
}

func (s *session) nickCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	switch {
	case len(p) == 0 || p[0] == "":
		s.numeric(errNoNickGiven, "a nick is missing")
	case s.registered:
		if fold(p[0]) != fold(s.me()) {
			s.numeric(errRestricted, "your name is that of your node, as others know it: name = \"...\" in its configuration changes it")
		}
	default:
		s.nick = p[0]
		return s.welcome()
	}
	return nil
}

func (s *session) userCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if s.registered {
		s.numeric(errAlreadyHere, "you have registered")
		return nil
	}
	s.user = p[0]
	return s.welcome()
}

// authenticateCmd is SASL PLAIN (https://ircv3.net/specs/extensions/sasl-3.1, RFC 4616).
func (s *session) authenticateCmd(ctx context.Context, p []string, _ *ircmsg.Message) error {
	switch {
	case s.trusted:
		s.numeric(errSASLAlready, "you have authenticated")
	case p[0] == "*":
		s.sasl = nil
		s.numeric(errSASLAborted, "authentication was given up")
	case s.sasl == nil && strings.EqualFold(p[0], "PLAIN"):
		s.sasl = ircutils.NewSASLBuffer(maxSASL)
		s.reply(&msg{cmd: "AUTHENTICATE", params: []string{"+"}})
	case s.sasl == nil:
		s.numeric(rplSASLMechs, "PLAIN", "are the mechanisms that there are")
		s.numeric(errSASLFail, "there is no such mechanism")
	default:
		done, answer, err := s.sasl.Add(p[0])
		if errors.Is(err, ircutils.ErrSASLTooLong) || errors.Is(err, ircutils.ErrSASLLimitExceeded) {
			s.sasl = nil
			s.numeric(errSASLTooLong, "that is too long")
			return nil
		}
		if err != nil {
			answer = nil
		}
		if done || err != nil {
			s.sasl = nil
			return s.plain(ctx, answer)
		}
	}
	return nil
}

// plain checks the answer of SASL PLAIN.
func (s *session) plain(ctx context.Context, answer []byte) error {
	parts := bytes.Split(answer, []byte{0})
	if len(parts) != 3 {
		return s.refuse(ctx, errSASLFail)
	}
	user := string(parts[1])
	if !s.server.right(string(parts[2])) {
		return s.refuse(ctx, errSASLFail)
	}
	s.trust(user)
	s.numeric(rplLoggedIn, "*!*@*", s.accountName(), "you are logged in")
	s.numeric(rplSASLSuccess, "that is the password")
	return nil
}

// accountName is the account of the user.
func (s *session) accountName() string {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.world.me.account()
}

// trust is for who knows the password. What is behind an "@" of the user name names the client.
func (s *session) trust(user string) {
	s.trusted = true
	_, client, _ := strings.Cut(user, "@")
	s.client = neutral.Line(client)
	if len(s.client) > maxClientName {
		s.client = s.client[:maxClientName]
	}
}

// refuse is for who does not. Each time takes a while, and there are not many.
func (s *session) refuse(ctx context.Context, code string) error {
	select {
	case <-time.After(wrongTime):
	case <-ctx.Done():
	}
	s.numeric(code, "that is not the password: tenon irc --show-password shows it")
	if s.wrong++; s.wrong >= maxWrong || code == errPassword {
		return errors.New("that is not the password")
	}
	return nil
}

// welcome registers a client that has said all it must.
func (s *session) welcome() error {
	if s.registered || s.choosing || s.nick == "" || s.user == "" {
		return nil
	}
	if !s.trusted {
		// Without SASL, the password is that of the server, alone or behind the name of the user.
		user, pass, ok := strings.Cut(s.pass, ":")
		if !ok {
			user, pass = s.user, s.pass
		}
		s.pass = ""
		if !s.server.right(pass) {
			return s.refuse(s.server.life, errPassword)
		}
		s.trust(user)
	}
	if !s.server.register(s) {
		return errors.New("there are too many clients")
	}
	s.parted = s.server.config.Seen.parted(s.client)
	s.world.mu.Lock()
	s.registered = true
	s.world.sessions[s] = struct{}{}
	for _, c := range s.world.channels {
		if !c.room.Direct && !s.parted[c.id] {
			s.entering = append(s.entering, c)
		}
	}
	offers := s.world.offers
	s.world.mu.Unlock()
	s.greet()
	s.world.mu.Lock()
	for _, o := range offers {
		s.tellOffer(o)
	}
	s.greeting = true
	s.world.mu.Unlock()
	s.wakeUp()
	return nil
}
