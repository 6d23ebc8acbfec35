//go:build !nopeer

package main

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// peerKind is how the kinds of peers' ends begin.
const peerKind = "peer"

func peerKinds() transport.Kinds {
	return transport.Kinds{
		{Name: "peer", Syntax: "peer:NAME/SERVICE", Doc: "a service of a peer", Example: "peer:alice/db", New: func() transport.Endpoint { return &peerEnd{} }},
		{Name: "peer-listen", Syntax: "peer-listen:SERVICE", Doc: "offer a service to peers for as long as the joint lives", Example: "peer-listen:db,to=bob",
			Traits: transport.Traits{Listens: true}, New: func() transport.Endpoint { return &peerListen{} }},
	}
}

type peerEnd struct{}

func (p *peerEnd) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME/SERVICE", func(address.Target) error { return nil })
}

func (p *peerEnd) Dial(context.Context) (transport.Conn, error) { return nil, errors.ErrUnsupported }

type peerListen struct{}

func (p *peerListen) Bind(s *opt.Set) {
	s.Target(opt.Text, "SERVICE", func(address.Target) error { return nil })
}

func (p *peerListen) Listen(context.Context) (transport.Acceptor, error) {
	return nil, errors.ErrUnsupported
}
