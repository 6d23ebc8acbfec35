package event

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/events.txt")

const (
	vectorsFile = "testdata/events.txt"
	vectorsHead = `# Events of rooms: docs/protocol/chat.md. A key or secret N is the one whose seed or value is the byte N and 31 zeros; an ID N is
# N and 31 zeros. Identities are the keys 1 and 2, their devices 11 and 12, each with the prekey whose seed is its number and whose time is
# 1800000000000. Where it is not said otherwise an event has the room of "create", number 2, the time of 1800000000000 + 120000 ms, the
# epoch 3 and the parents 200, 4 and 5, is signed by device 11 and, if it is content, sealed with secret 8 and the nonce that its payload begins with.
#
#	event NAME: what it says
#	  its ID, its bytes, and of content: the body in clear, the outer blob by secret 8
#	wrap NAME: a secret, wrapped by device 11 in room 1 for device 12. HPKE is not deterministic: who wraps it again gets other bytes
#	  the commitment, the wrap
#	prekey
#	  its bytes, its tag, the outer blob by secret 8
#	refused NAME: why
#	  the bytes
`
)

type named struct {
	name string
	body Body
}

func mailboxes() []byte {
	b, err := FormatMailboxes([]Mailbox{{Peer: [32]byte(keyOf(31).ID().Bytes()), Addresses: []string{"/ip4/192.0.2.1/tcp/4001"}}})
	if err != nil {
		panic(err)
	}
	return b
}

// bodies returns one body of every kind, and more where something may be left out.
func bodies() []named {
	wrap := func(s Suite) []Wrap { return []Wrap{{deviceOf(12), [8]byte{1}, make([]byte, s.sealed())}} }
	return []named{
		{"add: identity 2 as a member", &Add{personOf(2), Member}},
		{"remove: identity 2, cuts 1 and 2", &Remove{personOf(2), []ID{idOf(1), idOf(2)}}},
		{"remove: identity 1, no cuts", &Remove{personOf(1), nil}},
		{"role: identity 2 is an owner", &SetRole{personOf(2), Owner, nil}},
		{"role: identity 2 is a reader, cut 1", &SetRole{personOf(2), Reader, []ID{idOf(1)}}},
		{"invite: key 21, member, 1800000000000, 3 uses", &Invite{[32]byte(keyOf(21).ID().Bytes()), Member, 1_800_000_000_000, 3}},
		{"invite: key 21, reader, for ever, for all", &Invite{[32]byte(keyOf(21).ID().Bytes()), Reader, 0, 0}},
		{"revoke: invite 6", &Revoke{idOf(6)}},
		{"remove-device: that has entered at 6, cut 7, by a proof of identity 2", &RemoveDevice{idOf(6), RevokeDevice(keyOf(2), create().ID, deviceOf(12)), []ID{idOf(7)}}},
		{"remove-device: that has entered at 6, no cuts", &RemoveDevice{Enter: idOf(6)}},
		{"epoch: classic, commitment of secret 8, one device (zeros)", &Epoch{SuiteClassic, secretOf(8).Commit(), wrap(SuiteClassic)}},
		{"epoch: hybrid, commitment of secret 8, one device (zeros)", &Epoch{SuiteHybrid, secretOf(8).Commit(), wrap(SuiteHybrid)}},
		{"share: of epoch 3, classic, one device (zeros)", &Share{SuiteClassic, idOf(3), wrap(SuiteClassic)}},
		{"meta: the name is \"tea\"", &Meta{PropertyName, []byte("tea")}},
		{"meta: messages live for a day", &Meta{PropertyTTL, []byte{0, 0, 0, 0, 0, 1, 0x51, 0x80}}},
		{"text: \"hello\"", &Text{Text: "hello"}},
		{"text: \"grüße\", reply to 9, mentions identity 1", &Text{"grüße", idOf(9), []Identity{personOf(1)}}},
		{"edit: 9 says \"hello!\"", &Edit{idOf(9), "hello!", nil}},
		{"delete: 9", &Delete{idOf(9)}},
		{"react: to 9 with U+1F44D", &React{idOf(9), "\U0001F44D", false}},
		{"react: to 9 no more with U+1F44D", &React{idOf(9), "\U0001F44D", true}},
		{"file: ticket \"tenon1x\", name \"a.txt\", size 5, type \"text/plain\", text \"look\"", &File{"tenon1x", "a.txt", 5, "text/plain", "look", ID{}}},
		{"pin: 9", &Pin{idOf(9), false}},
		{"meta: one mailbox, key 31, at /ip4/192.0.2.1/tcp/4001", &Meta{PropertyMailboxes, mailboxes()}},
	}
}

