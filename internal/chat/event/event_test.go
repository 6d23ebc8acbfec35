package event

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// The world of the tests: identities and devices whose keys have the seed of a byte and
// 31 zeros.
func seed(n byte) [32]byte     { return [32]byte{n} }
func keyOf(n byte) *peer.Key   { return peer.KeyFromSeed(seed(n)) }
func deviceOf(n byte) Device   { return Device(keyOf(n).ID().Bytes()) }
func personOf(n byte) Identity { return Identity(keyOf(n).ID().Bytes()) }
func secretOf(n byte) *Secret  { return SecretFrom(seed(n)) }
func idOf(n byte) ID           { return ID{n} }
func stamp(minutes int) uint64 {
	return Stamp(time.UnixMilli(1_800_000_000_000).Add(time.Duration(minutes) * time.Minute))
}
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func prekeysOf(n byte) *PrekeySecret { return must(PrekeySecretFrom(seed(n))) }
func prekeyOf(n byte) *Prekey {
	p := must(NewPrekey(keyOf(n), 1_800_000_000_000, prekeysOf(n)))
	return &p
}

// alice has the identity 1 and the device 11, bob 2 and 12.
func create() *Event {
	return must(Draft{Seq: 1, Time: stamp(0), Body: &Create{Rules: 1, Salt: seed(9), Cert: Certify(keyOf(1), deviceOf(11)), Prekey: prekeyOf(11)}}.Sign(keyOf(11)))
}

func draft(n uint64, body Body) Draft {
	room := create().ID
	return Draft{Room: room, Seq: n, Time: stamp(int(n)), Epoch: idOf(3), Parents: []ID{idOf(200), idOf(4), idOf(5)}, Body: body}
}

func entering() Draft {
	room := create().ID
	return Draft{Room: room, Seq: 1, Time: stamp(5), Parents: []ID{idOf(7)}, Body: &Enter{Cert: Certify(keyOf(2), deviceOf(12)), Prekey: prekeyOf(12), Via: idOf(6),
		Proof: AcceptInvite(keyOf(21), room, idOf(6), personOf(2), deviceOf(12))}}
}

func text() *Event {
	return must(draft(2, &Text{Text: "hello"}).sealWith(keyOf(11), secretOf(8), [24]byte{1}))
}

func TestEventAndBack(t *testing.T) {
	for _, e := range []*Event{create(), must(entering().Sign(keyOf(12))), text(), must(draft(3, &Add{personOf(2), Member}).Sign(keyOf(11)))} {
		back, err := Parse(e.Bytes())
		if err != nil {
			t.Fatalf("%v: %v", e.Kind, err)
		}
		if back.ID != e.ID || !bytes.Equal(back.Bytes(), e.Bytes()) || back.Room != create().ID {
			t.Errorf("%v is read as another event", e.Kind)
		}
	}
}

// Every byte of an event counts: nobody can alter or re-attribute one, or bring it
// into another room or to another place.
func TestEveryByteCounts(t *testing.T) {
	for _, e := range []*Event{text(), must(draft(3, &Add{personOf(2), Member}).Sign(keyOf(11)))} {
		b := e.Bytes()
		for i := range b {
			b[i] ^= 4
			if _, err := Parse(b); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v, byte %d changed: %v", e.Kind, i, err)
			}
			b[i] ^= 4
		}
		for _, n := range []int{0, 1, len(b) - 1, headerSize} {
			if _, err := Parse(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v, cut to %d bytes: %v", e.Kind, n, err)
			}
		}
		if _, err := Parse(append(b, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v with a byte behind it: %v", e.Kind, err)
		}
	}
}

func TestErase(t *testing.T) {
	e := text()
	back, err := Parse(e.Erase().Bytes())
	if err != nil || back.ID != e.ID || !back.Erased() {
		t.Fatalf("%+v, %v", back, err)
	}
	if _, err := back.Open(secretOf(8)); !errors.Is(err, ErrErased) {
		t.Errorf("it says: %v", err)
	}
	control := must(draft(3, &Add{personOf(2), Member}).Sign(keyOf(11)))
	if control.Erase().Erased() {
		t.Error("a control event is erased")
	}
	if _, err := Parse(control.Head()); !errors.Is(err, ErrMalformed) {
		t.Errorf("a control event without its body: %v", err)
	}
}

