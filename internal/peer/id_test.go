package peer

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/ticket"
)

// key returns a key that is the same in every run.
func key(n byte) *Key { return KeyFromSeed([32]byte{n}) }

func TestIDTextAndBack(t *testing.T) {
	id := key(1).ID()
	text := id.String()
	if len(text) != 70 || !strings.HasPrefix(text, "tenonid1") {
		t.Errorf("%q", text)
	}
	for _, s := range []string{text, strings.ToUpper(text)} {
		if back, err := ParseID(s); err != nil || back != id {
			t.Errorf("%s: %v, %v", s, back, err)
		}
	}
	b, err := json.Marshal(map[ID]ID{id: id})
	if err != nil {
		t.Fatal(err)
	}
	var back map[ID]ID
	if err := json.Unmarshal(b, &back); err != nil || back[id] != id {
		t.Errorf("%s: %v, %v", b, back, err)
	}
	var none ID
	if err := none.UnmarshalText(nil); err != nil || !none.IsZero() || none.String() != "" || none.Short() != "nobody" {
		t.Errorf("the zero ID: %q, %q, %v", none, none.Short(), err)
	}
	if short := id.Short(); len(short) != 14 || !strings.HasPrefix(text[8:], strings.ReplaceAll(short, "-", "")) {
		t.Errorf("short for %s: %s", id, short)
	}
	if _, err := ParseID(id.Short()); !errors.Is(err, ErrID) {
		t.Errorf("the short form is taken for an ID: %v", err)
	}
}

func TestIDWithAMistakeSaysWhere(t *testing.T) {
	text := []byte(key(1).ID().String())
	text[20] ^= 1
	_, err := ParseID(string(text))
	var slip *ticket.SlipError
	if !errors.As(err, &slip) || slip.Pos != 20 {
		t.Errorf("%v", err)
	}
	ticketText, _ := ticket.Ticket{Kind: ticket.Contact, Version: ticket.Version}.Encode()
	if _, err := ParseID(ticketText); !errors.Is(err, ErrID) || !strings.Contains(err.Error(), "ticket") {
		t.Errorf("a ticket: %v", err)
	}
}

// Points of small order verify signatures that nobody made, and a point that is
// written in another way would be a second peer with the same key.
func TestKeysThatStandForNobody(t *testing.T) {
	for name, h := range map[string]string{
		"neutral":                  "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":                  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":                  "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, negative":        "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8":                  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, the second":      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"neutral, not canonical":   "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"neutral, with a sign":     "0100000000000000000000000000000000000000000000000000000000000080",
		"order 4, not canonical":   "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = p + 3, not canonical": "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"no point":                 "0200000000000000000000000000000000000000000000000000000000000000",
		"too short":                "26e8",
	} {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := NewID(b); !errors.Is(err, ErrID) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
}

func TestAKeyIsNowhereToBeSeen(t *testing.T) {
	seed := [32]byte(bytes.Repeat([]byte{0xa7}, 32))
	k := KeyFromSeed(seed)
	type holder struct {
		Public  *Key
		private *Key
		value   Key
	}
	h := holder{k, k, *k}
	var seen []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%U", "%p", "%T"} {
		for _, x := range []any{k, *k, h, &h, []*Key{k}, []Key{*k}, map[string]Key{"k": *k}, struct{ any }{k}} {
			seen = append(seen, fmt.Sprintf(verb, x))
		}
	}
	for _, x := range []any{k, *k, h, &h} {
		b, err := json.Marshal(x)
		if err == nil {
			t.Errorf("%T is written as JSON: %s", x, b)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "k", k, "v", *k, "h", h)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "k", k, "v", *k, "h", h)
	seen = append(seen, log.String())
	for _, s := range seen {
		for _, form := range []string{"a7a7a7", "A7A7A7", "167 167 167", "0xa7, 0xa7", "p6enp6", "\xa7\xa7\xa7", `\xa7\xa7\xa7`, "10100111 10100111"} {
			if strings.Contains(s, form) {
				t.Errorf("the key is in %s", s)
			}
		}
	}
	if got := fmt.Sprintf("%v", k); got != "key of "+k.ID().Short() {
		t.Errorf("a key is printed as %q", got)
	}
}

func TestSignaturesAreForOnePurpose(t *testing.T) {
	k, msg := key(1), []byte("message")
	sig := k.SignAs(ContextTicket, msg)
	if !k.ID().Verify(ContextTicket, msg, sig) {
		t.Error("not good for what it was made for")
	}
	if k.ID().Verify(ContextPairing, msg, sig) || k.ID().Verify(ContextTicket, []byte("Message"), sig) ||
		key(2).ID().Verify(ContextTicket, msg, sig) || (ID{}).Verify(ContextTicket, msg, sig) || k.ID().Verify(ContextTicket, msg, nil) {
		t.Error("good for something else")
	}
	public, ok := k.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatalf("%T", k.Public())
	}
	if ed25519.Verify(public, msg, sig) {
		t.Error("good without a context")
	}
	contexts := []Context{ContextPairing, ContextTicket, ContextRotation}
	for i, a := range contexts {
		for _, b := range contexts[i+1:] {
			if strings.HasPrefix(string(a.content(nil)), string(b.content(nil))) || a == b {
				t.Errorf("%q and %q", a, b)
			}
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(key(1).ID().String())
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseID(text); err == nil && id.String() != strings.ToLower(text) {
			t.Fatalf("%q is %s", text, id)
		}
	})
}
