package quic

import (
	"context"
	"errors"
	"testing"

	quicgo "github.com/quic-go/quic-go"
)

// A connection that was closed is a confirmation, whichever of quic-go's two errors
// is the first to say so. A Close that took only one of them for it reported
// failures of transfers that were complete.
func TestConfirms(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&quicgo.ApplicationError{Remote: true, ErrorCode: codeClosed}, true},
		{&quicgo.ApplicationError{Remote: true, ErrorCode: codeGaveUp}, true},
		{&quicgo.ApplicationError{Remote: true, ErrorCode: codeAborted}, false},
		{&quicgo.ApplicationError{ErrorCode: codeClosed}, false},
		{&quicgo.IdleTimeoutError{}, false},
		{context.DeadlineExceeded, false},
		{errors.New("x"), false},
	} {
		if got := confirms(c.err); got != c.want {
			t.Errorf("confirms(%v) = %v", c.err, got)
		}
	}
}