// Drafts that are not in the one form, or beyond a limit, are refused by who makes them and so
// by who reads them.
func TestRefused(t *testing.T) {
	change := func(f func(*Draft)) Draft {
		d := draft(2, &Add{personOf(2), Member})
		f(&d)
		return d
	}
	for name, d := range map[string]Draft{
		"parents that descend":       change(func(d *Draft) { d.Parents = []ID{idOf(1), idOf(9), idOf(8)} }),
		"a parent twice":             change(func(d *Draft) { d.Parents = []ID{idOf(1), idOf(8), idOf(8)} }),
		"the own one twice":          change(func(d *Draft) { d.Parents = []ID{idOf(1), idOf(1)} }),
		"nine parents":               change(func(d *Draft) { d.Parents = make([]ID, 9) }),
		"no parents":                 change(func(d *Draft) { d.Parents = nil }),
		"no room":                    change(func(d *Draft) { d.Room = ID{} }),
		"no number":                  change(func(d *Draft) { d.Seq = 0 }),
		"a number beyond all":        change(func(d *Draft) { d.Seq = 1 << 48 }),
		"the end of time":            change(func(d *Draft) { d.Time = 1 << 63 }),
		"a first act without entry":  change(func(d *Draft) { d.Seq = 1 }),
		"a second entry":             change(func(d *Draft) { d.Body = entering().Body }),
		"a member with no role":      change(func(d *Draft) { d.Body = &Add{Member: personOf(2)} }),
		"a key that is nobody's":     change(func(d *Draft) { d.Body = &Add{Member: Identity{1}, Role: Member} }),
		"65 cuts":                    change(func(d *Draft) { d.Body = &Remove{personOf(2), make([]ID, 65)} }),
		"cuts that descend":          change(func(d *Draft) { d.Body = &Remove{personOf(2), []ID{idOf(2), idOf(1)}} }),
		"a property too long":        change(func(d *Draft) { d.Body = &Meta{PropertyName, make([]byte, MaxValue+1)} }),
		"a time to live of 3 bytes":  change(func(d *Draft) { d.Body = &Meta{PropertyTTL, make([]byte, 3)} }),
		"an epoch for nobody":        change(func(d *Draft) { d.Body = &Epoch{SuiteClassic, [32]byte{1}, nil} }),
		"rules of another version":   {Seq: 1, Time: stamp(0), Body: &Create{Rules: 2, Cert: Certify(keyOf(1), deviceOf(11)), Prekey: prekeyOf(11)}},
		"a first event with parents": {Seq: 1, Time: stamp(0), Parents: []ID{idOf(1)}, Body: &Create{Rules: 1, Cert: Certify(keyOf(1), deviceOf(11)), Prekey: prekeyOf(11)}},
	} {
		if e, err := d.Sign(keyOf(11)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	for name, body := range map[string]Body{
		"no text":               &Text{},
		"text that is too long": &Text{Text: strings.Repeat("a", MaxText+1)},
		"not UTF-8":             &Text{Text: "\xff"},
		"65 mentions":           &Text{Text: "a", Mentions: make([]Identity, 65)},
		"mentions twice":        &Text{Text: "a", Mentions: []Identity{personOf(1), personOf(1)}},
		"a reaction of nothing": &React{Target: idOf(1)},
		"a file without ticket": &File{Name: "a"},
	} {
		if _, err := draft(2, body).Seal(keyOf(11), secretOf(8)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := draft(2, &Text{Text: "a"}).Sign(keyOf(11)); !errors.Is(err, ErrNotSealed) {
		t.Errorf("content that is not sealed: %v", err)
	}
	if _, err := draft(2, &Add{personOf(2), Member}).Seal(keyOf(11), secretOf(8)); !errors.Is(err, ErrNotSealed) {
		t.Errorf("control that is sealed: %v", err)
	}
}

// Nobody can enter with another's identity, device or prekey.
func TestEnterSignatures(t *testing.T) {
	for name, change := range map[string]func(*Enter){
		"another's certificate": func(e *Enter) { e.Cert = Certify(keyOf(2), deviceOf(13)) },
		"another identity":      func(e *Enter) { e.Cert.Identity = personOf(1) },
		"another's prekey":      func(e *Enter) { e.Prekey = prekeyOf(13) },
		"a changed prekey":      func(e *Enter) { p := *e.Prekey; p.Classic[0] ^= 1; e.Prekey = &p },
	} {
		d := entering()
		change(d.Body.(*Enter))
		e := must(d.Sign(keyOf(12)))
		if _, err := Parse(e.Bytes()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A proof for one room, invite, identity or device is none for another.
func TestProofs(t *testing.T) {
	proof := AcceptInvite(keyOf(21), idOf(1), idOf(2), personOf(2), deviceOf(12))
	key := [32]byte(keyOf(21).ID().Bytes())
	for name, ok := range map[string]bool{
		"":                 VerifyInvited(key, idOf(1), idOf(2), personOf(2), deviceOf(12), proof),
		"another room":     !VerifyInvited(key, idOf(9), idOf(2), personOf(2), deviceOf(12), proof),
		"another invite":   !VerifyInvited(key, idOf(1), idOf(9), personOf(2), deviceOf(12), proof),
		"another identity": !VerifyInvited(key, idOf(1), idOf(2), personOf(3), deviceOf(12), proof),
		"another device":   !VerifyInvited(key, idOf(1), idOf(2), personOf(2), deviceOf(13), proof),
		"revocation":       VerifyRevoke(personOf(2), idOf(1), deviceOf(12), RevokeDevice(keyOf(2), idOf(1), deviceOf(12))),
		"another's":        !VerifyRevoke(personOf(3), idOf(1), deviceOf(12), RevokeDevice(keyOf(2), idOf(1), deviceOf(12))),
		"elsewhere":        !VerifyRevoke(personOf(2), idOf(9), deviceOf(12), RevokeDevice(keyOf(2), idOf(1), deviceOf(12))),
	} {
		if !ok {
			t.Errorf("%q is judged wrongly", name)
		}
	}
}

// Kinds and fields of later versions are kept as they are, and not shown.
func TestLaterVersions(t *testing.T) {
	d := draft(2, &Add{personOf(2), Member})
	e := d.event(keyOf(11))
	e.Kind, e.Payload = 100, []byte("whatever that is")
	e.complete()
	later := must(e.sign(keyOf(11)))
	if back, err := Parse(later.Bytes()); err != nil || back.Body != nil || back.Kind.Known() || !bytes.Equal(back.Bytes(), later.Bytes()) {
		t.Errorf("a control kind of later: %+v, %v", back, err)
	}

	e = text()
	c := *e
	c.Kind = 200
	c.Payload = secretOf(8).body.Seal(make([]byte, 24), make([]byte, 24), []byte("whatever"), c.appendPrefix(nil))
	c.complete()
	later = must(c.sign(keyOf(11)))
	if body, err := later.Open(secretOf(8)); err != nil || body != nil {
		t.Errorf("a content kind of later says %v, %v", body, err)
	}

	if body, err := parseBody(KindText, append((&Text{Text: "a"}).append(nil), 250, 1, 7)); err != nil || body.(*Text).Text != "a" {
		t.Errorf("a text with a field of later: %v, %v", body, err)
	}
}

func TestNotCanonical(t *testing.T) {
	for name, b := range map[string]string{
		"a length in two bytes":   "\x21\x81\x00a",
		"a length beyond the end": "\x21\x02a",
		"no length":               "\x21",
		"an empty field":          "\x21\x00",
		"fields out of order":     "\x22\x01a\x21\x01a",
		"a text twice":            "\x21\x01a\x21\x01b",
	} {
		if body, err := parseBody(KindText, []byte(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", name, body, err)
		}
	}
	pin := append((&Pin{Target: idOf(1)}).append(nil), tagOff, 1, 0)
	if _, err := parseBody(KindPin, pin); !errors.Is(err, ErrMalformed) {
		t.Errorf("a flag that is written out though it is not set: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range []*Event{create(), must(entering().Sign(keyOf(12))), text(), text().Erase(), must(draft(3, &Remove{personOf(2), []ID{idOf(1)}}).Sign(keyOf(11)))} {
		f.Add(e.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Read(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(e.Bytes(), b) {
			t.Fatalf("%x is written %x", b, e.Bytes())
		}
		if n := len(e.Links()); n > MaxLinks {
			t.Fatalf("%d links", n)
		}
		// A header says all that is in it: it is written again from the fields.
		if h := e.appendPrefix(nil); !bytes.Equal(h, e.header[:len(h)]) {
			t.Fatalf("the header %x is written %x", e.header, h)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, v := range bodies() {
		f.Add(byte(v.body.kind()), v.body.append(nil))
	}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		body, err := parseBody(Kind(k), b)
		if err != nil || body == nil {
			return
		}
		again := body.append(nil)
		back, err := parseBody(Kind(k), again)
		if err != nil {
			t.Fatalf("%#v cannot be read again: %v", body, err)
		}
		if !bytes.Equal(back.append(nil), again) {
			t.Fatalf("%#v is written in two ways", body)
		}
		// What is in the body stands in it once: only fields that are not known are passed over.
		if len(again) > len(b) {
			t.Fatalf("%x becomes %x", b, again)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	bytes := must(draft(2, &Text{Text: strings.Repeat("a", 200)}).Seal(keyOf(11), secretOf(8))).Bytes()
	for b.Loop() {
		must(Parse(bytes))
	}
}

func BenchmarkOpen(b *testing.B) {
	e, s := must(draft(2, &Text{Text: strings.Repeat("a", 200)}).Seal(keyOf(11), secretOf(8))), secretOf(8)
	for b.Loop() {
		must(e.Open(s))
	}
}
