//go:build node

package main

import (
	"context"
	"iter"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// alone is the presence of a node that only looks at what it has, and changes it:
// nobody can reach it, and it opens nothing.
func alone(_ context.Context, env node.Env) (node.Presence, error) { return loner{env.Key.ID()}, nil }

type loner struct{ id peer.ID }

var _ node.Presence = loner{}

func (l loner) Self() peer.ID { return l.id }

func (l loner) Open(context.Context, peer.ID, string) (transport.Stream, error) {
	return nil, peer.ErrUnreachable
}

func (l loner) Serve(string, func(transport.Stream)) (stop func()) { return func() {} }

func (l loner) Links() iter.Seq[peer.Link] { return func(func(peer.Link) bool) {} }

func (l loner) LinksChanged() <-chan struct{} { return nil }

func (l loner) Close() error { return nil }
