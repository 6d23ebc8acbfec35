package link

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// open opens a session. If it is early, it does not wait for the answer.
func (n *Network) open(ctx context.Context, to peer.ID, proto string, survive time.Duration, early bool) (transport.Stream, error) {
	if proto == "" || len(proto) > maxProto {
		return nil, peer.ErrNoProtocol
	}
	if !n.enter() {
		return nil, peer.ErrUnreachable
	}
	defer n.working.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.life, func() { cancel(peer.ErrUnreachable) })()
	below, path, err := n.openBelow(ctx, to)
	if err != nil {
		return nil, err
	}
	s := n.newStream(to, proto, newCarrier(below, path), true)
	s.survive = max(survive, 0)
	rand.Read(s.id.random[:]) //nolint:errcheck // it does not fail
	rand.Read(s.key[:])       //nolint:errcheck // it does not fail
	if r := n.register(s); r != 0 {
		abort(below, ErrBusy)
		return nil, errTooMany
	}
	begin := time.Now()
	o := opening{s.id.random, s.key, s.survive, uint32(s.window), proto, early && survive > 0}
	if o.early {
		s.startEarly(o.frame())
		return s, nil
	}
	h, content, err := exchange(ctx, below, o.frame(), frameOpened)
	if err == nil && h.kind == frameRefused {
		err = reason(h.number).err()
	}
	if err != nil {
		abort(below, err)
		s.finish(err, false)
		return nil, err
	}
	agreed, window := parseOpened(content)
	if agreed = min(survive, agreed); agreed <= 0 {
		s.detach()
		return below, nil
	}
	s.start(agreed, int64(window), time.Since(begin))
	return s, nil
}

// exchange sends the first frame over a stream and reads the answer, which may be a
// refusal. The stream has no deadline afterwards.
func exchange(ctx context.Context, below transport.Stream, request []byte, want kind) (h head, content []byte, err error) {
	if err := below.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return h, nil, err
	}
	var mu sync.Mutex // the deadline is either taken back or brought forward
	over := false
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			below.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // it has deadlines
		}
	})
	defer stop()
	if _, err = below.Write(request); err == nil {
		h, content, err = readFrame(below, want, frameRefused)
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	switch cause := context.Cause(ctx); {
	case err != nil && cause != nil:
		return h, nil, cause
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return h, nil, peer.ErrUnreachable
	case errors.Is(err, ErrProtocol), errors.Is(err, peer.ErrUnreachable):
		return h, nil, err
	case err != nil:
		return h, nil, transport.Mark(err, peer.ErrUnreachable)
	}
	return h, content, below.SetDeadline(time.Time{})
}

// abort ends a stream of the network below.
func abort(below transport.Stream, cause error) {
	transport.Abort(below, cause) //nolint:errcheck // there is nothing more to do
}
