//go:build node

package main

import (
	"context"
	"errors"
	"sync"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/folder"
)

// peers is how the ends of this process reach others: by the node that runs, or else by
// one in this process, which begins with the first end that needs it and ends with the
// process. There is one, as there is one identity.
var peers = new(way)

// moreKinds are the kinds of peers' ends, and those that link what the plain image does
// without.
func moreKinds() transport.Kinds { return append(ends.Kinds(peers), folder.Kinds()...) }

// A way is a talk that begins when it is needed.
type way struct {
	mu    sync.Mutex // guards what follows
	begin func() (*talk, error)
	talk  *talk
}

var (
	_ ends.Via    = (*way)(nil)
	_ ends.Holder = (*way)(nil)
)

// Dial opens a service of a peer.
func (w *way) Dial(ctx context.Context, r api.DialRequest) (transport.Conn, error) {
	return w.dial(func(v ends.Via) (transport.Conn, error) { return v.Dial(ctx, r) })
}

// Hold opens a service of a peer. The node, if it is another process, may join it to a socket.
func (w *way) Hold(ctx context.Context, r api.DialRequest) (transport.Conn, error) {
	return w.dial(func(v ends.Via) (transport.Conn, error) {
		if h, ok := v.(ends.Holder); ok {
			return h.Hold(ctx, r)
		}
		return v.Dial(ctx, r)
	})
}

func (w *way) dial(by func(ends.Via) (transport.Conn, error)) (transport.Conn, error) {
	t, err := w.get()
	if err != nil {
		return nil, err
	}
	c, err := by(t.via)
	if !errors.Is(err, api.ErrNotRunning) {
		return c, err
	}
	w.forget(t) // the node was another process's, which has ended
	if t, err = w.get(); err != nil {
		return nil, err
	}
	return by(t.via)
}

// Offer offers a service.
func (w *way) Offer(ctx context.Context, r api.OfferRequest) (transport.Acceptor, error) {
	t, err := w.get()
	if err != nil {
		return nil, err
	}
	return t.via.Offer(ctx, r)
}

func (w *way) get() (*talk, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.talk == nil {
		t, err := w.begin()
		if err != nil {
			return nil, err
		}
		w.talk = t
	}
	return w.talk, nil
}

// forget ends a talk that has come to nothing.
func (w *way) forget(t *talk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.talk == t {
		w.talk = nil
		t.end() //nolint:errcheck // there is nobody at the other side
	}
}

// use says how a talk begins.
func (w *way) use(begin func() (*talk, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin = begin
}

// end ends what get has begun.
func (w *way) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.talk == nil {
		return nil
	}
	return w.talk.end()
}
