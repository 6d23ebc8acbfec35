package link

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// vectors makes every frame of docs/protocol/link.md.
func vectors(t *testing.T) string {
	var out strings.Builder
	say := func(name string, b []byte) { fmt.Fprintf(&out, "%s %s\n", name, hex.EncodeToString(b)) }
	id := func(name string) peer.ID { return peer.KeyFromSeed(sha256.Sum256([]byte(name))).ID() }
	o := opening{survive: time.Minute, window: firstWindow, proto: "/tenon/service/1"}
	for i := range o.random {
		o.random[i] = byte(i)
	}
	for i := range o.key {
		o.key[i] = byte(0xa0 + i)
	}
	say("opener-id", id("opener").Bytes())
	say("other-id", id("other").Bytes())
	say("open", o.frame())
	if got := parseOpening(o.frame()[headSize:]); got != o {
		t.Errorf("%+v", got)
	}
	say("opened", openedFrame(30*time.Second, 65536))
	say("refused-busy", frameOf(frameRefused, uint64(refusedBusy)))
	say("data", frameOf(frameData, 5, []byte("hello")...))
	say("ack", frameOf(frameAck, 10, numbers(32778)...))
	say("fin", frameOf(frameFin, 10))
	say("fin-that-promises", frameOf(frameFin, 10, 1))
	status := closestatus.Marshal("exit", transport.CloseStatus{Code: 143, Reason: "SIGTERM"})
	say("fin-with-status", frameOf(frameFin, 10, closestatus.Marshal("quic h3", transport.CloseStatus{Code: 258})...))
	say("status", frameOf(frameStatus, 11, status...))
	say("status-none", frameOf(frameStatus, 11, closestatus.None...))
	say("stop", frameOf(frameStop, 0))
	say("abort", frameOf(frameAbort, 0))
	say("abort-with-status", frameOf(frameAbort, 0, closestatus.Marshal("quic h3", transport.CloseStatus{Code: 258})...))
	say("aborted", frameOf(frameAborted, 0))
	say("ping", frameOf(framePing, 77))
	say("pong", frameOf(framePong, 77, numbers(11, 32778)...))
	for _, c := range []struct {
		name     string
		from, to peer.ID
		epoch    uint64
	}{{"by-opener", id("opener"), id("other"), 1}, {"by-other", id("other"), id("opener"), 2}} {
		r := resuming{id: sessionID{random: o.random}, key: &o.key, from: c.from, to: c.to, epoch: c.epoch}
		at, theirs := standing{10, 32778}, standing{5, 65541}
		say("resume-"+c.name, r.request(at))
		say("resumed-"+c.name, r.answer(theirs))
		for _, f := range []struct {
			b    []byte
			want standing
		}{{r.request(at), at}, {r.answer(theirs), theirs}} {
			h, content, err := readFrame(bytes.NewReader(f.b), frameResume, frameResumed)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := r.open(h, content); !ok || got != f.want {
				t.Errorf("%s: %+v, %v", c.name, got, ok)
			}
		}
	}
	return out.String()
}

func TestVectors(t *testing.T) {
	golden.Check(t, "testdata/vectors.txt", "# Links: docs/protocol/link.md. A name and a frame, or a key, in hexadecimal. The keys of the peers have\n"+
		"# as seeds the SHA-256 of \"opener\" and \"other\".\n"+vectors(t))
}
