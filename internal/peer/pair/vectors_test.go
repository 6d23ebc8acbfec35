package pair

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
)

// vectors computes all that docs/protocol/pairing.md has vectors for: what follows from
// a key of CPace, which has vectors of its own.
func vectors(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	say := func(name string, v []byte) { fmt.Fprintf(&b, "%s %s\n", name, hex.EncodeToString(v)) }
	helloJ := append([]byte{version, byte(joiner)}, bytes.Repeat([]byte{0xaa}, nonceSize)...)
	helloO := append([]byte{version, byte(offerer)}, bytes.Repeat([]byte{0xbb}, nonceSize)...)
	session := append(bytes.Clone(helloJ), helloO...)
	isk := bytes.Repeat([]byte{0xcc}, 64)
	code := Code{7, [3]uint16{0, 1, 2047}}
	fmt.Fprintf(&b, "code %v\n", code)
	j := &run{role: joiner, side: bob, code: code, transcript: session}
	o := &run{role: offerer, side: alice, code: code, transcript: session}
	in := j.input()
	say("prs", in.Password)
	say("ci", in.Channel)
	say("sid", in.Session)
	say("ada", joiner.data())
	say("adb", offerer.data())
	say("isk", isk)
	j.derive(bytes.Clone(isk))
	o.derive(bytes.Clone(isk))
	say("proof", j.proof)
	fmt.Fprintf(&b, "words %s\n", strings.Join(j.words[:], " "))
	if j.words != o.words || !bytes.Equal(j.proof, o.proof) {
		t.Error("the sides differ")
	}
	say("joiner-id", j.side.Key.ID().Bytes())
	say("offerer-id", o.side.Key.ID().Bytes())
	fmt.Fprintf(&b, "joiner-name %s\nofferer-name %s\n", j.side.Name, o.side.Name)
	for _, step := range []struct {
		name     string
		from, to *run
		other    peer.ID
	}{
		{"offerer-1", o, j, peer.ID{}},
		{"joiner-1", j, o, o.side.Key.ID()},
		{"offerer-2", o, j, j.side.Key.ID()},
	} {
		var wire bytes.Buffer
		step.from.rw = &wire
		if err := step.from.introduce(step.other); err != nil {
			t.Fatal(err)
		}
		say(step.name+"-statement", step.from.statement(step.from.role, step.from.side.Key.ID(), step.other))
		say(step.name+"-frame", wire.Bytes())
		step.to.rw = &wire
		if id, said, err := step.to.meet(step.other); err != nil || id != step.from.side.Key.ID() || said != step.from.side.Name {
			t.Errorf("%s: %v, %q, %v", step.name, id, said, err)
		}
	}
	return b.String()
}

func TestVectors(t *testing.T) {
	golden.Check(t, "testdata/vectors.txt", "# Pairing: docs/protocol/pairing.md. Values are in hexadecimal, but for code, words and names. The keys of\n"+
		"# the joiner and the offerer have the seeds 02 00... and 01 00...\n"+vectors(t))
}
