//go:build !nopeer

package main

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// sendCommands are the verbs by which somebody gives another one something, with a code.
func sendCommands(verb func(name, syntax, doc string, flags ...flagGroup) command) []command {
	return []command{
		verb("send", "PATH... | -", "send files, a text, or standard input to one who types a code, or shows one: no ticket, no pairing, done when done", bindSend, bindNetwork),
		verb("receive", "[CODE]", "take what somebody sends, by the code that he shows, or by one to say aloud; a CODE can be - or @FILE or env:NAME, too. With --web, take what people drop on a page", bindReceive, bindQR, bindNetwork),
	}
}

// sendFlags are those of the two.
type sendFlags struct {
	code    string
	text    string
	stdout  bool
	yes     bool
	timeout time.Duration
}

func bindSend(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("what is sent")
	s.String(&f.send.text, "text", "TEXT", "send this text, in place of files")
	s.String(&f.share.name, "name", "NAME", "what to call it; otherwise what the paths are called")
	bindChosen(c, s, "send")
	s.Bool(&f.share.gitIgnore, "gitignore", "leave out what files called .gitignore say")
	s.Rate(&f.share.up, "up", "send so many bytes a second, such as 1MiB; otherwise as many as there are")
	s.Group("the code")
	s.String(&f.send.code, "code", "CODE", "the code that tenon receive shows at the other side; - asks for it, @FILE and env:NAME read it. Otherwise one is shown")
	bindCodeTime(c, s)
}

func bindReceive(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("what is taken")
	s.Bool(&f.send.yes, "yes", "take files without asking; otherwise the list of them is shown first. With --web: take those that are hidden or obeyed by programs, too").Alias("y")
	s.Bool(&f.send.stdout, "stdout", "write what tenon send - reads to standard output, as it comes")
	bindChosen(c, s, "take")
	bindPlaced(c, s)
	s.Rate(&f.share.down, "down", "take so many bytes a second, such as 1MiB; otherwise as many as there are")
	s.Group("the code")
	bindCodeTime(c, s)
	s.Group("browsers")
	bindWeb(c, s, "without a code: show a page at a link that nobody can guess, on which people drop files")
	s.Size(&f.share.maxSize, "max-size", 0, "take so many bytes in all, such as 2G; otherwise what the disk has room for")
	s.Int(&f.share.uses, "uses", 0, 1, 1<<20, "take so many files, and then none any more; otherwise 10000")
	s.Duration(&f.share.expires, "expires", 0, 0, "take them for so long, such as 2h or 7d; otherwise until this program is ended")
}

func bindCodeTime(c *call, s *opt.Set) {
	s.Duration(&c.peer.send.timeout, "timeout", defaultJoin, 0, "with a code: give up after so long if nobody shows it, with exit status 4").Alias("t")
}
