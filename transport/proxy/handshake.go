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

// refuse sends reply as the last that the client hears, and closes s so that the
// client gets it even if it is still sending; see [transport.LingeringClose]. A client
// that does not take the reply is cut.
func refuse(s transport.Stream, reply []byte) error {
	late := time.AfterFunc(transport.LingeringCloseTime, func() { s.Close() })
	_, err := s.Write(reply)
	late.Stop()
	if err != nil {
		s.Close()
		return err
	}
	return transport.LingeringClose(s)
}
