//go:build !nopeer

package main

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// roomCommands are the verbs by which people talk.
func roomCommands(verb func(name, syntax, doc string, flags ...flagGroup) command) []command {
	return []command{
		verb("room", "[new|invite|join|leave|forget|members|remove|role|name|topic|offers|decline|mute|unmute|vanish|mailbox|search|files|get|export|import]", "list the rooms in which people talk, or make one, invite and remove people, join one, search, list and get files, export; the TICKET of one is asked for if it is not there, and can be - or @FILE or env:NAME, too", bindRoom),
		verb("device", "[list | link | join [CODE] | remove DEVICE]", "list the devices by which this user takes part in rooms, make another computer one of them by a code, or remove one", bindDevice),
		verb("say", "ROOM|PEER [TEXT...]", "say something in a room, or to a peer: TEXT, or what is read from standard input, or files", bindSay),
		verb("tail", "ROOM|PEER", "show what was said in a room last, and with -f what is said, over restarts of the node", bindTail),
	}
}

// roomFlags are those of the verbs about rooms.
type roomFlags struct {
	topic   string
	history bool
	role    string
	uses    int
	expires time.Duration
	from    string
	off     bool

	password string // where it is: @FILE or env:NAME
	plain    bool
	anyway   bool

	reply string
	edit  string
	files []string
	me    bool

	follow bool
	lines  int
	since  string
	ids    bool
	read   bool
}

// inviteLife is how long an invite is good if nothing else is said.
const inviteLife = 7 * 24 * time.Hour

// tailLines is how many messages are shown if nothing else is said.
const tailLines = 20

func bindRoom(c *call, s *opt.Set) {
	f := &c.peer.room
	s.Group("tenon room new")
	s.String(&f.topic, "topic", "TEXT", "what it is about")
	s.Bool(&f.history, "history", "who enters can read what was said before")
	s.Group("tenon room invite")
	s.String(&f.role, "role", "owner|member|reader", "what who comes may do; otherwise member: write, but not invite and remove")
	s.Int(&f.uses, "uses", 0, 1, 1<<20, "so many may come by the ticket; otherwise any number")
	s.Duration(&f.expires, "expires", inviteLife, -1, "the ticket is good for so long, such as 2h or 7d; 0 is without end")
	bindQR(c, s)
	s.Group("tenon room leave, and forget")
	s.Bool(&f.anyway, "anyway", "leave others to themselves as the only owner: nobody can invite or remove anybody there any more")
	s.Group("tenon room mailbox")
	s.Bool(&f.off, "off", "nobody keeps what is said for those who are away")
	s.Group("tenon room search")
	s.String(&f.from, "from", "WHO", "only what WHO has written")
	s.Group("tenon room export, and import")
	s.String(&f.password, "password", "@FILE|env:NAME", "what opens the file, which is as those of the program age; otherwise it is asked for, where there is a terminal")
	s.Bool(&f.plain, "plain", "whoever has the file can read it, and has the keys of the room")
	s.Group("tenon room get")
	s.String(&c.peer.share.target, "to", "DIRECTORY", "put it there; otherwise where this user's downloads are: XDG_DOWNLOAD_DIR, or ~/Downloads")
}

func bindDevice(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("devices")
	s.String(&f.name, "name", "NAME", "with link and join: what to call the other device here; otherwise what it says")
	s.Duration(&f.timeout, "timeout", defaultJoin, 0, "with join: give up after so long if nobody shows the code, with exit status 4").Alias("t")
	s.Bool(&f.yes, "yes", "ask nothing: whether a device is to be removed, whether the words are the same").Alias("y")
}

func bindSay(c *call, s *opt.Set) {
	f := &c.peer.room
	s.Group("what is said")
	s.String(&f.reply, "reply", "ID", "it answers this message; tenon tail --ids shows IDs, whose beginning is enough")
	s.String(&f.edit, "edit", "ID", "it replaces this message of one's own")
	s.Bool(&f.me, "me", "it is what you do, as /me of chat programs: * alice waves")
	s.Strings(&f.files, "file", "PATH", "share this file or folder with who is in the room, and nobody else; may be given again")
}

func bindTail(c *call, s *opt.Set) {
	f := &c.peer.room
	s.Group("what is shown")
	s.Bool(&f.follow, "follow", "go on with what is said, until this program is ended").Alias("f")
	s.Int(&f.lines, "lines", tailLines, 0, 1<<30, "so many of the last messages").Alias("n")
	s.String(&f.since, "since", "TIME", "all since then: so long ago, such as 2h or 7d, or a time, such as 2026-11-30 or 2026-11-30T12:00 or 12:00")
	s.Bool(&f.ids, "ids", "begin each message with the beginning of its ID")
	s.Bool(&f.read, "read", "note that they were read, also where no terminal is")
}
