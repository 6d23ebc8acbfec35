package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// handshake has talk speak with the other side of inner. If talk fails, or ctx
// ends before it does, inner is closed, and the error is talk's or the context's.
func handshake(ctx context.Context, kind string, inner transport.Conn, talk func(transport.Stream) error) error {
	s, ok := inner.(transport.Stream)
	if !ok {
		inner.Close()
		return transport.Mark(fmt.Errorf("%s needs a stream of bytes, and %s carries messages", kind, inner.Info().Kind), transport.ErrUsage)
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		inner.Close()
	})
	err := talk(s)
	if !stop() {
		<-closed
		return ended(ctx, kind)
	}
	if err != nil {
		inner.Close()
	}
	return err
}

// ended returns the error for a handshake that the context cut short.
func ended(ctx context.Context, kind string) error {
	err := transport.Mark(fmt.Errorf("%s handshake: %w", kind, context.Cause(ctx)), ctx.Err())
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = transport.Mark(err, transport.ErrTimeout)
	}
	return err
}

// wrongSide closes inner and returns the error for a layer that plays one part only.
func wrongSide(inner transport.Conn, kind, part string) error {
	inner.Close()
	return transport.Mark(fmt.Errorf("%s is for ends that %s", kind, part), transport.ErrUsage)
}

// errHangup is a connection that ends in the middle of a handshake. It is not
// [io.EOF], which means a clean end.
var errHangup = transport.Mark(errors.New("the connection ended during the handshake"), io.ErrUnexpectedEOF)

// hangup returns err, or errHangup for the end of a file.
func hangup(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errHangup
	}
	return err
}

// exactly reads as many bytes as p has.
func exactly(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	return hangup(err)
}

// The patience of refuse.
const (
	refuseTime  = time.Second
	refuseBytes = 256 << 10
)

// refuse sends reply, says that it is the last, and reads on for a moment: a
// socket that is closed with bytes unread is reset, and the reset can overtake
// the reply. It may close s; the caller closes it in any case.
func refuse(s transport.Stream, reply []byte) error {
	late := time.AfterFunc(refuseTime, func() { s.Close() })
	defer late.Stop()
	if _, err := s.Write(reply); err != nil {
		return err
	}
	if s.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, s, refuseBytes) // whatever ends it, we are done
	}
	return nil
}
