//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/tenon-net/tenon/internal/irc"
	"github.com/tenon-net/tenon/internal/node"
)

// runIRC is "tenon irc".
func runIRC(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon irc takes no arguments", "--listen says where it listens: see tenon help irc")
	}
	f := &c.peer.irc
	settings := node.IRC{At: cmp.Or(f.at, irc.DefaultAddress)}
	if f.passwordFile != "" {
		var err error
		if settings.PasswordFile, err = filepath.Abs(f.passwordFile); err != nil {
			return err
		}
	}
	if f.show {
		return p.showPassword(c, settings)
	}
	if _, err := irc.ParseAddress(settings.At); err != nil {
		return err
	}
	var ready *os.File
	if fd := c.joint.readyFD; fd > 0 {
		var err error
		if ready, err = openReady(fd); err != nil {
			return err
		}
	}
	return p.withRunning(c, func(t *talk) error {
		s, err := settings.Serve(p.ctx, t.dir, t.Client, programVersion(), func(text string) { p.tell(c, "%s", text) })
		if err != nil {
			return err
		}
		p.tell(c, "IRC clients connect to %s, without TLS, with SASL PLAIN and any user name; tenon irc --show-password shows the password", s.Addr)
		if ready != nil {
			newConsole(ready).line(s.Addr)
			ready.Close() //nolint:errcheck // who waited has heard it, or is gone
		}
		<-p.ctx.Done()
		return errors.Join(context.Cause(p.ctx), s.Close())
	})
}

// showPassword is "tenon irc --show-password".
func (p *program) showPassword(c *call, settings node.IRC) error {
	dir, err := c.stateDir()
	if err != nil {
		return err
	}
	password, err := settings.Password(dir)
	if err == nil {
		p.stdout.line(password)
	}
	return err
}
