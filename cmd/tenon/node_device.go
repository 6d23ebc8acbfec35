//go:build node

package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// deviceWords are what tenon device does.
var deviceWords = []string{"list", "link", "join", "remove"}

// runDevice is "tenon device [list | link | join [CODE] | remove DEVICE]".
func runDevice(p *program, c *call) error {
	if len(c.args) == 0 {
		c.args = deviceWords[:1]
	}
	words := c.args[1:]
	switch do := c.args[0]; {
	case do == "list" && len(words) == 0:
		return p.withRunning(c, func(t *talk) error { return p.listDevices(t) })
	case do == "link" && len(words) == 0:
		return p.withRunning(c, func(t *talk) error { return p.linkDevice(c, t) })
	case do == "join" && len(words) <= 1:
		return p.joinDevice(c, words)
	case do == "remove" && len(words) == 1:
		return p.withRunning(c, func(t *talk) error { return p.removeDevice(c, t, words[0]) })
	case do == "remove":
		return usageError("tenon device remove needs a device", "tenon device lists them")
	case do == "list" || do == "link" || do == "join":
		return usageError("tenon device "+do+" takes nothing more", "see tenon help device")
	default:
		hint := "it does: " + strings.Join(deviceWords, ", ")
		if near := opt.Nearest(do, deviceWords, 2); len(near) > 0 {
			hint = "did you mean tenon device " + strings.Join(near, " or ") + "?"
		}
		return usageError(fmt.Sprintf("tenon device does nothing that is called %q", do), hint)
	}
}

func (p *program) listDevices(t *talk) error {
	devices, err := t.Devices(p.ctx)
	if err != nil {
		return err
	}
	return list(p, devices, "", []string{"DEVICE", "ID", "ROOMS", "STATE"}, func(d api.Device) []string {
		var state []string
		for _, x := range []struct {
			is   bool
			what string
		}{{d.This, "this one"}, {d.Key, "links and removes the others"}, {d.Removed, "removed: tenon id --rotate and tenon device join make it a new one"}} {
			if x.is {
				state = append(state, x.what)
			}
		}
		return []string{d.Name, d.Short, fmt.Sprint(d.Rooms), strings.Join(state, ", ")}
	})
}

// linkDevice shows a code, and asks whether it was the right one who has typed it.
func (p *program) linkDevice(c *call, t *talk) error {
	request := api.PairRequest{As: c.peer.name}
	p.tell(c, "whoever types the code is you in your rooms, and reads what you can: show it to nobody else")
	done, err := p.pairing(p.ctx, c, t.LinkDevice(p.ctx, request), "tenon device join", "linked")
	if err == nil && done.Text != "" {
		p.tell(c, "%s", done.Text)
	}
	if err != nil || p.json || done.Peer == nil || c.peer.yes || !attended() {
		return p.stopped(err)
	}
	answer, err := p.ask(c, "does the other device show the same words? [Y/n] ")
	if err != nil || !strings.HasPrefix(strings.ToLower(answer), "n") {
		return nil // it was linked, whatever was answered
	}
	if _, err := t.RemoveDevice(p.ctx, done.Peer.ID); err != nil {
		return err
	}
	if err := t.Forget(p.ctx, done.Peer.ID); err != nil {
		return err
	}
	return fmt.Errorf("somebody else has typed the code: %s is removed, and forgotten", done.Peer.Short)
}

// joinDevice makes this device one of who shows a code.
func (p *program) joinDevice(c *call, words []string) error {
	code := strings.Join(words, " ")
	if code == "" {
		var err error
		if code, err = p.askFor(c, "the code that the other device shows: "); err != nil {
			return err
		}
	}
	if code == "" {
		return usageError("a code is needed", "on the device that you have already: tenon device link")
	}
	if _, _, err := pair.ParseCode(code); err != nil {
		return transport.Usage(err)
	}
	return p.withRunning(c, func(t *talk) error {
		ctx, cancel := context.WithTimeoutCause(p.ctx, cmp.Or(c.peer.timeout, defaultJoin), nobodyShows("tenon device link"))
		defer cancel()
		p.tell(c, "looking for the other device")
		_, err := p.pairing(ctx, c, t.JoinDevice(ctx, api.PairRequest{Code: code, As: c.peer.name}), "", "linked")
		if err == nil {
			p.tell(c, "its rooms come as soon as it is reached: tenon room")
		}
		return p.stopped(err)
	})
}

func (p *program) removeDevice(c *call, t *talk, name string) error {
	if !c.peer.yes {
		if !attended() {
			return usageError("nobody can be asked here whether "+name+" is to be removed for good", "--yes says so")
		}
		answer, err := p.ask(c, fmt.Sprintf("remove %s from all your rooms, for good? [y/N] ", name))
		if err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
			return cmp.Or(err, p.stopped(fmt.Errorf("%s was not removed", name)))
		}
	}
	d, err := t.RemoveDevice(p.ctx, name)
	if err == nil && p.json {
		return p.stdout.json(d)
	}
	who := cmp.Or(d.Name, d.Short)
	if err := p.did(c, err, "%s is removed from your rooms, and reads nothing that is said from now on", who); err != nil {
		return err
	}
	p.tell(c, "it is a peer still, with what was granted to it: tenon peers block %s keeps it out of everything", who)
	return nil
}
