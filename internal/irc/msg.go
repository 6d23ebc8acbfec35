package irc

import (
	"slices"
	"strings"
	"time"

	"github.com/ergochat/irc-go/ircmsg"

	"github.com/tenon-net/tenon/internal/neutral"
)

// serverName is where lines come from that are of nobody.
const serverName = "irc.tenon"

// maxLine is the length in bytes of a line without its tags, with its end.
const maxLine = 512

// A msg is a line to a client, whatever that has negotiated.
type msg struct {
	from   *person // whom it is from; see resolve
	source string  // "" = the server
	as     string  // the account of the source
	real   string  // and its name
	cmd    string
	params []string
	time   time.Time         // zero = none
	id     string            // of the message
	tags   map[string]string // those of clients, with their "+"
	batch  string            // in which it is
	label  string
	concat bool // in a multiline batch: it goes on with the line before
}

// timeFormat is that of server-time.
const timeFormat = "2006-01-02T15:04:05.000Z"

// encode makes the bytes of a line, with nothing in it that the client has not negotiated: nil if there is nothing left.
// It is the only way to a client.
func (s *session) encode(m *msg) []byte {
	if !s.caps.has(needs[m.cmd]) {
		return nil
	}
	m.resolve()
	out := ircmsg.MakeMessage(nil, m.source, m.cmd, s.shape(m)...)
	if m.as != "" && s.caps.has(capAccountTag) {
		out.SetTag("account", m.as)
	}
	if m.source == "" && m.cmd != "AUTHENTICATE" && m.cmd != "ERROR" && m.cmd != "PING" {
		out.Source = serverName
	}
	if !m.time.IsZero() && s.caps.has(capServerTime) {
		out.SetTag("time", m.time.UTC().Format(timeFormat))
	}
	if m.id != "" && s.caps.has(capTags) {
		out.SetTag("msgid", m.id)
	}
	if s.caps.has(capTags) {
		for k, v := range m.tags {
			out.SetTag(k, neutral.Line(v))
		}
	}
	if m.batch != "" && s.caps.has(capBatch) {
		out.SetTag("batch", m.batch)
		if m.concat && s.caps.has(capMultiline) {
			out.SetTag("draft/multiline-concat", "")
		}
	}
	if m.label != "" && s.caps.has(capLabels) {
		out.SetTag("label", m.label)
	}
	if spoken(m.cmd) {
		out.ForceTrailing()
	}
	b, err := out.LineBytesStrict(false, maxLine)
	if err != nil && b == nil {
		return nil // a parameter that cannot be one
	}
	return b
}

// spoken tells whether the last parameter is a text, before which servers have always put a ":".
func spoken(cmd string) bool {
	switch cmd {
	case "PRIVMSG", "NOTICE", "TOPIC", "KICK", "PART", "ERROR", "CAP", "FAIL", "AWAY", "PONG":
		return true
	case rplUModeIs, rplChannelModeIs, rplWhoSpecial:
		return false
	}
	return len(cmd) == 3 && cmd[0] <= '9'
}

// resolve writes into the line whom it is from. It is called with the lock of the world held, if from is not nil.
func (m *msg) resolve() {
	if m.from != nil {
		m.source, m.as, m.real, m.from = m.from.source(), m.from.account(), m.from.name, nil
	}
}

// shape makes the parameters what the client wants them to be, and harmless.
func (s *session) shape(m *msg) []string {
	params := slices.Clone(m.params)
	if m.cmd == "JOIN" && s.caps.has(capExtendedJoin) {
		params = append(params[:1], m.as, m.real)
	}
	for i, p := range params {
		params[i] = harmless(p)
	}
	return params
}

// harmless has no control characters but those that IRC texts are made of here: the one that CTCP begins and ends with, and
// only there.
func harmless(p string) string {
	if inner, ok := strings.CutPrefix(p, "\x01"); ok {
		if inner, ok := strings.CutSuffix(inner, "\x01"); ok {
			return "\x01" + neutral.Prose(inner) + "\x01"
		}
	}
	return neutral.Prose(p)
}
