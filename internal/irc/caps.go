package irc

import (
	"slices"
	"strings"
)

// caps is a set of capabilities.
type caps uint64

// The capabilities, in the order of capabilities.
const (
	capNotify caps = 1 << iota
	capSASL
	capServerTime
	capTags
	capBatch
	capEcho
	capLabels
	capReplies
	capMultiPrefix
	capUserhost
	capExtendedJoin
	capAccountNotify
	capAccountTag
	capAway
	capSetname
	capInvite
	capNoNames
	capMonitor
	capHistory
	capPlayback
	capReadMarker
	capRedaction
	capMultiline
	capRename
)

// A capability is one that clients can ask for.
type capability struct {
	name  string
	value string // for clients that know version 302
}

// capabilities has one for each bit of caps.
var capabilities = []capability{
	{"cap-notify", ""},
	{"sasl", "PLAIN"},
	{"server-time", ""},
	{"message-tags", ""},
	{"batch", ""},
	{"echo-message", ""},
	{"labeled-response", ""},
	{"standard-replies", ""},
	{"multi-prefix", ""},
	{"userhost-in-names", ""},
	{"extended-join", ""},
	{"account-notify", ""},
	{"account-tag", ""},
	{"away-notify", ""},
	{"setname", ""},
	{"invite-notify", ""},
	{"no-implicit-names", ""},
	{"extended-monitor", ""},
	{"draft/chathistory", ""},
	{"draft/event-playback", ""},
	{"draft/read-marker", ""},
	{"draft/message-redaction", ""},
	{"draft/multiline", "max-bytes=61440,max-lines=1000"},
	{"draft/channel-rename", ""},
}

// drafts are those that nobody asks for who does not know client tags that are drafts, too: reactions, replies.
const drafts = capHistory | capPlayback | capReadMarker | capRedaction | capMultiline | capRename

// needs says which commands only go to those who have negotiated something.
var needs = map[string]caps{
	"ACK":         capLabels,
	"ACCOUNT":     capAccountNotify,
	"AWAY":        capAway,
	"BATCH":       capBatch,
	"CHATHISTORY": capHistory,
	"MARKREAD":    capReadMarker,
	"REDACT":      capRedaction,
	"RENAME":      capRename,
	"SETNAME":     capSetname,
	"TAGMSG":      capTags,
}

// has tells whether all of want are in c.
func (c caps) has(want caps) bool { return c&want == want }

// capNamed returns the capability of a name.
func capNamed(name string) (caps, bool) {
	i := slices.IndexFunc(capabilities, func(c capability) bool { return c.name == name })
	if i < 0 {
		return 0, false
	}
	return 1 << i, true
}

// words lists the capabilities of the set, in the form of CAP LS with values or without.
func (c caps) words(values bool) (all []string) {
	for i, x := range capabilities {
		if c&(1<<i) == 0 {
			continue
		}
		if values && x.value != "" {
			x.name += "=" + x.value
		}
		all = append(all, x.name)
	}
	return all
}

// allCaps are all there are.
var allCaps = caps(1)<<len(capabilities) - 1

// applied returns c as a CAP REQ changes it: all that is asked for, or nothing of it.
func (c caps) applied(request string) (caps, bool) {
	for _, name := range strings.Fields(request) {
		name, off := strings.CutPrefix(name, "-")
		bit, ok := capNamed(name)
		switch {
		case !ok:
			return 0, false
		case !off:
			c |= bit
		case bit != capNotify: // with version 302 it cannot be given up
			c &^= bit
		}
	}
	return c, true
}
