package event

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSealed(t *testing.T) {
	e := text()
	body, err := e.Open(secretOf(8))
	if err != nil || body.(*Text).Text != "hello" {
		t.Fatalf("%v, %v", body, err)
	}
	if _, err := e.Open(secretOf(7)); !errors.Is(err, ErrSealed) {
		t.Errorf("with another secret: %v", err)
	}
	if bytes.Contains(e.Bytes(), []byte("hello")) {
		t.Error("it can be read by anybody")
	}
}

// What is sealed for one place cannot be signed for another by somebody else: a member
// cannot pass another's words off as his own without opening them, nor move them.
func TestReplayElsewhere(t *testing.T) {
	e := text()
	for name, change := range map[string]func(*Event){
		"room":   func(e *Event) { e.Room = idOf(77) },
		"device": func(e *Event) { e.Device = deviceOf(12) },
		"number": func(e *Event) { e.Seq++ },
		"time":   func(e *Event) { e.Time++ },
		"epoch":  func(e *Event) { e.Epoch = idOf(78) },
		"kind":   func(e *Event) { e.Kind = KindEdit },
		"parent": func(e *Event) { e.Parents = []ID{idOf(200), idOf(4)} },
	} {
		c := *e
		change(&c)
		c.complete()
		moved := must(c.sign(keyOf(12)))
		if _, err := moved.Open(secretOf(8)); !errors.Is(err, ErrSealed) {
			t.Errorf("with another %s: %v", name, err)
		}
	}
}