func vectors() string {
	var b strings.Builder
	b.WriteString(vectorsHead)
	n := byte(0)
	show := func(name string, e *Event, body Body) {
		fmt.Fprintf(&b, "\nevent %s\n  %s\n  %x\n", name, e.ID, e.Bytes())
		if body != nil {
			fmt.Fprintf(&b, "  %x\n  %x\n", body.append(nil), secretOf(8).Outer(e))
		}
	}
	show("create: identity 1, device 11, salt 9, number 1, at 1800000000000", create(), nil)
	show("enter: identity 2, device 12, by the invite 6 of key 21, number 1, five minutes later, parent 7", must(entering().Sign(keyOf(12))), nil)
	for _, v := range bodies() {
		n++
		if v.body.kind().Control() {
			show(v.name, must(draft(2, v.body).Sign(keyOf(11))), nil)
			continue
		}
		show(v.name, must(draft(2, v.body).sealWith(keyOf(11), secretOf(8), [24]byte{n})), v.body)
	}
	plain := must(draft(2, &Add{personOf(2), Member}).Sign(keyOf(11)))
	show("add: identity 2 as a member, with a signature whose R is of order 8: good with the cofactor alone", bent(plain, 11, orderEight), nil)
	erased := text().Erase()
	fmt.Fprintf(&b, "\nevent text, erased\n  %s\n  %x\n", erased.ID, erased.Bytes())
	for _, s := range []struct {
		name  string
		suite Suite
	}{{"classic", SuiteClassic}, {"hybrid", SuiteHybrid}} {
		w := must(secretOf(8).wrap(s.suite, idOf(1), deviceOf(11), prekeyOf(12)))
		fmt.Fprintf(&b, "\nwrap %s: secret 8\n  %x\n  %x%x%x\n", s.name, secretOf(8).Commit(), w.Device, w.Prekey, w.Sealed)
	}
	p := prekeyOf(12)
	fmt.Fprintf(&b, "\nprekey of device 12\n  %x\n  %x\n  %x\n", p.Bytes(), p.Tag(), secretOf(8).OuterPrekey(p))
	for _, r := range refusals() {
		fmt.Fprintf(&b, "\nrefused %s\n  %x\n", r.name, r.bytes)
	}
	return b.String()
}

type refusal struct {
	name  string
	bytes []byte
}

// refusals returns what is signed as it should be, and is refused for what it is.
func refusals() (all []refusal) {
	bend := func(name string, change func(*Event)) {
		e := must(draft(2, &Add{personOf(2), Member}).Sign(keyOf(11)))
		c := *e
		change(&c)
		c.complete()
		copy(c.Sig[:], keyOf(11).SignAs("tenon chat event 1", c.ID[:]))
		all = append(all, refusal{name, c.Bytes()})
	}
	bend("parents that do not ascend", func(e *Event) { e.Parents = []ID{idOf(200), idOf(5), idOf(4)} })
	bend("a parent twice", func(e *Event) { e.Parents = []ID{idOf(200), idOf(4), idOf(4)} })
	bend("no parent", func(e *Event) { e.Parents = nil })
	bend("number 0", func(e *Event) { e.Seq = 0 })
	bend("number 1, and no enter", func(e *Event) { e.Seq = 1 })
	bend("time 2^63", func(e *Event) { e.Time = 1 << 63 })
	bend("a role of 4", func(e *Event) { e.Payload = append(bytes.Clone(e.Payload[:len(e.Payload)-1]), 4) })
	bend("a body with its fields in another order", func(e *Event) {
		role, who := e.Payload[len(e.Payload)-3:], e.Payload[:len(e.Payload)-3]
		e.Payload = append(bytes.Clone(role), who...)
	})
	bend("a length that is written in two bytes", func(e *Event) { e.Payload = append(append([]byte{tagMember, 0xa0, 0}, e.Payload[2:]...), 0) })
	bend("a member whose key is of small order", func(e *Event) {
		e.Payload = (&Add{Identity{1}, Member}).append(nil)
	})
	bend("content in clear, of no length", func(e *Event) { e.Kind, e.Payload = KindText, []byte("hello") })
	text := text().Bytes()
	text[len(text)-1] ^= 1
	all = append(all, refusal{"a payload of another hash", text})
	plain := must(draft(2, &Add{personOf(2), Member}).Sign(keyOf(11)))
	all = append(all, refusal{"a signature whose R is neutral, in another form", bent(plain, 11, signOfZero).Bytes()})
	forged := create().Bytes()
	forged[len(create().Head())-1] ^= 1
	return append(all, refusal{"a signature of nobody", forged})
}

