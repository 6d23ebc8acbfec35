//go:build node

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// pipeBuffer is how much of a stream is read at once, in bytes.
const pipeBuffer = 256 << 10

// lastWord is how long it may take until the other side has heard what is said at the end.
const lastWord = 10 * time.Second

// How sending ends that goes wrong.
var (
	errOver       = errors.New("it is over")
	errStopped    = errors.New("the other side has stopped sending")
	errCut        = errors.New("the connection to the other side was cut before all had come")
	errUnwanted   = transport.Mark(errors.New("the other side does not want it"), tenon.ErrDenied)
	errNobodyCame = transport.Mark(errors.New("nobody has come for it, for ten minutes"), tenon.ErrTimeout)
)

// randomWord is for a name that nobody else uses.
func randomWord() string {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return hex.EncodeToString(b[:])
}

// acceptOne waits for who comes, for as long as a code is good.
func acceptOne(ctx context.Context, acc transport.Acceptor) (transport.Stream, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pair.Lifetime, errNobodyCame)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { acc.Close() }) //nolint:errcheck // it ends what is being waited for
	conn, err := acc.Accept()
	switch s, ok := conn.(transport.Stream); {
	case !stop() && err != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case ok:
		return s, nil
	}
	conn.Close() //nolint:errcheck // it is of no use
	return nil, errors.New("the other side does not take bytes")
}

// soFar says how much of a stream has passed, and how fast.
func soFar(n int64, began time.Time) string {
	return phrases(bytesOf(float64(n)), rate(float64(n)/max(time.Since(began).Seconds(), 1e-3)))
}
