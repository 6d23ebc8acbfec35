package irc

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ergochat/irc-go/ircmsg"
)

// The modes of every channel: nobody enters without an invitation, writes from outside or without a role, or changes
// the topic who is no owner.
const channelModes = "+imnt"

// isupport is what clients are told of the server (https://modern.ircdocs.horse/#rplisupport-parameters).
var isupport = []string{
	"NETWORK=Tenon", "CASEMAPPING=ascii", "CHANTYPES=#", "CHANMODES=b,,,imnt", "PREFIX=(ov)@+",
	"NICKLEN=" + strconv.Itoa(maxNick), "CHANNELLEN=" + strconv.Itoa(maxChannel), "TOPICLEN=" + strconv.Itoa(maxTopic), "AWAYLEN=" + strconv.Itoa(maxAway),
	"MODES=" + strconv.Itoa(maxModes), "MONITOR=" + strconv.Itoa(maxMonitors), "CHATHISTORY=" + strconv.Itoa(maxHistory), "MSGREFTYPES=msgid,timestamp",
	"WHOX", "UTF8ONLY", "SAFELIST", "TARGMAX=PRIVMSG:4,NOTICE:4,TAGMSG:1,JOIN:,PART:,KICK:1,NAMES:1,WHOIS:1",
}

// greet tells a client that it has registered.
func (s *session) greet() {
	srv := s.server
	nick := s.me()
	s.numeric(rplWelcome, "Welcome to your rooms, "+nick)
	s.numeric(rplYourHost, "this is Tenon "+srv.config.Version+", on this computer alone")
	s.numeric(rplCreated, "it runs since "+srv.started.Format(time.RFC1123))
	s.numeric(rplMyInfo, serverName, "tenon", "i", "bimnotv", "bov")
	s.isupport()
	s.lusers()
	s.motd()
}

func (s *session) isupport() {
	const each = 13
	for all := isupport; len(all) > 0; all = all[min(each, len(all)):] {
		s.numeric(rplISupport, append(append([]string{}, all[:min(each, len(all))]...), "are supported here")...)
	}
}

func (s *session) motdCmd(context.Context, []string, *ircmsg.Message) error { s.motd(); return nil }

func (s *session) motd() {
	s.numeric(rplMOTDStart, "what this is")
	for _, line := range []string{
		"Your rooms are channels here, and those whom you know are nicks.",
		"/list shows the rooms. /msg NICK talks to one person. /part hides a room, and leaves it not.",
		"What you write goes to others when they are met: nobody has to be there now.",
	} {
		s.numeric(rplMOTD, line)
	}
	s.numeric(rplEndOfMOTD, "that is all")
}

func (s *session) lusersCmd(context.Context, []string, *ircmsg.Message) error { s.lusers(); return nil }

func (s *session) lusers() {
	s.world.mu.Lock()
	people, online, rooms := len(s.world.byNick), 0, len(s.world.byName)
	for _, p := range s.world.byNick {
		if p.online {
			online++
		}
	}
	s.world.mu.Unlock()
	clients := s.server.Clients()
	s.numeric(rplLUserClient, fmt.Sprintf("%d people are known, and %d connected", people, online))
	s.numeric(rplLUserChannels, strconv.Itoa(rooms), "rooms")
	s.numeric(rplLUserMe, fmt.Sprintf("you have %d clients here", clients))
	s.numeric(rplLocalUsers, strconv.Itoa(clients), strconv.Itoa(maxClients), fmt.Sprintf("clients of yours: %d, at most %d", clients, maxClients))
	s.numeric(rplGlobalUsers, strconv.Itoa(online), strconv.Itoa(people), fmt.Sprintf("people who are connected: %d of %d", online, people))
}

func (s *session) versionCmd(context.Context, []string, *ircmsg.Message) error {
	s.numeric(rplVersion, "tenon-"+oneWord(s.server.config.Version), serverName, "rooms of a node")
	s.isupport()
	return nil
}

func (s *session) timeCmd(context.Context, []string, *ircmsg.Message) error {
	s.numeric(rplTime, serverName, time.Now().Format(time.RFC1123))
	return nil
}

func (s *session) infoCmd(context.Context, []string, *ircmsg.Message) error {
	s.numeric(rplInfo, "Tenon connects any two programs; this shows its rooms to IRC clients. docs/irc.md says how.")
	s.numeric(rplEndOfInfo, "that is all")
	return nil
}

func (s *session) awayCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if len(p) == 0 || p[0] == "" {
		s.away = ""
		s.numeric(rplUnaway, "you are not away any more")
		return nil
	}
	s.away = ircmsg.TruncateUTF8Safe(p[0], maxAway)
	s.numeric(rplNowAway, "you are away, for this client: others see whether your node is connected")
	return nil
}

func (s *session) setnameCmd(context.Context, []string, *ircmsg.Message) error {
	s.fail("SETNAME", "CANNOT_CHANGE_REALNAME", "", "your name is that of your node, as others know it")
	return nil
}

func (s *session) pingCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	if len(p) == 0 {
		p = []string{""}
	}
	s.reply(&msg{cmd: "PONG", params: []string{serverName, p[0]}})
	return nil
}

func (s *session) quitCmd(context.Context, []string, *ircmsg.Message) error { return errQuit }
