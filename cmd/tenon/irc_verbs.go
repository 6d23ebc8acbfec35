//go:build !nopeer

package main

import "github.com/tenon-net/tenon/opt"

// ircFlags say how IRC clients are served.
type ircFlags struct {
	at           string
	passwordFile string
	show         bool
}

func bindIRC(c *call, s *opt.Set) {
	f := &c.peer.irc
	s.Group("IRC")
	s.String(&f.at, "listen", "ADDRESS", "where: HOST:PORT of this computer alone, or unix:PATH; otherwise 127.0.0.1:6667")
	s.String(&f.passwordFile, "password-file", "FILE", "the password that clients need is the first line of it; otherwise one is made, and kept with the identity")
	s.Bool(&f.show, "show-password", "print the password, and serve nothing")
	s.Int(&c.joint.readyFD, "ready-fd", 0, 1, 1<<20, "write the address to this descriptor when it is served, and close it")
}
