package cpace

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gtank/ristretto255"
)

// vectors reads testdata/vectors.txt.
func vectors(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	v, name := map[string][]byte{}, ""
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(words) == 0 {
			continue
		}
		if !strings.HasPrefix(line, " ") {
			name, words = words[0], words[1:]
		}
		for _, w := range words {
			b, err := hex.DecodeString(w)
			if err != nil {
				t.Fatal(err)
			}
			v[name] = append(v[name], b...)
		}
	}
	return v
}

func scalar(t *testing.T, b []byte) *ristretto255.Scalar {
	t.Helper()
	s, err := ristretto255.NewScalar().SetCanonicalBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%s is\n%x, want\n%x", what, got, want)
	}
}

func TestVectorsOfTheDraft(t *testing.T) {
	v := vectors(t)
	in := Input{Password: v["PRS"], Channel: v["CI"], Session: v["sid"]}
	same(t, "DSI", []byte(dsi), v["DSI"])
	same(t, "lv_cat", lvCat([]byte("1234"), []byte("5"), nil, []byte("678")), v["lv_cat"])
	same(t, "generator string", generatorString(in), v["generator_string"])
	same(t, "generator", generator(in).Bytes(), v["generator"])

	ya, msgA, err := share(in, v["ADa"], scalar(t, v["ya"]))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "message A", msgA, lvCat(v["Ya"], v["ADa"]))
	b, msgB, err := respond(in, v["ADb"], msgA, scalar(t, v["yb"]))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "message B", msgB, lvCat(v["Yb"], v["ADb"]))
	same(t, "transcript", append(bytes.Clone(msgA), msgB...), v["transcript_ir"])
	same(t, "K of A", scalarMultVfy(scalar(t, v["ya"]), v["Yb"]), v["K"])
	same(t, "K of B", scalarMultVfy(scalar(t, v["yb"]), v["Ya"]), v["K"])

	a, err := (&Initiator{scalar: ya, sid: in.Session, sent: msgA}).Finish(msgB)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tag of A", a.Tag(), v["Ta"])
	same(t, "tag of B", b.Tag(), v["Tb"])
	same(t, "data of A", b.Data(), v["ADa"])
	same(t, "data of B", a.Data(), v["ADb"])
	for _, side := range []struct {
		u   *Unconfirmed
		tag []byte
	}{{a, v["Tb"]}, {b, v["Ta"]}} {
		isk, err := side.u.Confirm(side.tag)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "ISK", isk, v["ISK_ir"])
	}
}

func TestPointsOfTheDraft(t *testing.T) {
	v := vectors(t)
	same(t, "s*X", scalarMultVfy(scalar(t, v["s"]), v["X"]), v["sX"])
	for _, name := range []string{"Y_i1", "Y_i2"} {
		if k := scalarMultVfy(scalar(t, v["s"]), v[name]); k != nil {
			t.Errorf("s*%s is %x, want the neutral element", name, k)
		}
	}
}

// Section 9: weak points go through a run of the protocol, on both sides.
func TestWeakPointsEndTheRun(t *testing.T) {
	v := vectors(t)
	in := Input{Password: []byte("x")}
	points := map[string][]byte{
		"no element":        v["Y_i1"],
		"neutral":           v["Y_i2"],
		"p, which is 0 too": append(append([]byte{0xed}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f),
		"negative":          append([]byte{1}, make([]byte, 31)...),
		"all ones":          bytes.Repeat([]byte{0xff}, 32),
	}
	for name, y := range points {
		msg := lvCat(y, []byte("data"))
		if _, _, err := Respond(in, nil, msg); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: Respond: %v", name, err)
		}
		i, _, err := Start(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.Finish(msg); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: Finish: %v", name, err)
		}
	}
}

// run plays a run and returns both keys.
func run(t *testing.T, a, b Input) (keyA, keyB []byte, errA, errB error) {
	t.Helper()
	i, msgA, err := Start(a, []byte("from A"))
	if err != nil {
		t.Fatal(err)
	}
	r, msgB, err := Respond(b, []byte("from B"), msgA)
	if err != nil {
		t.Fatal(err)
	}
	f, err := i.Finish(msgB)
	if err != nil {
		t.Fatal(err)
	}
	tagA, tagB := f.Tag(), r.Tag()
	keyA, errA = f.Confirm(tagB)
	keyB, errB = r.Confirm(tagA)
	return
}

