//go:build node

package main

import (
	"os"

	"golang.org/x/term"

	"github.com/tenon-net/tenon/internal/screen"
	"github.com/tenon-net/tenon/transport"
)

// runChat is "tenon chat [ROOM|PEER]". It draws on a terminal and nowhere else: programs have tenon say and
// tenon tail. Rooms are at a node that stays, which goes on when the screen has ended.
func runChat(p *program, c *call) error {
	if len(c.args) > 1 {
		return usageError("chat takes one room, or one peer", "tenon say ROOM TEXT says something without a screen")
	}
	room := ""
	if len(c.args) == 1 {
		room = c.args[0]
	}
	if err := p.canDraw(room); err != nil {
		return err
	}
	f := &c.peer.chat
	downloads, _ := p.downloads(c) //nolint:errcheck // who has none is told when something is fetched
	return p.withRunning(c, func(t *talk) error {
		return screen.Run(p.ctx, t, screen.Options{Open: room, Bell: screen.Bell(f.bell), NoMouse: f.noMouse, Downloads: downloads})
	})
}

// canDraw says why a screen cannot be drawn.
func (p *program) canDraw(room string) error {
	why := ""
	switch {
	case !p.stdout.terminal():
		why = "tenon chat draws on a terminal, and standard output is none"
	case !term.IsTerminal(int(os.Stdin.Fd())):
		why = "tenon chat is typed at, and standard input is no terminal"
	case os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "":
		why = "tenon chat draws on the whole terminal, and TERM says that this one cannot move its cursor"
	default:
		return nil
	}
	if room == "" {
		room = "ROOM"
	}
	return transport.WithHint(usageError(why, ""), "tenon tail "+room+" -f shows what is said line by line, tenon say "+room+" says something")
}
