package wslayer_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// deflated returns a message as permessage-deflate has it.
func deflated(msg []byte) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(msg)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// finalBlock returns zeros in blocks of which the last has BFINAL set.
func finalBlock(size int) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	w.Write(make([]byte, size))
	w.Close()
	return b.String()
}

// TestHostileFrames sends what no client may send, and checks the status that it
// is told.
func TestHostileFrames(t *testing.T) {
	huge := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<40)
	for name, c := range map[string]struct {
		frames []byte
		want   uint16
	}{
		"not masked":             {[]byte{0x82, 1, 'x'}, 1002},
		"reserved bit":           {[]byte{0xa2, 0x81, 0, 0, 0, 0, 'x'}, 1002},
		"compressed control":     {[]byte{0xc9, 0x80, 0, 0, 0, 0}, 1002},
		"reserved opcode":        {clientFrame(true, 3, "x"), 1002},
		"reserved control":       {clientFrame(true, 11, "x"), 1002},
		"fragmented ping":        {clientFrame(false, 9, "x"), 1002},
		"long ping":              {clientFrame(true, 9, strings.Repeat("x", 126)), 1002},
		"continuation of none":   {clientFrame(true, 0, "x"), 1002},
		"message in message":     {append(clientFrame(false, 1, "x"), clientFrame(true, 1, "y")...), 1002},
		"negative length":        {[]byte{0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1002},
		"oversized frame":        {append(huge, 0, 0, 0, 0), 1009},
		"oversized by fragments": {append(clientFrame(false, 2, strings.Repeat("x", 60000)), clientFrame(true, 0, strings.Repeat("x", 6000))...), 1009},
		"bad UTF-8":              {clientFrame(true, 1, "a\xffb"), 1007},
		"bad UTF-8, fail fast":   {clientFrame(false, 1, "a\xc3\x28"), 1007},
		"surrogate":              {clientFrame(true, 1, "\xed\xa0\x80"), 1007},
		"half a character":       {clientFrame(true, 1, "gr\xc3"), 1007},
		"bad deflate":            {rsv1(clientFrame(true, 2, "\xff\xff\xff\xff")), 1007},
		"deflate bomb":           {rsv1(clientFrame(true, 2, deflated(make([]byte, 10<<20)))), 1009},
		"bomb of last blocks":    {rsv1(clientFrame(true, 2, strings.Repeat(finalBlock(60000), 2))), 1009},
		"bad after BFINAL":       {rsv1(clientFrame(true, 2, finalBlock(100)+"\xff\xff")), 1007},
		"bad text in deflate":    {rsv1(clientFrame(true, 1, deflated([]byte("a\xff")))), 1007},
		"half a status":          {clientFrame(true, 8, "x"), 1002},
		"status 1005":            {clientFrame(true, 8, "\x03\xed"), 1002},
		"status 999":             {clientFrame(true, 8, "\x03\xe7"), 1002},
		"bad reason":             {clientFrame(true, 8, "\x03\xe8\xff"), 1007},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := mem.Pair()
			s := accepted(t, a, b)
			go a.Write(c.frames)
			_, _, err := s.ReadMsg(make([]byte, 1<<17))
			if err == nil || err == io.EOF {
				t.Errorf("ReadMsg: %v", err)
			}
			var head [4]byte
			if _, err := io.ReadFull(a, head[:]); err != nil || head[0] != 0x88 || binary.BigEndian.Uint16(head[2:]) != c.want {
				t.Errorf("the client is told %x, %v; want a close frame with status %d", head, err, c.want)
			}
			if err := s.WriteMsg([]byte("x"), transport.Meta{}); err == nil {
				t.Error("writing goes on")
			}
		})
	}
}

func rsv1(frame []byte) []byte {
	frame[0] |= 0x40
	return frame
}

// TestGoodFrames sends what is unusual and right.
func TestGoodFrames(t *testing.T) {
	a, b := mem.Pair()
	s := accepted(t, a, b)
	var frames []byte
	for _, f := range [][]byte{
		clientFrame(false, 1, "gr\xc3"), clientFrame(true, 9, "ping"), clientFrame(false, 0, ""), clientFrame(true, 0, "\xbc\xc3\x9fe"),
		clientFrame(true, 10, "unasked"), clientFrame(true, 2, ""),
		rsv1(clientFrame(false, 1, deflated([]byte("compressed, ")))), clientFrame(true, 0, ""),
		clientFrame(true, 8, "\x0f\xa0why"),
	} {
		frames = append(frames, f...)
	}
	go a.Write(frames)
	p := make([]byte, 100)
	for _, want := range []string{"grüße", "", "compressed, "} {
		if n, _, err := s.ReadMsg(p); string(p[:n]) != want || err != nil {
			t.Fatalf("got %q, %v; want %q", p[:n], err, want)
		}
	}
	var closed *wslayer.CloseError
	if _, _, err := s.ReadMsg(p); !errors.As(err, &closed) || closed.Status != 4000 || closed.Reason != "why" {
		t.Errorf("the end: %v, want status 4000 and its reason", err)
	}
	answers := make([]byte, 2+4+2+2)
	if _, err := io.ReadFull(a, answers); err != nil || string(answers) != "\x8a\x04ping\x88\x02\x0f\xa0" {
		t.Errorf("answers %q, %v; want a pong and a close frame", answers, err)
	}
}

