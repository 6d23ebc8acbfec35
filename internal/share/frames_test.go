package share

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

const framesHead = `# Frames of /tenon/share/1: docs/protocol/share.md, chapter "Wire". The share has the ID 01 and 15 zeros; its sharer has the key
# whose seed is 01 and 31 zeros, another who takes part the one of 02 and 31 zeros. The secret is "sixteen bytes...".
#
#	NAME: what the frame says
#	  the frame
#	refused NAME: why
`

// frames returns the vectors: a name and what a frame says, and the frame.
func frames() (all []struct{ name, hex string }) {
	key, other := peer.KeyFromSeed([32]byte{1}), peer.KeyFromSeed([32]byte{2})
	id := ID{1}
	add := func(name string, frame []byte) {
		all = append(all, struct{ name, hex string }{name, hex.EncodeToString(frame)})
	}
	sign := func(h Head) Head {
		h.Sig = [64]byte(key.SignAs(peer.ContextShare, h.signed(id)))
		return h
	}
	ended := func(why Why) Ending {
		e := Ending{Why: why}
		e.Sig = [64]byte(key.SignAs(peer.ContextShare, e.signed(id)))
		return e
	}
	contacts := func(cs ...peer.Contact) []byte { return frame(framePeers, peer.AppendContacts(nil, cs...)...) }
	two := []string{"192.0.2.1:4001", "[2001:db8::1]:4001"}
	add("HELLO: from the sharer to the other", frame(frameHello, hello{id, prove(secret, id, key.ID(), other.ID())}.append(nil)...))
	add("GONE", frame(frameGone))
	add("HEAD: not final, 300 bytes, hash 07 and 31 zeros", frame(frameHead, sign(Head{Size: 300, Hash: tree.Hash{7}}).Append(nil)...))
	add("HEAD: final, 70000 bytes, hash 08 and 31 zeros", frame(frameHead, sign(Head{Final: true, Size: 70_000, Hash: tree.Hash{8}}).Append(nil)...))
	add("HAVE: some, pieces 64 and 66", frame(frameHave, append(append([]byte{haveSome}, numbers(1)...), 5, 0, 0, 0, 0, 0, 0, 0)...))
	add("HAVE: all", frame(frameHave, haveAll))
	add("HAVE: enough", frame(frameHave, haveEnough))
	add("WANT: question 1, groups 200 to 263, skip 3", frame(frameWant, want{number: 1, run: tree.Run{From: 200, To: 264}, skip: 3}.append(nil)...))
	add("ANY: question 2, of 1000 groups", frame(frameAny, want{number: 2, any: true, known: 1000}.append(nil)...))
	add("MANIFEST: question 3, of 70000 bytes, group 1", frame(frameManifest, want{number: 3, manifest: 70_000, run: tree.Run{From: 1, To: 2}}.append(nil)...))
	add("TRIM: question 1, end 220", frame(frameTrim, numbers(1, 220)...))
	add("ANSWER: question 1, groups 200 to 219", frame(frameAnswer, answerHead{1, tree.Run{From: 200, To: 220}}.append(nil)...))
	add("DATA: three bytes", frame(frameData, 1, 2, 3))
	add("ZEROS: 65536", frame(frameZeros, numbers(65_536)...))
	add("END: question 1, it was trimmed", frame(frameEnd, numbers(1, endTrimmed)...))
	add("PEERS: the sharer, with no address", contacts(peer.Contact{ID: key.ID()}))
	add("PEERS: the sharer, with two addresses, and the other with one", contacts(peer.Contact{ID: key.ID(), Addrs: two}, peer.Contact{ID: other.ID(), Addrs: two[:1]}))
	add("CROWD: 300", frame(frameCrowd, numbers(300)...))
	add("ENDED: withdrawn", frame(frameEnded, ended(Withdrawn).Append(nil)...))
	add("ENDED: its time is over", frame(frameEnded, ended(Expired).Append(nil)...))
	nine := make([]string, 9)
	for i := range nine {
		nine[i] = "a:1"
	}
	add("refused PEERS: nine addresses", contacts(peer.Contact{ID: key.ID(), Addrs: nine}))
	add("refused PEERS: an address of 257 bytes", contacts(peer.Contact{ID: key.ID(), Addrs: []string{strings.Repeat("a", 257)}}))
	add("refused PEERS: an empty address", contacts(peer.Contact{ID: key.ID(), Addrs: []string{""}}))
	add("refused PEERS: an address with a space", contacts(peer.Contact{ID: key.ID(), Addrs: []string{"a :1"}}))
	add("refused PEERS: an address with an ESC", contacts(peer.Contact{ID: key.ID(), Addrs: []string{"a\x1b:1"}}))
	add("refused PEERS: an address that is not ASCII", contacts(peer.Contact{ID: key.ID(), Addrs: []string{"\u00fc:1"}}))
	add("refused PEERS: an ID that is nobody's", frame(framePeers, make([]byte, 33)...))
	add("refused PEERS: the count of addresses is missing", frame(framePeers, key.ID().Bytes()...))
	add("refused HEAD: a manifest of 2^31 bytes", frame(frameHead, Head{Size: 1 << 31}.Append(nil)...))
	add("refused HAVE: the first byte is 3", frame(frameHave, 3))
	add("refused ZEROS: none", frame(frameZeros, numbers(0)...))
	add("refused ZEROS: 69633", frame(frameZeros, numbers(69_633)...))
	add("refused WANT: 65 groups", frame(frameWant, numbers(1, 0, 65, 0)...))
	add("NODES: question 4, groups 200 to 4295, skip 3, those above more than 64 groups", frame(frameNodes, want{number: 4, run: tree.Run{From: 200, To: 4296}, skip: 3, least: 64}.append(nil)...))
	add("refused NODES: above more than none", frame(frameNodes, numbers(1, 0, 64, 0, 0)...))
	add("refused NODES: more than 65536", frame(frameNodes, numbers(1, 0, 65537, 0, 1)...))
	add("refused ENDED: a byte is missing", frame(frameEnded, ended(Withdrawn).Append(nil)[:64]...))
	offer := Offer{ID: ID{1}, Access: [32]byte{2}, Version: ID{3}, Manifest: 1, Pieces: 5, Bytes: 300 << 10, NotAfter: time.Unix(2_000_000_000, 0), Head: []byte{4, 5}}
	add("OFFER: copy 01, access 02, version 03, with zeros behind each, one unit of the manifest and 5 pieces, 307200 bytes, until 2000000000, the HEAD 0405", frame(frameOffer, offer.append(nil)...))
	add("HOLD: 5 units are there, until 2000000000", frame(frameHold, held{holdPart, time.Unix(2_000_000_000, 0), 5}.append(nil)...))
	add("HOLD: there is no room for more than 1000 bytes", frame(frameHold, held{how: byte(HoldFull), n: 1000}.append(nil)...))
	add("UNIT: number 300", frame(frameUnit, numbers(300)...))
	add("DROP: copy 01 and 15 zeros", frame(frameDrop, offer.ID[:]...))
	offer.Bytes = 6*sealedStep - 1
	add("refused OFFER: fewer bytes than 6 units have", frame(frameOffer, offer.append(nil)...))
	return all
}