func TestOuter(t *testing.T) {
	e, s := text(), secretOf(8)
	blob := s.Outer(e)
	if !bytes.Equal(blob, s.Outer(must(Parse(e.Bytes())))) {
		t.Error("two who seal one event make two blobs")
	}
	back, err := s.OpenOuter(blob)
	if err != nil || back.ID != e.ID {
		t.Fatalf("%v, %v", back, err)
	}
	for i := range blob {
		changed := bytes.Clone(blob)
		changed[i] ^= 1
		if _, err := s.OpenOuter(changed); !errors.Is(err, ErrSealed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if _, err := secretOf(7).OpenOuter(blob); !errors.Is(err, ErrSealed) {
		t.Errorf("with another secret: %v", err)
	}
	for _, shows := range [][]byte{e.ID[:], e.Room[:], e.Device[:], e.Epoch[:], e.Hash[:]} {
		if bytes.Contains(blob, shows) {
			t.Errorf("the blob shows %x", shows)
		}
	}
	// A member cannot fill a mailbox with blobs of one event.
	tag, nonce := s.OuterTag(), make([]byte, 24)
	other := s.outer().Seal(append(tag[:], nonce...), nonce, e.Bytes(), tag[:])
	if _, err := s.OpenOuter(other); !errors.Is(err, ErrSealed) {
		t.Errorf("with a nonce of his choice: %v", err)
	}
}

// A prekey travels as an event does, and neither is taken for the other.
func TestOuterPrekey(t *testing.T) {
	p, s := prekeyOf(12), secretOf(8)
	blob := s.OuterPrekey(p)
	if back, err := s.OpenOuterPrekey(blob); err != nil || *back != *p {
		t.Fatalf("%v, %v", back, err)
	}
	if e, err := s.OpenOuter(blob); !errors.Is(err, ErrMalformed) {
		t.Errorf("as an event it is %v, %v", e, err)
	}
	if p, err := s.OpenOuterPrekey(s.Outer(text())); !errors.Is(err, ErrMalformed) {
		t.Errorf("an event is the prekey %v, %v", p, err)
	}
	forged := *p
	forged.Time++
	if _, err := s.OpenOuterPrekey(s.OuterPrekey(&forged)); !errors.Is(err, ErrMalformed) {
		t.Errorf("with another time: %v", err)
	}
}

func FuzzOpenOuter(f *testing.F) {
	f.Add(secretOf(8).Outer(text()))
	f.Add(secretOf(8).OuterPrekey(prekeyOf(12)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := secretOf(8).OpenOuterPrekey(b); err == nil && !bytes.Equal(secretOf(8).OuterPrekey(p), b) {
			t.Fatal("one prekey has two blobs")
		}
		if e, err := secretOf(8).OpenOuter(b); err == nil && !bytes.Equal(secretOf(8).Outer(e), b) {
			t.Fatal("one event has two blobs")
		}
	})
}

func TestWrap(t *testing.T) {
	for _, suite := range []Suite{SuiteClassic, SuiteHybrid} {
		s, room := secretOf(8), idOf(1)
		wraps := must(s.WrapAll(suite, room, deviceOf(11), []*Prekey{prekeyOf(11), prekeyOf(12)}))
		e := must(draft(3, &Epoch{suite, s.Commit(), wraps}).Sign(keyOf(11)))
		body := must(Parse(e.Bytes())).Body.(*Epoch)
		for _, w := range body.Wraps {
			n := byte(11)
			if w.Device == deviceOf(12) {
				n = 12
			}
			if w.Prekey != prekeyOf(n).Tag() {
				t.Error("the wrap names another prekey")
			}
			if got, err := prekeysOf(n).Unwrap(suite, room, deviceOf(11), body.Commit, w); err != nil || got.Reveal() != s.Reveal() {
				t.Errorf("device %d: %v", n, err)
			}
			if _, err := prekeysOf(23-n).Unwrap(suite, room, deviceOf(11), body.Commit, w); !errors.Is(err, ErrSealed) {
				t.Errorf("the other device: %v", err)
			}
			if _, err := prekeysOf(n).Unwrap(suite, idOf(2), deviceOf(11), body.Commit, w); !errors.Is(err, ErrSealed) {
				t.Errorf("in another room: %v", err)
			}
			if _, err := prekeysOf(n).Unwrap(suite, room, deviceOf(12), body.Commit, w); !errors.Is(err, ErrSealed) {
				t.Errorf("in an epoch of somebody else: %v", err)
			}
		}
	}
}

// Who makes an epoch cannot give different secrets to different members, who would then
// read different things.
func TestOneSecretForAll(t *testing.T) {
	commit := secretOf(8).Commit()
	other := secretOf(7)
	w := must(other.wrap(SuiteClassic, idOf(1), deviceOf(11), prekeyOf(12)))
	if _, err := prekeysOf(12).Unwrap(SuiteClassic, idOf(1), deviceOf(11), commit, w); !errors.Is(err, ErrSealed) {
		t.Errorf("a secret that is not the one of the epoch: %v", err)
	}
}

func TestEpochsFit(t *testing.T) {
	for _, n := range []int{HybridDevices, MaxWraps} {
		suite, to := SuiteFor(n), []*Prekey{}
		for i := range n {
			p := *prekeyOf(12)
			p.Device[0], p.Device[1] = byte(i), byte(i>>8)
			to = append(to, &p)
		}
		wraps := must(secretOf(8).WrapAll(suite, idOf(1), deviceOf(11), to))
		if e, err := (draft(3, &Epoch{suite, secretOf(8).Commit(), wraps})).Sign(keyOf(11)); err != nil {
			t.Errorf("for %d devices: %v", n, err)
		} else {
			t.Logf("for %d devices: %d bytes", n, len(e.Bytes()))
		}
	}
}

func TestPrekeysAreKept(t *testing.T) {
	b := must(prekeysOf(12).Reveal())
	back := must(ReadPrekeySecret(b))
	w := must(secretOf(8).wrap(SuiteHybrid, idOf(1), deviceOf(11), prekeyOf(12)))
	if _, err := back.Unwrap(SuiteHybrid, idOf(1), deviceOf(11), secretOf(8).Commit(), w); err != nil {
		t.Error(err)
	}
	p, err := ParsePrekey(prekeyOf(12).Bytes())
	if err != nil || *p != *prekeyOf(12) {
		t.Error(err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := SecretFrom([32]byte([]byte(strings.Repeat("s", 32))))
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, s), fmt.Sprintf("%#v", prekeysOf(1))} {
		if strings.Contains(shown, "ss") || strings.Contains(shown, "115") || strings.Contains(shown, "0x73") {
			t.Errorf("printed: %s", shown)
		}
	}
}

func BenchmarkEpoch(b *testing.B) {
	for _, n := range []int{32, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			to := []*Prekey{}
			for i := range n {
				p := *prekeyOf(12)
				p.Device[0], p.Device[1] = byte(i), byte(i>>8)
				to = append(to, &p)
			}
			for b.Loop() {
				must(secretOf(8).WrapAll(SuiteFor(n), idOf(1), deviceOf(11), to))
			}
		})
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		first := must(c.Next(0))
		if first != Stamp(time.Now()) {
			t.Errorf("the first stamp is %d, at %d", first, Stamp(time.Now()))
		}
		if second := must(c.Next(0)); second != first+1 {
			t.Errorf("within one millisecond: %d after %d", second, first)
		}
		near := Stamp(time.Now().Add(time.Minute))
		if wait := c.See(near); wait != 0 {
			t.Errorf("a minute ahead: held for %v", wait)
		}
		if next := must(c.Next(0)); next != near+1 {
			t.Errorf("after %d: %d", near, next)
		}
		if next := must(c.Next(near + 10)); next != near+11 {
			t.Errorf("after %d: %d", near+10, next)
		}
		time.Sleep(time.Hour)
		if next := must(c.Next(0)); next != Stamp(time.Now()) {
			t.Errorf("an hour later: %v", Time(next))
		}
	})
}

// Who stamps the future moves nobody's clock by more than two minutes, whatever the number
// is, and what is held can be taken when it is due.
func TestClockIsNotPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		far := Stamp(time.Now().Add(time.Hour))
		for _, stamp := range []uint64{far, 1<<63 - 1, ^uint64(0)} {
			if wait := c.See(stamp); wait <= 0 || wait > 25*time.Hour {
				t.Errorf("%x is held for %v", stamp, wait)
			}
			if _, err := c.Next(stamp); !errors.Is(err, ErrAhead) {
				t.Errorf("after %x: %v", stamp, err)
			}
		}
		if next := must(c.Next(0)); next != Stamp(time.Now()) {
			t.Errorf("the clock is at %v, the time is %v", Time(next), time.Now())
		}
		time.Sleep(c.See(far))
		if wait := c.See(far); wait != 0 {
			t.Errorf("when it is due, it is held for %v", wait)
		}
	})
}
