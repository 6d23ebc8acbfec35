//go:build unix

package file

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// A fakeMsgs is an end that carries messages, and only has a limit.
type fakeMsgs struct{ transport.MsgConn }

func (fakeMsgs) MaxMsg() int { return 200_000 }

// echoFor opens an echo for an end of messages.
func echoFor(t testing.TB) transport.MsgConn {
	t.Helper()
	c, err := new(Echo).Dial(transport.WithOther(t.Context(), fakeMsgs{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.MsgConn)
}

// For an end of messages an echo is one of messages: boundaries, empty messages and
// what is text stay.
func TestEchoOfMessages(t *testing.T) {
	k := kindOf(t, "echo")
	k.Traits.Messages = true
	transporttest.Run(t, transporttest.Harness{Kind: k, Echo: true, Text: true,
		Pair: func(t testing.TB) (a, b transport.Conn) { return echoFor(t), nil }})
	if got := echoFor(t).MaxMsg(); got != (fakeMsgs{}).MaxMsg() {
		t.Errorf("MaxMsg is %d, want that of the other end", got)
	}
}

// An echo of messages that nobody reads must not grow without bound, whether they are
// long, or all empty.
func TestEchoOfMessagesIsBounded(t *testing.T) {
	for _, size := range []int{0, 1000, 150_000} {
		synctest.Test(t, func(t *testing.T) { testEchoIsBounded(t, size) })
	}
}

func testEchoIsBounded(t *testing.T, size int) {
	m := echoFor(t)
	if err := m.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for ; m.WriteMsg(make([]byte, size), transport.Meta{}) == nil; sent++ {
		if sent > echoMsgs {
			t.Fatalf("%d messages of %d bytes are taken while none is read", sent, size)
		}
	}
	if sent == 0 || sent > 1 && sent*size > echoBytes {
		t.Errorf("%d messages of %d bytes are taken while none is read", sent, size)
	}
	if err := m.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, m.MaxMsg())
	for range sent {
		if n, _, err := m.ReadMsg(p); n != size || err != nil {
			t.Fatalf("read %d, error %v; want %d", n, err, size)
		}
	}
	if _, _, err := m.ReadMsg(p); err != io.EOF {
		t.Errorf("after all: %v, want io.EOF", err)
	}
}

// A text that somebody has typed is text for ends that tell it from binary data.
func TestTextIsText(t *testing.T) {
	for text, want := range map[string]bool{"text:hello": true, "text:": true, `text:\xff`: false} {
		if got, ok := opened(t, text).(interface{ Textual() bool }); !ok || got.Textual() != want {
			t.Errorf("%s: textual %v, want %v", text, !want, want)
		}
	}
}
