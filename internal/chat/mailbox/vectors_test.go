package mailbox

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
)

// vectors makes testdata/frames.txt: a proof, and a frame of every kind.
func vectors(t *testing.T) string {
	var out strings.Builder
	out.WriteString("# Frames of /tenon/room/mailbox/1: docs/protocol/rooms-mailbox.md. The keys have as seeds SHA-256 of \"box\", \"member\" and \"mailbox\".\n")
	say := func(name string, p []byte) { fmt.Fprintf(&out, "%s %s\n", name, hex.EncodeToString(p)) }
	framed := func(name string, kind byte, content ...byte) {
		p := frame.Close(append(frame.Begin(nil, kind), content...))
		say("frame-"+name, p)
		if got, c, err := frame.Read(bufio.NewReader(bytes.NewReader(p)), most); err != nil || got != kind || !bytes.Equal(c, content) {
			t.Errorf("%s: %v", name, err)
		}
	}
	box, from, to := keyOf("box"), keyOf("member").ID(), keyOf("mailbox").ID()
	say("box", box.ID().Bytes())
	say("member", from.Bytes())
	say("mailbox", to.Bytes())
	sig := proof(box, from, to)
	if !checkProof(ID(box.ID().Bytes()), from, to, sig) || checkProof(ID(box.ID().Bytes()), to, from, sig) {
		t.Error("the proof is not what it should be")
	}
	blob := blob("sealed", MinBlob)
	id := IDOf(blob)
	say("id-of-blob", id[:])
	framed("open", frameOpen, append(append([]byte{version}, box.ID().Bytes()...), sig...)...)
	framed("opened", frameOpened, 0, 0, 2, 0xd0)
	_, begin := rbsr.Begin(holding(blob), rbsr.Key{})
	framed("sync-that-begins", frameSync, begin...)
	answer, err := rbsr.Join(new(rbsr.Set)).Take(begin)
	if err != nil {
		t.Fatal(err)
	}
	framed("sync-that-answers", frameSync, answer...)
	framed("sync-of-nothing", frameSync)
	framed("lacks-asked", frameLacks)
	framed("lacks-answered", frameLacks, id[:]...)
	framed("want", frameWant, id[:]...)
	framed("blobs", frameBlobs, frame.AppendRow(nil, blob)...)
	framed("end", frameEnd)
	framed("taken", frameTaken, byte(kept), byte(callerFull))
	framed("wait", frameWait)
	framed("news", frameNews, 1)
	framed("refused", frameRefused, 3)
	return out.String()
}

func TestVectors(t *testing.T) { golden.Check(t, "testdata/frames.txt", vectors(t)) }

// Whatever the content of a frame is, it is read as what it was written as, or refused.
func FuzzContent(f *testing.F) {
	f.Add(appendIDs(nil, []ID{{1}, {2}}))
	f.Add(frame.AppendRow(nil, blob("b", 100)))
	f.Fuzz(func(t *testing.T, p []byte) {
		if ids, err := parseIDs(p); err == nil && !bytes.Equal(appendIDs(nil, ids), p) {
			t.Error("IDs are read as others")
		}
		if blobs, err := parseBlobs(p); err == nil {
			var b []byte
			for _, blob := range blobs {
				b = frame.AppendRow(b, blob)
			}
			if !bytes.Equal(b, p) {
				t.Error("blobs are read as others")
			}
		}
		if len(p) == openSize {
			if checkProof(ID(p[1:]), keyOf("a").ID(), peer.ID{}, p[33:]) {
				t.Error("a proof out of nothing")
			}
		}
	})
}
