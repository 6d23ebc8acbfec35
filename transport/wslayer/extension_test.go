package wslayer_test

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// The answer to a good offer.
const taken = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// TestDeflateOffers is the table of RFC 7692, section 7.1: what a client may offer,
// and the answer; "" declines.
func TestDeflateOffers(t *testing.T) {
	for offer, want := range map[string]string{
		"permessage-deflate":                                                                         taken,
		"permessage-deflate ; client_max_window_bits":                                                taken,
		"permessage-deflate; client_max_window_bits=8":                                               taken,
		"permessage-deflate; client_max_window_bits=15":                                              taken,
		`permessage-deflate; client_max_window_bits="10"`:                                            taken,
		"permessage-deflate; server_no_context_takeover":                                             taken,
		"permessage-deflate; client_no_context_takeover":                                             taken,
		"permessage-deflate; server_max_window_bits=15":                                              taken + "; server_max_window_bits=15",
		`permessage-deflate; server_max_window_bits="15"`:                                            taken + "; server_max_window_bits=15",
		`permessage-deflate; server_max_window_bits = "1\5"`:                                         taken + "; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=8":                                               taken + "; server_max_window_bits=8",
		"foo, permessage-deflate":                                                                    taken,
		"foo; a=1; b, , permessage-deflate":                                                          taken,
		`foo; a="x,permessage-deflate;y", bar`:                                                       "",
		"permessage-deflate; foo":                                                                    "",
		"permessage-deflate; foo=1, permessage-deflate":                                              taken,
		"permessage-deflate; server_max_window_bits":                                                 "",
		"permessage-deflate; server_max_window_bits=":                                                "",
		"permessage-deflate; server_max_window_bits=7":                                               "",
		"permessage-deflate; server_max_window_bits=16":                                              "",
		"permessage-deflate; server_max_window_bits=09":                                              "",
		"permessage-deflate; server_max_window_bits=+9":                                              "",
		"permessage-deflate; server_max_window_bits=x":                                               "",
		`permessage-deflate; server_max_window_bits=""`:                                              "",
		`permessage-deflate; server_max_window_bits="10`:                                             "",
		"permessage-deflate; client_max_window_bits=":                                                "",
		"permessage-deflate; client_max_window_bits=7":                                               "",
		"permessage-deflate; client_max_window_bits=16":                                              "",
		"permessage-deflate; server_no_context_takeover=1":                                           "",
		"permessage-deflate; client_no_context_takeover=":                                            "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits=9":                       "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover":                 "",
		"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9": taken + "; server_max_window_bits=9",
		"permessage-deflate; ":                                                                       "",
		"x-webkit-deflate-frame":                                                                     "",
		"":                                                                                           "",
	} {
		answer := wantAnswer(t, "ws:x:1,deflate", get+"Sec-WebSocket-Extensions: "+offer+"\r\n", "101")
		got := ""
		for line := range strings.Lines(answer) {
			if v, ok := strings.CutPrefix(line, "Sec-WebSocket-Extensions: "); ok {
				got = strings.TrimSpace(v)
			}
		}
		if got != want {
			t.Errorf("%q is answered with %q, want %q", offer, got, want)
		}
	}
}

// TestDeflateAnswers is what a server may answer to our offer.
func TestDeflateAnswers(t *testing.T) {
	for answer, good := range map[string]bool{
		"":    true,
		taken: true,
		"permessage-deflate; server_no_context_takeover":                             true,
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=10":  true,
		`permessage-deflate; server_no_context_takeover; server_max_window_bits="9"`: true,
		"permessage-deflate": false, // with context takeover
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=10":  false, // which was not offered
		"permessage-deflate; server_no_context_takeover; server_max_window_bits":     false,
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=16":  false,
		"permessage-deflate; server_no_context_takeover=1":                           false,
		"permessage-deflate; server_no_context_takeover; foo":                        false,
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": false,
		taken + ", " + taken: false,
		taken + ", foo":      false,
		"foo":                false,
		taken + `; x="`:      false,
	} {
		a, b := mem.Pair()
		go func() {
			request := readAnswer(t, b)
			_, key, _ := strings.Cut(request, "Sec-WebSocket-Key: ")
			key, _, _ = strings.Cut(key, "\r\n")
			fmt.Fprintf(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: %s\r\n\r\n", wslayer.AcceptKey(key), answer)
		}()
		c, err := (&wslayer.Layer{Deflate: true, CloseTimeout: -1}).Wrap(context.Background(), a, transport.Dialed)
		if (err == nil) != good {
			t.Errorf("%q: %v", answer, err)
		}
		if err == nil {
			c.Close()
		}
		b.Close()
	}
}

// What is compressed for a client with a small window does not reach back further:
// each piece of that size can be read without those before it.
func TestSmallWindow(t *testing.T) {
	text := strings.Repeat("all work and no play makes a dull boy. ", 300)
	for _, bits := range []int{8, 9, 12, 15} {
		a, b := mem.Pair()
		s := acceptedWith(t, &wslayer.Layer{Deflate: true, CloseTimeout: -1}, a, b, fmt.Sprintf("permessage-deflate; server_max_window_bits=%d", bits))
		go s.WriteMsg([]byte(text), transport.Meta{Text: true})
		head := make([]byte, 4)
		if _, err := io.ReadFull(a, head); err != nil || head[0] != 0xc1 || head[1] != 126 {
			t.Fatalf("%d bits: %x, %v", bits, head, err)
		}
		packed := make([]byte, int(head[2])<<8|int(head[3]))
		io.ReadFull(a, packed)
		rest, whole := text, append(packed, "\x00\x00\xff\xff"...)
		for _, piece := range bytes.SplitAfter(whole, []byte("\x00\x00\xff\xff")) {
			if len(piece) == 0 {
				continue
			}
			got, _ := io.ReadAll(flate.NewReader(bytes.NewReader(append(piece, 1, 0, 0, 0xff, 0xff))))
			if len(got) > 1<<bits || !strings.HasPrefix(rest, string(got)) {
				t.Fatalf("%d bits: a piece is %q", bits, got)
			}
			rest = rest[len(got):]
		}
		if rest != "" {
			t.Errorf("%d bits: %d bytes are missing", bits, len(rest))
		}
	}
}
