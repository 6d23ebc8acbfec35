//go:build nopeer

package main

import (
	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// The tag nopeer leaves out all that is about peers, and what else only the image that
// knows them can open.

type peerFlags struct{}

func peerCommands() []command { return nil }

func moreKinds() transport.Kinds { return nil }

func (p *program) perform(cmd command, c *call) error { return cmd.run(p, c) }

// wanted is what completion needs to know of peers: nothing.
type wanted int

const nothing wanted = 0

func wantedFor(command, []string, string) wanted { return nothing }

func (p *program) peerCandidates(wanted, []string, string) []string { return nil }

func (p *program) unknownPeers(*call, []string) []tenon.Event { return nil }
