package wslayer_test

import (
	"errors"
	"io"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/transporttest"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// Abort reaches the connection beneath: the other side sees no close frame and no
// clean end.
func TestAbortIsNotAClose(t *testing.T) {
	a, b := mem.Pair()
	c, s, cerr, serr := transporttest.Wrap(t, a, b, new(wslayer.Layer), new(wslayer.Layer))
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	c.(transport.Aborter).Abort(errors.New("the other end failed"))
	if _, _, err := s.(*wslayer.Conn).ReadMsg(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || !errors.Is(err, mem.ErrReset) {
		t.Errorf("the other side reads %v, want mem.ErrReset", err)
	}
	s.Close()
}