func TestBothHaveTheKeyOnlyIfAllInputsAreTheSame(t *testing.T) {
	in := Input{Password: []byte("three small words"), Channel: []byte("7"), Session: []byte("s")}
	a, b, errA, errB := run(t, in, in)
	if errA != nil || errB != nil || !bytes.Equal(a, b) || len(a) != KeySize {
		t.Fatalf("%x %v, %x %v", a, errA, b, errB)
	}
	for name, other := range map[string]Input{
		"password": {[]byte("three small wards"), in.Channel, in.Session},
		"channel":  {in.Password, []byte("8"), in.Session},
		"session":  {in.Password, in.Channel, []byte("t")},
		"shifted":  {in.Password, []byte("7s"), nil},
	} {
		a, b, errA, errB := run(t, in, other)
		if !errors.Is(errA, ErrConfirm) || !errors.Is(errB, ErrConfirm) || a != nil || b != nil {
			t.Errorf("%s: %x %v, %x %v", name, a, errA, b, errB)
		}
	}
}

// What somebody in the middle changes shows in the tags, associated data too.
func TestChangedMessages(t *testing.T) {
	in := Input{Password: []byte("x")}
	i, msgA, _ := Start(in, []byte("alice"))
	r, msgB, err := Respond(in, []byte("bob"), lvCat(msgA[1:33], []byte("mallory")))
	if err != nil {
		t.Fatal(err)
	}
	a, err := i.Finish(msgB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Confirm(r.Tag()); !errors.Is(err, ErrConfirm) {
		t.Errorf("A: %v", err)
	}
	if a.Tag() != nil {
		t.Error("A would still send its tag")
	}
}

func TestAStateServesOneRun(t *testing.T) {
	in := Input{Password: []byte("x")}
	i, msgA, _ := Start(in, nil)
	r, msgB, _ := Respond(in, nil, msgA)
	if _, err := i.Finish([]byte("rubbish")); !errors.Is(err, ErrMessage) {
		t.Fatal(err)
	}
	if _, err := i.Finish(msgB); !errors.Is(err, ErrUsed) {
		t.Errorf("second Finish: %v", err)
	}
	if _, err := r.Confirm(nil); !errors.Is(err, ErrConfirm) {
		t.Errorf("first guess: %v", err)
	}
	if _, err := r.Confirm(make([]byte, TagSize)); !errors.Is(err, ErrUsed) {
		t.Errorf("second guess: %v", err)
	}
}

// A side whose own messages come back to it must not take itself for the other.
func TestReflection(t *testing.T) {
	in := Input{Password: []byte("x")}
	i, msgA, _ := Start(in, []byte("A"))
	if _, err := i.Finish(msgA); !errors.Is(err, ErrMessage) {
		t.Errorf("the whole message: %v", err)
	}
	i, msgA, _ = Start(in, []byte("A"))
	if _, err := i.Finish(lvCat(msgA[1:33], []byte("B"))); !errors.Is(err, ErrMessage) {
		t.Errorf("the share alone: %v", err)
	}
}

func TestBadUse(t *testing.T) {
	if _, _, err := Start(Input{}, nil); err == nil {
		t.Error("no password, no error")
	}
	if _, _, err := Start(Input{Password: []byte("x")}, make([]byte, MaxData+1)); err == nil {
		t.Error("too much data, no error")
	}
	i, msg, err := Start(Input{Password: []byte("x")}, make([]byte, MaxData))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Respond(Input{Password: []byte("x")}, nil, msg); err != nil {
		t.Errorf("as much data as may be: %v", err)
	}
	if zero := ristretto255.NewScalar(); i.scalar.Equal(zero) == 1 {
		t.Error("the scalar is zero")
	}
}

func FuzzMessage(f *testing.F) {
	in := Input{Password: []byte("x")}
	_, msg, err := Start(in, []byte("data"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Add(lvCat(make([]byte, ShareSize), nil))
	f.Add(append(bytes.Clone(msg[:33]), 0x84, 0x00, 'd', 'a', 't', 'a')) // a length longer than need be
	f.Add([]byte(rand.Text()))
	f.Fuzz(func(t *testing.T, msg []byte) {
		y, data, err := parse(msg)
		if err != nil {
			return
		}
		if !bytes.Equal(lvCat(y, data), msg) || len(y) != ShareSize || len(data) > MaxData {
			t.Fatalf("%x is taken for share %x and data %x", msg, y, data)
		}
		i, _, _ := Start(in, nil)
		if u, err := i.Finish(msg); err == nil {
			if _, err := u.Confirm(msg); err == nil {
				t.Fatal("confirmed by nobody")
			}
		}
	})
}