// TestDeflateVectors are the messages of RFC 7692, section 7.2.3, and their kin.
func TestDeflateVectors(t *testing.T) {
	for packed, want := range map[string]string{
		"\xf2\x48\xcd\xc9\xc9\x07\x00":                                 "Hello",
		"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00":                 "Hello",
		"\xf3\x48\xcd\xc9\xc9\x07\x00\x00":                             "Hello",      // BFINAL is set
		"\xf3\x48\xcd\xc9\xc9\x07\x00":                                 "Hello",      // as some libraries end it
		"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00":         "Hello",      // two blocks
		"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00":     "HelloHello", // a block after BFINAL
		"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00":     "HelloHello",
		"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00": "HelloHello",
		"\x00": "", "\x02\x00": "", "\x03\x00": "", "": "",
	} {
		for _, lend := range []bool{true, false} {
			a, b := mem.Pair()
			s := accepted(t, a, b)
			a.Write(rsv1(clientFrame(true, 1, packed)))
			p := make([]byte, 100)
			var n int
			var err error
			if lend {
				p, _, err = s.LendMsg()
			} else {
				n, _, err = s.ReadMsg(p)
				p = p[:n]
			}
			if string(p) != want || err != nil {
				t.Errorf("%x is read as %q, %v; want %q", packed, p, err, want)
			}
		}
	}
}

// A message that does not compress is as long as max-message says, whatever it takes
// on the wire.
func TestLimitIsOfTheMessage(t *testing.T) {
	const limit = 1000
	for _, fits := range []bool{true, false} {
		size := limit
		if !fits {
			size++
		}
		msg := expanding(size, size)
		for name, payload := range map[string]string{
			"plain":        string(msg),
			"compressed":   deflated(msg),
			"stored":       stored(msg, len(msg)),
			"small blocks": stored(msg, 40),
		} {
			for _, fragments := range []bool{true, false} {
				a, b := mem.Pair()
				s := acceptedBy(t, &wslayer.Layer{MaxMessage: limit, Deflate: true, CloseTimeout: -1}, a, b)
				frame := clientFrame(!fragments, 2, payload)
				if fragments {
					half := len(payload) / 2
					frame = append(clientFrame(false, 2, payload[:half]), clientFrame(true, 0, payload[half:])...)
				}
				if name != "plain" {
					rsv1(frame)
				}
				a.Write(frame)
				p := make([]byte, 2*limit)
				n, _, err := s.ReadMsg(p)
				if fits && (!bytes.Equal(p[:n], msg) || err != nil) || !fits && err == nil {
					t.Errorf("%s, fragments %v: %d bytes in %d: got %d, %v", name, fragments, size, len(payload), n, err)
				}
			}
		}
	}
}

// stored returns a message in blocks that are not compressed.
func stored(msg []byte, block int) string {
	var b []byte
	for len(msg) > 0 {
		n := min(len(msg), block)
		b = append(b, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		b, msg = append(b, msg[:n]...), msg[n:]
	}
	return string(append(b, 0))
}

// A client that pings and never reads must not make the reader wait for ever.
func TestPingFlood(t *testing.T) {
	a, b := mem.Pair()
	s := accepted(t, a, b)
	go func() {
		for range 100 {
			if _, err := a.Write(clientFrame(true, 9, strings.Repeat("x", 125))); err != nil {
				return
			}
		}
		a.Write(clientFrame(true, 2, "done"))
	}()
	p := make([]byte, 10)
	if n, _, err := s.ReadMsg(p); string(p[:n]) != "done" || err != nil {
		t.Errorf("got %q, %v", p[:n], err)
	}
}

// FuzzServer gives a listener any bytes at all, after the handshake or instead.
func FuzzServer(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false)
	f.Add([]byte(request), false)
	f.Add(clientFrame(true, 1, "text"), true)
	f.Add(append(clientFrame(false, 2, "x"), clientFrame(true, 0, "y")...), true)
	f.Add(rsv1(clientFrame(true, 2, deflated([]byte("x")))), true)
	f.Add(clientFrame(true, 8, "\x03\xe8bye"), true)
	f.Add([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}, true)
	f.Fuzz(func(t *testing.T, data []byte, after bool) {
		a, b := mem.Pair()
		go func() {
			if after {
				io.WriteString(a, request)
			}
			a.Write(data)
			a.CloseWrite()
			io.Copy(io.Discard, a)
			a.Close()
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		l := &wslayer.Layer{CloseTimeout: -1, MaxMessage: 1 << 16, Deflate: true}
		c, err := l.Wrap(ctx, b, transport.Accepted)
		if err != nil {
			return
		}
		defer c.Close()
		p := make([]byte, 1<<16)
		for err == nil || err == io.ErrShortBuffer {
			_, _, err = c.(*wslayer.Conn).ReadMsg(p)
		}
	})
}

// FuzzClient gives a client any answer at all.
func FuzzClient(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 302 Found\r\nLocation: https://h/\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := mem.Pair()
		go func() {
			a.Write(data)
			a.CloseWrite()
			io.Copy(io.Discard, a)
			a.Close()
		}()
		c, err := new(wslayer.Layer).Wrap(context.Background(), b, transport.Dialed)
		if err == nil {
			c.Close()
		}
	})
}