// The vectors are what this implementation makes, but for what HPKE wraps.
func TestVectors(t *testing.T) {
	made := vectors()
	if *update {
		if err := os.WriteFile(vectorsFile, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	steady := func(s string) (kept []string) {
		for part := range strings.SplitSeq(s, "\n\n") {
			if !strings.HasPrefix(part, "wrap ") {
				kept = append(kept, strings.TrimSpace(part))
			}
		}
		return kept
	}
	got, want := steady(made), steady(string(file))
	if len(got) != len(want) {
		t.Fatalf("%s has %d vectors, there should be %d; -update writes them", vectorsFile, len(want), len(got))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s differs; -update writes it:\n%s", vectorsFile, got[i])
		}
	}
}

// What is in the file is read, written again as it was, and opened; or refused.
func TestReadVectors(t *testing.T) {
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for part := range strings.SplitSeq(string(file), "\n\n") {
		lines := strings.Split(strings.TrimSpace(part), "\n  ")
		what, _, _ := strings.Cut(lines[0], " ")
		if what == "#" {
			continue
		}
		count[what]++
		b := make([][]byte, len(lines))
		for i, l := range lines[1:] {
			b[i] = must(hex.DecodeString(l))
		}
		switch what {
		case "event":
			e, err := Parse(b[1])
			if err != nil || !bytes.Equal(e.ID[:], b[0]) || !bytes.Equal(e.Bytes(), b[1]) {
				t.Errorf("%s: %v", lines[0], err)
			}
			if len(b) > 4 {
				body, err := e.Open(secretOf(8))
				if err != nil || !bytes.Equal(body.append(nil), b[2]) {
					t.Errorf("%s: it says %v, %v", lines[0], body, err)
				}
				if back, err := secretOf(8).OpenOuter(b[3]); err != nil || back.ID != e.ID {
					t.Errorf("%s: its outer blob: %v", lines[0], err)
				}
			}
		case "wrap":
			suite := SuiteClassic
			if strings.Contains(lines[0], "hybrid") {
				suite = SuiteHybrid
			}
			w := Wrap{Device(b[1][:32]), [8]byte(b[1][32:]), b[1][40:]}
			if s, err := prekeysOf(12).Unwrap(suite, idOf(1), deviceOf(11), [32]byte(b[0]), w); err != nil || s.Reveal() != secretOf(8).Reveal() {
				t.Errorf("%s: %v", lines[0], err)
			}
		case "prekey":
			p, err := ParsePrekey(b[0])
			if err != nil || !bytes.Equal(p.Bytes(), b[0]) || p.Tag() != [8]byte(b[1]) {
				t.Errorf("%s: %v", lines[0], err)
			}
			if back, err := secretOf(8).OpenOuterPrekey(b[2]); err != nil || *back != *p {
				t.Errorf("%s: its outer blob: %v", lines[0], err)
			}
		case "refused":
			if _, err := Parse(b[0]); err == nil {
				t.Errorf("%s: it is taken", lines[0])
			}
		}
	}
	if count["event"] < 27 || count["wrap"] != 2 || count["refused"] < 14 || count["prekey"] != 1 {
		t.Errorf("the file has %v", count)
	}
}
