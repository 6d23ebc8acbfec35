package api

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// What a status can be is carried whole or cut; what is none, or a second one, changes
// nothing, and never ends the messages that come with it.
func TestCarriedStatus(t *testing.T) {
	long := strings.Repeat("é", 2000)
	for _, c := range []struct {
		protocol string
		status   transport.CloseStatus
		want     int // bytes of the reason
	}{
		{"websocket", transport.CloseStatus{Code: 4001, Reason: "token expired"}, 13}, {"quic h3", transport.CloseStatus{Code: 1<<62 - 1}, 0},
		{"websocket", transport.CloseStatus{Code: 1000, Reason: long}, closestatus.MaxReason - 1}, {"websocket", transport.CloseStatus{Reason: "\xff"}, 0},
		{strings.Repeat("p", closestatus.MaxProtocol+1), transport.CloseStatus{Code: 1}, -1}, {"", transport.CloseStatus{Code: 1}, -1},
	} {
		near, far := mem.Pair()
		a := Frames(near, nil, Messages, &transport.Info{}, near.LocalAddr(), near.RemoteAddr()).(*MsgConn)
		b := Frames(far, nil, Messages, &transport.Info{}, far.LocalAddr(), far.RemoteAddr()).(*MsgConn)
		a.KnowsStatus(false)
		a.CarryStatus(c.protocol, c.status)
		sent := make(chan error)
		go func() { sent <- a.Close() }()
		if _, _, err := b.TakeMsg(); err != io.EOF {
			t.Errorf("%.9s %d: %v", c.protocol, c.status.Code, err)
		}
		<-sent
		protocol, got, ok := b.CarriedStatus()
		switch {
		case ok != (c.want >= 0):
			t.Errorf("%.9s %d: carried %v", c.protocol, c.status.Code, ok)
		case ok && (protocol != c.protocol || got.Code != c.status.Code || len(got.Reason) != c.want || !utf8.ValidString(got.Reason)):
			t.Errorf("%.9s %d: %s %d with %d bytes, want %d", c.protocol, c.status.Code, protocol, got.Code, len(got.Reason), c.want)
		}
		b.Close()
	}
	near, far := mem.Pair()
	b := Frames(far, nil, Messages, &transport.Info{}, far.LocalAddr(), far.RemoteAddr()).(*MsgConn)
	defer b.Close()
	go func() {
		for _, status := range []string{"", "\x00", "\xff", "\x01w\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00\x01", "\x01w\x00\x00\x00\x00\x00\x00\x00\x02bye", "\x01w\x00\x00\x00\x00\x00\x00\x00\x03"} {
			near.Write(append([]byte{byte(frameStatus), 0, 0, byte(len(status))}, status...))
		}
		near.Write([]byte{byte(frameData), 0, 0, 1, 'x', byte(frameEnd), 0, 0, 0})
		near.Close()
	}()
	if p, _, err := b.TakeMsg(); string(p) != "x" || err != nil {
		t.Errorf("a message behind them: %q, %v", p, err)
	}
	if protocol, s, ok := b.CarriedStatus(); protocol != "w" || s != (transport.CloseStatus{Code: 2, Reason: "bye"}) || !ok {
		t.Errorf("of several: %s, %+v, %v", protocol, s, ok)
	}
}
