package main

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// giveFlags are those of tenon give.
type giveFlags struct {
	many     bool
	timeout  time.Duration
	allowUID []string
	allowGID []string
}

func giveGroup(c *call, s *opt.Set) {
	f := &c.give
	s.Group("giving")
	s.Bool(&f.many, "many", "give to all who come: listening sockets and inherited descriptors are shared, all else is opened anew for each")
	s.Duration(&f.timeout, "timeout", 0, 0, "end after so long, with exit status 4 if nobody has taken anything").Alias("t")
	s.Strings(&f.allowUID, "allow-uid", "user", "let this user take; by default oneself and root; may be given again")
	s.Strings(&f.allowGID, "allow-gid", "group", "let the members of this group take; may be given again")
	s.Int(&c.joint.readyFD, "ready-fd", 0, 1, 1<<20, "write the address of each listener to this descriptor when it accepts, a line each and the rendezvous last, and close it")
}

// takeFlags are those of tenon take.
type takeFlags struct {
	wait    bool
	timeout time.Duration
	stdio   bool
	from    []string
}

func takeGroup(c *call, s *opt.Set) {
	f := &c.take
	s.Group("taking")
	s.Bool(&f.wait, "wait", "wait until somebody gives").Alias("w")
	s.Duration(&f.timeout, "timeout", 0, 0, "give up after so long, with exit status 4").Alias("t")
	s.Bool(&f.stdio, "stdio", "the program has the one connection or file as its standard input and output")
	s.Strings(&f.from, "from", "user", "take from this user; by default from oneself and root; may be given again")
}
