//go:build !nopeer

package main

import "github.com/tenon-net/tenon/opt"

// chatCommands is the verb that shows rooms on a whole terminal.
func chatCommands(verb func(name, syntax, doc string, flags ...flagGroup) command) []command {
	return []command{
		verb("chat", "[ROOM|PEER]", "talk in rooms, and with peers, on the whole terminal", bindChat),
	}
}

// chatFlags are those of it.
type chatFlags struct {
	bell    string
	noMouse bool
}

func bindChat(c *call, s *opt.Set) {
	f := &c.peer.chat
	s.Group("the screen")
	s.Enum(&f.bell, "bell", "when the terminal's bell rings for what is not looked at: for what names you or is said to you alone", "mentions", "all", "never")
	s.Bool(&f.noMouse, "no-mouse", "leave the mouse to the terminal, to mark and paste with it")
}
