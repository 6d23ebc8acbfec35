package screen

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/opt"
)

// A command is something that is typed with a slash.
type command struct {
	name    string
	aliases []string
	syntax  string // what stands behind it
	doc     string
	args    kindOf // what Tab completes
	run     func(m *model, t *talk, args string) tea.Cmd
}

// A kindOf is what a word stands for.
type kindOf int

const (
	nothing kindOf = iota
	aRoom
	aPeer
	aMember
	anOffer
	anEmoji
	aPath
	aCommand
	onOff
	aRole
)

// commands lists them in the order of help. It is a function, as help is one of them.
func commands() []command {
	return []command{
		{"help", []string{"h", "?"}, "[COMMAND]", "explain keys, signs and commands", aCommand, runHelp},
		{"join", []string{"j", "go"}, "ROOM|TICKET", "show a room; enter one by a ticket, or one that was offered", aRoom, runJoin},
		{"new", []string{"create"}, "NAME [TOPIC]", "make a room, whose owner you are", nothing, runNew},
		{"part", []string{"leave"}, "", "leave this room, after a question", nothing, runPart},
		{"forget", nil, "", "leave this room, and forget all that was said in it, after a question", nothing, runForget},
		{"msg", []string{"m", "query", "dm"}, "PEER [TEXT]", "talk to a peer alone", aPeer, runMsg},
		{"me", []string{"action"}, "TEXT", "say what you do: * alice waves", nothing, runMe},
		{"topic", nil, "[TEXT]", "show what this room is about, or say it", nothing, runTopic},
		{"name", []string{"rename"}, "NAME", "call this room something else", nothing, runName},
		{"invite", nil, "[PEER [ROLE]]", "make a peer a member, or a ticket for whoever has it", aPeer, runInvite},
		{"kick", []string{"remove"}, "MEMBER", "remove somebody, who reads nothing that is said from then on, after a question", aMember, runKick},
		{"role", nil, "MEMBER owner|member|reader", "change what somebody may do", aMember, runRole},
		{"names", []string{"who", "members"}, "", "list who is in this room", nothing, runNames},
		{"rooms", []string{"list"}, "", "list rooms and offers, to choose one", nothing, runRooms},
		{"accept", nil, "[ROOM]", "enter a room that was offered", anOffer, runAccept},
		{"decline", nil, "[ROOM]", "forget an offer", anOffer, runDecline},
		{"reply", []string{"r"}, "TEXT", "answer the last message of another, or the one that is picked", nothing, runReply},
		{"edit", []string{"e", "s"}, "[TEXT]", "replace your last message, or the one that is picked", nothing, runEdit},
		{"delete", []string{"del", "redact"}, "", "take your last message back, or the one that is picked, after a question", nothing, runDelete},
		{"react", []string{"re"}, "EMOJI", "react to the last message of another; again takes it back", anEmoji, runReact},
		{"pin", nil, "", "put the last message of another where all see it; again takes it away", nothing, runPin},
		{"pins", nil, "", "list what is pinned", nothing, runPins},
		{"file", []string{"share", "upload"}, "PATH [TEXT]", "share a file or a folder with this room", aPath, runFile},
		{"files", nil, "", "list the files that were said in this room, to fetch one", nothing, runFiles},
		{"get", []string{"download"}, "", "fetch the last file of another, or the one that is picked, to where downloads are; again stops it", nothing, runGet},
		{"search", []string{"find", "lastlog"}, "WORDS [from:NAME]", "find messages: \"in quotes\", begin*", nothing, runSearch},
		{"mute", nil, "[off]", "no bell and no number for this room, but for what names you", onOff, runMute},
		{"receipts", nil, "on|off", "tell others in this room how far you have read", onOff, runReceipts},
		{"vanish", nil, "TIME|off", "messages of this room are there for so long, such as 1h or 7d", onOff, runVanish},
		{"block", nil, "PEER", "nothing of a peer is shown, and it reaches nothing here", aPeer, runBlock},
		{"unblock", nil, "PEER", "take that back", aPeer, runUnblock},
		{"bell", nil, "mentions|all|never", "when the bell rings, until this ends", nothing, runBell},
		{"read", nil, "", "take all of this room for read", nothing, runRead},
		{"quit", []string{"q", "exit"}, "", "end the screen; the node goes on", nothing, runQuit},
	}
}

// lookUp finds a command by one of its names.
func lookUp(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
		for _, a := range c.aliases {
			if a == name {
				return c, true
			}
		}
	}
	return command{}, false
}

// split takes a command apart.
func split(s string) (name, args string) {
	s = strings.TrimPrefix(s, "/")
	if i := strings.IndexAny(s, " \n\t"); i >= 0 {
		return strings.ToLower(s[:i]), strings.TrimSpace(s[i:])
	}
	return strings.ToLower(s), ""
}

// command does what was typed with a slash. What is not known is an error and nothing that is said.
func (m *model) command(t *talk, s string) tea.Cmd {
	name, args := split(s)
	c, ok := lookUp(name)
	if !ok {
		hint := "/help lists them; to say it, write a second slash in front: //"
		var names []string
		for _, c := range commands() {
			names = append(append(names, c.name), c.aliases...)
		}
		if near := opt.Nearest(name, names, 1); len(near) > 0 {
			hint = "did you mean /" + near[0] + "? to say it, write a second slash in front: //"
		}
		return m.fail(fmt.Errorf("there is no command /%s (%s)", name, hint))
	}
	m.recall.add(s)
	t.input.set("")
	return c.run(m, t, args)
}

// usage is for a command that lacks something.
func (m *model) usage(name string) tea.Cmd {
	c, _ := lookUp(name)
	return m.fail(fmt.Errorf("/%s %s: %s", c.name, c.syntax, c.doc))
}

// cutWord takes the first word off.
func cutWord(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \n\t"); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}
