//go:build nopeer

package main

import "github.com/tenon-net/tenon/transport"

// The tag nopeer leaves out all that is about peers.

type peerFlags struct{}

func peerCommands() []command { return nil }

func peerKinds() transport.Kinds { return nil }

func (p *program) perform(cmd command, c *call) error { return cmd.run(p, c) }