func TestFrames(t *testing.T) {
	const path = "testdata/frames.txt"
	var b strings.Builder
	b.WriteString(framesHead)
	for _, f := range frames() {
		fmt.Fprintf(&b, "\n%s\n  %s\n", f.name, f.hex)
	}
	golden.Check(t, path, b.String())
}

// What is in the file is read, written again as it was, and believed; or refused.
func TestReadFrames(t *testing.T) {
	file, err := os.ReadFile("testdata/frames.txt")
	if err != nil {
		t.Fatal(err)
	}
	key := peer.KeyFromSeed([32]byte{1}).ID()
	n := 0
	for part := range strings.SplitSeq(string(file), "\n\n") {
		name, text, ok := strings.Cut(strings.TrimSpace(part), "\n  ")
		if !ok || name[0] == '#' {
			continue
		}
		n++
		p, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		kind, content := p[0], p[frameHeadN:]
		again := bytes.Clone(content)
		switch kind {
		case frameHello:
			var h hello
			if h, err = parseHello(content); err == nil {
				again = h.append(nil)
			}
		case frameHead:
			var h Head
			if h, err = ParseHead(content); err == nil {
				if again = h.Append(nil); !key.Verify(peer.ContextShare, h.signed(ID{1}), h.Sig[:]) {
					t.Errorf("%s: not signed by the sharer", name)
				}
			}
		case frameHave:
			_, err = (&session{share: New(Config{}), m: &member{}}).has(content)
		case frameZeros:
			var zeros int
			if zeros, err = parseZeros(content); err == nil {
				again = numbers(uint64(zeros))
			}
		case frameWant, frameAny, frameManifest, frameNodes:
			var w want
			if w, err = parseWant(kind, content); err == nil {
				again = w.append(nil)
			}
		case frameAnswer:
			var a answerHead
			if a, err = parseAnswer(content); err == nil {
				again = a.append(nil)
			}
		case framePeers:
			var cs []peer.Contact
			if cs, err = peer.ParseContacts(content); err == nil {
				again = peer.AppendContacts(nil, cs...)
			}
		case frameOffer:
			var o Offer
			if o, err = parseOffer(content); err == nil {
				again = o.append(nil)
			}
		case frameHold:
			if h, _ := parseHeld(content); true { //nolint:errcheck // a refusal is one
				again = h.append(nil)
			}
		case frameEnded:
			var e Ending
			if e, err = ParseEnding(content); err == nil {
				if again = e.Append(nil); !key.Verify(peer.ContextShare, e.signed(ID{1}), e.Sig[:]) {
					t.Errorf("%s: not signed by the sharer", name)
				}
			}
		}
		if refused := strings.HasPrefix(name, "refused "); refused != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !bytes.Equal(again, content) {
			t.Errorf("%s is written as %x", name, again)
		}
	}
	if n != len(frames()) {
		t.Errorf("%d frames were read of %d", n, len(frames()))
	}
}
