package irc

import (
	"context"

	"github.com/ergochat/irc-go/ircmsg"
)

// A command is one that clients can give.
type command struct {
	before bool // it may be given before the client has registered
	min    int  // how many parameters it has at least
	needs  caps // it is there only for those who have negotiated this
	run    func(s *session, ctx context.Context, p []string, m *ircmsg.Message) error
}

// commands are all there are.
var commands = map[string]command{
	"CAP":          {before: true, min: 1, run: (*session).capCmd},
	"PASS":         {before: true, min: 1, run: (*session).passCmd},
	"NICK":         {before: true, run: (*session).nickCmd},
	"USER":         {before: true, min: 4, run: (*session).userCmd},
	"AUTHENTICATE": {before: true, min: 1, needs: capSASL, run: (*session).authenticateCmd},
	"PING":         {before: true, run: (*session).pingCmd},
	"PONG":         {before: true, run: (*session).pongCmd},
	"QUIT":         {before: true, run: (*session).quitCmd},

	"JOIN":   {min: 1, run: (*session).joinCmd},
	"PART":   {min: 1, run: (*session).partCmd},
	"NAMES":  {run: (*session).namesCmd},
	"LIST":   {run: (*session).listCmd},
	"TOPIC":  {min: 1, run: (*session).topicCmd},
	"MODE":   {min: 1, run: (*session).modeCmd},
	"INVITE": {run: (*session).inviteCmd},
	"KICK":   {min: 2, run: (*session).kickCmd},

	"PRIVMSG": {run: (*session).privmsgCmd},
	"NOTICE":  {run: (*session).privmsgCmd},
	"TAGMSG":  {min: 1, needs: capTags, run: (*session).tagmsgCmd},
	"BATCH":   {min: 1, needs: capMultiline | capBatch, run: (*session).batchCmd},
	"REDACT":  {min: 2, needs: capRedaction, run: (*session).redactCmd},

	"CHATHISTORY": {min: 1, needs: capHistory, run: (*session).chathistoryCmd},
	"MARKREAD":    {min: 1, needs: capReadMarker, run: (*session).markreadCmd},

	"WHO":      {run: (*session).whoCmd},
	"WHOIS":    {min: 1, run: (*session).whoisCmd},
	"WHOWAS":   {min: 1, run: (*session).whowasCmd},
	"ISON":     {min: 1, run: (*session).isonCmd},
	"USERHOST": {min: 1, run: (*session).userhostCmd},
	"MONITOR":  {min: 1, run: (*session).monitorCmd},

	"AWAY":    {run: (*session).awayCmd},
	"SETNAME": {min: 1, needs: capSetname, run: (*session).setnameCmd},
	"MOTD":    {run: (*session).motdCmd},
	"LUSERS":  {run: (*session).lusersCmd},
	"VERSION": {run: (*session).versionCmd},
	"TIME":    {run: (*session).timeCmd},
	"INFO":    {run: (*session).infoCmd},
	"HELP":    {run: (*session).helpCmd},
	"HELPOP":  {run: (*session).helpCmd},
}

// dispatch carries out a command.
func (s *session) dispatch(ctx context.Context, m *ircmsg.Message) error {
	c, ok := commands[m.Command]
	switch {
	case !s.registered && !c.before:
		// irssi asks with "JOIN :" whether a server knows capabilities, and takes this as a yes.
		s.numeric(errNotRegistered, "you have not registered")
	case !ok, !s.caps.has(c.needs):
		if len(m.Command) <= 32 {
			s.numeric(errUnknownCommand, m.Command, "there is no such command, or it was not negotiated")
		}
	case s.batch != nil && s.inBatch(m):
		s.addLine(m.Params, m)
	case len(m.Params) < c.min:
		s.numeric(errNeedMore, m.Command, "parameters are missing")
	default:
		return c.run(s, ctx, m.Params, m)
	}
	return nil
}
