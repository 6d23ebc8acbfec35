//go:build node

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// nodeConfig is how a node of this program is made, by the configuration and the flags.
func (c *call) nodeConfig(dir string) (node.Config, error) {
	f := &c.peer
	file := f.config
	if file == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return node.Config{}, err
		}
		file = filepath.Join(base, "tenon", "tenon.toml")
	} else if _, err := os.Stat(file); err != nil {
		return node.Config{}, transport.Usage(err)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return node.Config{}, err
	}
	l := &f.limits
	flags := node.Settings{Name: f.as, Metrics: f.metrics, Notify: f.notify, IRC: node.IRC{At: f.irc.at, PasswordFile: f.irc.passwordFile}, Hold: node.Hold{Size: f.holdSize, PeerSize: f.holdPeerSize, Time: f.holdTime, Shares: f.holdShares, PeerShares: f.holdPeerShares}, PeerRate: f.peerRate, PeerJoints: f.peerJoints, Network: node.Network{
		Listen: f.listen, Announce: f.announce, Relays: f.relays, Bootstrap: f.bootstrap, Discovery: f.discovery,
		LANOnly: f.lanOnly, NoMap: f.noMap, Relay: f.relay, Mailbox: node.Mailbox{For: f.mailbox, Size: f.mailboxSize, Time: f.mailboxTime}, Limits: node.Limits{
			Reservations: l.reservations, ReservationsPerHost: l.reservationsPerHost, Circuits: l.circuits, CircuitsPerPeer: l.circuitsPerPeer,
			Time: l.time, Bytes: l.bytes, Rate: l.rate, Day: l.day}}}
	return node.Config{Dir: dir, ConfigFile: file, Flags: flags, Version: programVersion(), Network: node.Connect}, nil
}

// lockPatience is how long a verb waits for another one that has the identity for a
// moment, and lockInterval how long it waits between two looks.
const (
	lockPatience = 3 * time.Second
	lockInterval = 20 * time.Millisecond
)

// startHere starts a node in this process, for as long as the verb takes. One that is
// to meet others has the control socket, so that other verbs find it.
func (p *program) startHere(c *call, dir string, meets bool) (*talk, error) {
	config := node.Config{Dir: dir, Network: alone}
	if meets {
		var err error
		if config, err = c.nodeConfig(dir); err != nil {
			return nil, err
		}
	}
	config.Passing = true
	n, err := p.newNode(config)
	if err != nil {
		return nil, err
	}
	if meets {
		if err := n.Listen(p.ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	client := n.Client()
	return &talk{client, n, dir, true, func() error { return errors.Join(client.Close(), n.Close()) }}, nil
}

// newNode starts a node. While another process has the identity, and nobody can talk
// to it, that is a verb that is about to end.
func (p *program) newNode(config node.Config) (*node.Node, error) {
	for began := time.Now(); ; {
		n, err := node.New(p.ctx, config)
		var locked *peer.LockedError
		if !errors.As(err, &locked) || time.Since(began) > lockPatience {
			return n, err
		}
		if running, err := api.Dial(config.Dir); err == nil {
			running.Close() //nolint:errcheck // it was only looked at
			return nil, transport.WithHint(locked, "a node runs there: tenon status")
		}
		select {
		case <-time.After(lockInterval):
		case <-p.ctx.Done():
			return nil, context.Cause(p.ctx)
		}
	}
}
