//go:build node

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// This is the image that knows peers: it runs every command itself.

// perform runs a command, and ends what its ends have begun.
func (p *program) perform(cmd command, c *call) error {
	// Started from a descriptor, the process would be called by its number in ps(1).
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0) // elsewhere there is no such file
	peers.use(func() (*talk, error) { return p.talk(c) })
	return errors.Join(cmd.run(p, c), peers.end())
}

// linked returns what runs the verb of that name.
func linked(name string) func(*program, *call) error {
	switch name {
	case "id":
		return runID
	case "pair":
		return runPair
	case "peers":
		return runPeers
	case "serve":
		return runServe
	case "unserve":
		return runUnserve
	case "services":
		return runServices
	case "grant":
		return runGrant
	case "revoke":
		return runRevoke
	case "ticket":
		return runTicket
	case "tickets":
		return runTickets
	case "add":
		return runAdd
	case "share":
		return runShare
	case "get":
		return runGet
	case "shares":
		return runShares
	case "unshare":
		return runUnshare
	case "send":
		return runSend
	case "receive":
		return runReceive
	case "irc":
		return runIRC
	case "room":
		return runRoom
	case "device":
		return runDevice
	case "say":
		return runSay
	case "tail":
		return runTail
	case "chat":
		return runChat
	case "up":
		return runUp
	case "down":
		return runDown
	case "status":
		return runStatus
	case "reload":
		return runReload
	case "log":
		return runLog
	case "top":
		return runTop
	case "doctor":
		return runDoctor
	case "relay":
		return runRelay
	}
	return nil
}

// stateDir is where the identity is, and all that belongs to it.
func (c *call) stateDir() (string, error) {
	switch dir := os.Getenv("TENON_DIR"); {
	case c.peer.dir != "":
		return filepath.Abs(c.peer.dir)
	case dir != "":
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tenon"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", transport.WithHint(err, "--dir or $TENON_DIR says where the identity is and all that belongs to it")
	}
	return filepath.Join(home, ".local", "state", "tenon"), nil
}

// A talk is with a node: the one that runs in the directory, or one in this process,
// for as long as the verb takes.
type talk struct {
	*api.Client
	via  ends.Via // the way for ends: the node itself, if it is in this process
	dir  string
	here bool // the node is in this process
	end  func() error
}

// talk begins one with a node that is present among peers. Whoever has begun it ends it.
func (p *program) talk(c *call) (*talk, error) { return p.talkAs(c, true) }

// talkAlone is talk for verbs that look at what a node has, and change it: if none runs,
// the one in this process is reached by nobody and reaches nobody.
func (p *program) talkAlone(c *call) (*talk, error) { return p.talkAs(c, false) }

func (p *program) talkAs(c *call, meets bool) (*talk, error) {
	t, err := p.talkExisting(c, meets)
	if !errors.Is(err, api.ErrNotRunning) {
		return t, err
	}
	dir, err := c.stateDir()
	if err != nil {
		return nil, err
	}
	t, err = p.startHere(c, dir, meets)
	if errors.As(err, new(*peer.LockedError)) { // another program was about to start one at the same time
		if t, err := p.talkExisting(c, meets); !errors.Is(err, api.ErrNotRunning) {
			return t, err
		}
	}
	return t, err
}

// talkExisting is talkAs with a node that runs already.
func (p *program) talkExisting(c *call, meets bool) (*talk, error) {
	t, err := p.talkRunning(c)
	if err == nil && meets {
		if err := c.checkNodeFlags(); err != nil {
			return nil, errors.Join(err, t.end())
		}
	}
	return t, err
}

// checkNodeFlags refuses flags that say what a node is to be like, which one that runs already
// cannot heed.
func (c *call) checkNodeFlags() error {
	if c.set == nil {
		return nil
	}
	var settings opt.Set
	bindNetwork(new(call), &settings)
	bindShare(new(call), &settings)
	for d := range settings.All() {
		flag := c.set.Lookup(d.Name)
		if flag == nil || !flag.Given() || d.Name == "as" && (c.name == "pair" || c.name == "send" || c.name == "receive") { // that goes with the pairing
			continue
		}
		hint := "tenon up --" + d.Name + " starts a node with it"
		switch d.Name {
		case "config":
		case "as":
			hint += "; or name in tenon.toml, and tenon reload"
		default:
			hint += "; or " + d.Name + " in tenon.toml, and tenon reload"
		}
		return usageError("a node runs already, and --"+d.Name+" is for one that this command starts", hint)
	}
	return nil
}

// talkRunning is talk for verbs that make sense only with a node that runs already.
func (p *program) talkRunning(c *call) (*talk, error) {
	dir, err := c.stateDir()
	if err != nil {
		return nil, err
	}
	client, err := api.Dial(dir)
	if err != nil {
		return nil, err
	}
	return &talk{client, client, dir, false, client.Close}, nil
}

// with runs f with a node that is present among peers, in this process if there is none
// yet.
func (p *program) with(c *call, f func(*talk) error) error { return with(p.talk, c, f) }

// withAlone is with for verbs that need nobody else.
func (p *program) withAlone(c *call, f func(*talk) error) error { return with(p.talkAlone, c, f) }

// withRunning runs f with the node that runs.
func (p *program) withRunning(c *call, f func(*talk) error) error { return with(p.talkRunning, c, f) }

func with(begin func(*call) (*talk, error), c *call, f func(*talk) error) error {
	t, err := begin(c)
	if err != nil {
		return err
	}
	return errors.Join(f(t), t.end())
}

// errNodeEnded is for lasting: the node was that of another program, which has ended.
var errNodeEnded = errors.New("the node has ended with the program that it was for")

// lasting is with for what outlives the node that it goes through: if f returns errNodeEnded it
// goes on with another one.
func (p *program) lasting(c *call, f func(t *talk, passing bool) error) error {
	for {
		err := p.with(c, func(t *talk) error {
			is, err := t.Status(p.ctx)
			if err != nil {
				return err
			}
			err = f(t, is.Passing)
			if err != nil && is.Passing && p.ended(t) {
				return errNodeEnded
			}
			return err
		})
		if !errors.Is(err, errNodeEnded) {
			return err
		}
	}
}

// endTries is how often it is looked whether a node has ended. The end of what went on in it, and of its
// socket, come nearly together.
const endTries = 3

// ended tells whether the node that somebody has talked to is there no more.
func (p *program) ended(t *talk) bool {
	for range endTries {
		if t.here || p.ctx.Err() != nil {
			return false
		}
		again, err := api.Dial(t.dir)
		if errors.Is(err, api.ErrNotRunning) {
			return true
		}
		if err == nil {
			again.Close() //nolint:errcheck // it was only looked at
		}
		select {
		case <-time.After(lockInterval):
		case <-p.ctx.Done():
		}
	}
	return false
}

// stopped returns why the verb ends, if that was a signal, and err otherwise.
func (p *program) stopped(err error) error {
	if p.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return context.Cause(p.ctx)
	}
	return err
}
