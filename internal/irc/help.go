package irc

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"
)

// help is what HELP says of each command.
var help = map[string]string{
	"JOIN":        "JOIN #room[,#room]: show a room that you are in, or accept one that is offered to you",
	"PART":        "PART #room: do not show the room in this client any more; you stay in it (tenon room leave leaves it)",
	"NAMES":       "NAMES #room: who is in it; @ is an owner, + may write",
	"LIST":        "LIST: the rooms that you are in, and those that are offered to you",
	"TOPIC":       "TOPIC #room [:text]: what the room is about",
	"MODE":        "MODE #room +o|-o|+v|-v nick: make an owner, a member, a reader",
	"INVITE":      "INVITE nick #room: make somebody a member; without parameters, list what is offered to you",
	"KICK":        "KICK #room nick: remove somebody, who reads nothing new from now on",
	"PRIVMSG":     "PRIVMSG #room|nick :text: say something",
	"NOTICE":      "NOTICE #room|nick :text: the same as PRIVMSG",
	"TAGMSG":      "TAGMSG #room|nick: typing, or a reaction, by the tags before it",
	"BATCH":       "BATCH: several lines that are one message",
	"REDACT":      "REDACT #room|nick msgid: take a message back",
	"CHATHISTORY": "CHATHISTORY: see https://ircv3.net/specs/extensions/chathistory",
	"MARKREAD":    "MARKREAD #room|nick [timestamp=...]: how far you have read",
	"WHO":         "WHO #room|nick [%fields]: who is that",
	"WHOIS":       "WHOIS nick: who is that",
	"WHOWAS":      "WHOWAS nick: nobody is remembered",
	"ISON":        "ISON nick...: which of them are connected",
	"USERHOST":    "USERHOST nick...: who they are",
	"MONITOR":     "MONITOR +|-|C|L|S [nick,...]: be told when they come and go",
	"AWAY":        "AWAY [:text]: shown to this client alone",
	"SETNAME":     "SETNAME: names are those of the node, and do not change here",
	"MOTD":        "MOTD: what this is",
	"LUSERS":      "LUSERS: how many there are",
	"VERSION":     "VERSION: of the program",
	"TIME":        "TIME: of this computer",
	"INFO":        "INFO: what this is",
	"HELP":        "HELP [command]: this",
}

func (s *session) helpCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	about, names := "*", slices.Sorted(maps.Keys(help))
	if len(p) > 0 && p[0] != "" {
		about = oneWord(strings.ToUpper(p[0]))
		if names = []string{about}; help[about] == "" {
			s.numeric(errHelpNotFound, about, "there is nothing about that: HELP lists the commands")
			return nil
		}
	}
	s.numeric(rplHelpStart, about, "what can be asked for")
	for _, name := range names {
		s.numeric(rplHelp, about, help[name])
	}
	s.numeric(rplEndOfHelp, about, "that is all")
	return nil
}
