//go:build linux

package bus

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// vectors has a frame of every sort, with the same names and order as
// testdata/frames.txt.
func vectors() (names []string, frames map[string][]byte, parse map[string]func([]byte) (any, error), want map[string]any) {
	sec := secret{0: 1, 15: 16}
	p := place{gathers: true, epoch: 0x1122334455667788, seq: 9}
	h := hello{secret: sec, epoch: 0x1122334455667788, seq: 11, own: 3, limits: limits{waitRule, 1024, 4 << 20}, history: 2}
	w := welcome{epoch: 0x99, seq: 10, known: 3, acked: 2, lost: 1, stranger: false, last: true, past: []span{{0x1122334455667788, 9}}}
	e := entry{seq: 11, origin: sec.origin(), oseq: 3, text: true, data: []byte("hi")}
	m := own{oseq: 4, text: false, data: []byte{0, 255}}
	names = []string{"place", "hello", "welcome", "history", "message", "publish", "ack", "end", "skip", "ended", "refuse"}
	frames = map[string][]byte{
		"place": p.append(nil), "hello": h.append(nil), "welcome": w.append(nil),
		"history": append(openMessage(nil, frameHistory, &e, 0), e.data...),
		"message": append(openMessage(nil, frameMessage, &e, 10), e.data...),
		"publish": append(openPublish(nil, &m), m.data...),
		"ack":     numbers(nil, frameAck, 12, 11, 4), "end": numbers(nil, frameEnd),
		"skip": numbers(nil, frameSkip, 20, 7, 5), "ended": numbers(nil, frameEnded),
		"refuse": append(open(nil, frameRefuse, 1), byte(refuseSlow)),
	}
	message := func(b []byte) (any, error) { e, _, err := parseMessage(b); return e, err }
	ns := func(n int) func([]byte) (any, error) {
		return func(b []byte) (any, error) { return parseNumbers(b, n) }
	}
	parse = map[string]func([]byte) (any, error){
		"place":   func(b []byte) (any, error) { return parsePlace(b) },
		"hello":   func(b []byte) (any, error) { return parseHello(b) },
		"welcome": func(b []byte) (any, error) { return parseWelcome(b) },
		"history": message, "message": message,
		"publish": func(b []byte) (any, error) { return parsePublish(b) },
		"ack":     ns(3), "end": ns(0), "skip": ns(3), "ended": ns(0),
		"refuse": func(b []byte) (any, error) { return refusal(b[0]), nil },
	}
	want = map[string]any{"place": p, "hello": h, "welcome": w, "history": e, "message": e, "publish": m,
		"ack": []uint64{12, 11, 4}, "end": []uint64{}, "skip": []uint64{20, 7, 5}, "ended": []uint64{}, "refuse": refuseSlow}
	return names, frames, parse, want
}

// The frames of the document are those that are written, and read as they should.
func TestVectors(t *testing.T) {
	names, frames, parse, want := vectors()
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%s %x\n", name, frames[name])
	}
	file, err := os.ReadFile("testdata/frames.txt")
	if err != nil || string(file) != text.String() {
		t.Fatalf("testdata/frames.txt: error %v; want\n%s", err, text.String())
	}
	// data ends a body, and may have any length.
	data := map[string][]byte{"history": []byte("hi"), "message": []byte("hi"), "publish": {0, 255}, "welcome": make([]byte, 16)}
	for line := range strings.Lines(string(file)) {
		name, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		frame, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		s, body, err := readFrame(bufio.NewReader(bytes.NewReader(frame)))
		if err != nil || byte(s) != frame[4] {
			t.Errorf("%s: sort %d, error %v", name, s, err)
			continue
		}
		if got, err := parse[name](body); err != nil || !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: %+v, error %v; want %+v", name, got, err, want[name])
		}
		if name == "refuse" {
			continue
		}
		for n := range len(body) - len(data[name]) {
			if _, err := parse[name](body[:n:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are taken", name, n, len(body))
			}
		}
	}
}
