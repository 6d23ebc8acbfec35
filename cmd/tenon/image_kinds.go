//go:build !nopeer

package main

import (
	"context"
	"errors"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// shownKinds are the kinds that the plain image has for help, completion and explanations
// only. What opens them links net/http, a database or an engine for peers, and is in the
// other image, where a test compares the two.
func shownKinds() transport.Kinds {
	traits := transport.Traits{HalfClose: true, Deadlines: true}
	listens := traits
	listens.Listens = true
	return transport.Kinds{
		{Name: "peer", Syntax: "peer:NAME/SERVICE", Example: "peer:alice/db", Traits: traits,
			Doc: "Uses a service of another peer, wherever it is, by its name or by a ticket.",
			New: func() transport.Endpoint { return new(shownDial) }},
		{Name: "peer-listen", Syntax: "peer-listen:SERVICE", Example: "peer-listen:web,to=alice", Traits: listens,
			Doc: "Offers a service to other peers for as long as it is open; nobody may use it but those of to= and those it is granted to.",
			New: func() transport.Endpoint { return new(shownListen) }},
		{Name: "folder", Syntax: "folder:PATH", Example: "folder:/srv/www", Traits: transport.Traits{HalfClose: true, Deadlines: true, EndsBoth: true},
			Doc: "Serves a folder over HTTP, to be read and not written.",
			New: func() transport.Endpoint { return new(shownFolder) }},
	}
}

// errShown is what opening one of them says. It is not met: perform goes before.
var errShown = errors.New("this part of the program only explains it")

type shownDial struct{ survive time.Duration }

var _ transport.Dialer = (*shownDial)(nil)

func (d *shownDial) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME/SERVICE or TICKET", func(address.Target) error { return nil })
	s.Duration(&d.survive, "survive", time.Minute, -1, "outlive the loss of all ways to the peer for so long; 0 is off")
}

func (d *shownDial) Dial(context.Context) (transport.Conn, error) { return nil, errShown }

type shownListen struct {
	to                          []string
	anyone, messages, datagrams bool
}

var _ transport.Listener = (*shownListen)(nil)

func (l *shownListen) Bind(s *opt.Set) {
	s.Target(opt.Text, "SERVICE", func(address.Target) error { return nil })
	s.Strings(&l.to, "to", "peer", "let this peer use it, or paired for all that are; may be given again")
	s.Bool(&l.anyone, "anyone", "let everybody use it, also those who are not known")
	s.Bool(&l.messages, "messages", "carry messages, not bytes")
	s.Bool(&l.datagrams, "datagrams", "carry messages that may be lost, as those of UDP, so that none waits behind one that was")
}

func (l *shownListen) Listen(context.Context) (transport.Acceptor, error) { return nil, errShown }

type shownFolder struct {
	hidden bool
	hosts  []string
}

var _ transport.Dialer = (*shownFolder)(nil)

func (f *shownFolder) Bind(s *opt.Set) {
	s.Target(opt.Text, "PATH", func(address.Target) error { return nil })
	s.Bool(&f.hidden, "hidden", "serve and list names that begin with a dot, too")
	s.Strings(&f.hosts, "host", "name", "answer requests for this host, too, beside addresses, localhost and names without a dot; * for any")
}

func (f *shownFolder) Dial(context.Context) (transport.Conn, error) { return nil, errShown }
