package meet

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
)

// vectors makes testdata/frames.txt: the tags of two peers, and a frame of every kind.
func vectors(t *testing.T) string {
	var out strings.Builder
	id := func(name string) peer.ID { return peer.KeyFromSeed(sha256.Sum256([]byte(name))).ID() }
	say := func(name string, p []byte) {
		fmt.Fprintf(&out, "%s %s\n", name, hex.EncodeToString(p))
		if strings.HasPrefix(name, "frame-") {
			in := bufio.NewReader(bytes.NewReader(p))
			if kind, content, err := readFrame(in); err != nil || kind != p[0] || !bytes.Equal(content, p[frame.HeadSize:]) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	say("secret", secret)
	say("opener", id("opener").Bytes())
	say("other", id("other").Bytes())
	opener, other := tag(secret, id("opener"), id("other")), tag(secret, id("other"), id("opener"))
	say("frame-hello-of-opener", framed(frameHello, append([]byte{version}, opener[:]...)...))
	say("frame-hello-of-other", framed(frameHello, append([]byte{version}, other[:]...)...))
	say("frame-gone", framed(frameGone))
	say("frame-marks", framed(frameMarks, rows([]byte("a mark"), []byte("another one"))...))
	_, first := rbsr.Begin(new(rbsr.Set), rbsr.Key{})
	say("frame-sync-that-begins", framed(frameSync, append([]byte{0}, first...)...))
	say("frame-sync-that-answers", framed(frameSync, append([]byte{1}, 1, 0, 0, 0)...))
	w := want{number: 300, ids: [][32]byte{{1}, {2}}}
	say("frame-want", framed(frameWant, w.append(nil)...))
	say("frame-events", framed(frameEvents, append([]byte{0xac, 0x02}, rows([]byte("an event"), []byte("the next"))...)...))
	say("frame-end", framed(frameEnd, 0xac, 0x02))
	say("frame-push", framed(framePush, rows([]byte("an event"))...))
	say("frame-note", framed(frameNote, []byte("a note")...))
	say("frame-have", framed(frameHave, append(binary.BigEndian.AppendUint64(nil, 1<<40), make([]byte, 32)...)...))
	say("frame-lazy", framed(frameLazy))
	say("frame-eager", framed(frameEager))
	mark := knownAs([]byte("a mark"))
	say("frame-known", framed(frameKnown, mark[:]...))
	places := []peer.Contact{{ID: id("opener"), Addrs: []string{"192.0.2.1:4001", "[2001:db8::1]:4001"}}, {ID: id("other")}}
	say("frame-peers", framed(framePeers, peer.AppendContacts(nil, places...)...))
	if got, err := parseWant(w.append(nil)); err != nil || got.number != w.number || len(got.ids) != 2 {
		t.Errorf("a want is read as %v, %v", got, err)
	}
	return out.String()
}

func TestVectors(t *testing.T) { golden.Check(t, "testdata/frames.txt", vectors(t)) }
