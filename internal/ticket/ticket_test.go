package ticket

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/tickets.txt")

// golden are the tickets of testdata/tickets.txt.
func golden() []Ticket {
	return []Ticket{
		{Service, Version, []Field{
			{Issuer, some(1, 32)}, {Serial, some(2, 16)}, {Name, []byte("db")},
			NumberField(NotAfter, 1_900_000_000), NumberField(Uses, 1),
			{Address, []byte("192.0.2.1:4001")}, {Address, []byte("[2001:db8::1]:4001")},
			{Called, []byte("alice")}, {Signature, some(3, 64)},
		}},
		{Share, Version, []Field{{Root, some(4, 32)}, {Secret, some(5, 32)}}},
		{Room, Version, []Field{{Name, []byte("café")}, {Secret, some(6, 32)}}},
		{Contact, Version, []Field{{Issuer, some(7, 32)}}},
		{Relay, Version, []Field{{Issuer, some(8, 32)}, {Address, []byte("relay.example:443")}, {101, []byte("of the future")}}},
		{Contact, Version, nil},
	}
}

// describe writes a ticket in the form of testdata/tickets.txt.
func describe(t Ticket) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kind %d %v\nversion %d\n", byte(t.Kind), t.Kind, t.Version)
	for _, f := range t.Fields {
		fmt.Fprintf(&b, "field %d %v %s\n", byte(f.Type), f.Type, hex.EncodeToString(f.Value))
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	const path = "testdata/tickets.txt"
	if *update {
		b := []byte("# Tickets and what is in them: docs/protocol/ticket.md. Values are in hexadecimal.\n")
		for _, ticket := range golden() {
			text, err := ticket.Encode()
			if err != nil {
				t.Fatal(err)
			}
			b = fmt.Appendf(b, "\n%s\n%s", text, describe(ticket))
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n\n")[1:]
	if len(blocks) != len(golden()) {
		t.Fatalf("%d tickets in the file, %d in the test", len(blocks), len(golden()))
	}
	for i, want := range golden() {
		text, rest, _ := strings.Cut(blocks[i], "\n")
		got, err := Decode(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if describe(got) != strings.TrimSuffix(rest, "\n")+"\n" {
			t.Errorf("%s is\n%s, want\n%s", text, describe(got), rest)
		}
		if again, err := want.Encode(); err != nil || again != text {
			t.Errorf("%v is written\n%s, want\n%s (%v)", want, again, text, err)
		}
	}
}

func TestDecodeTakesWhatPeoplePaste(t *testing.T) {
	text, err := golden()[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text, strings.ToUpper(text), " " + text + "\n"} {
		if got, err := Decode(s, Service); err != nil || !reflect.DeepEqual(got, golden()[0]) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
		if !Is(strings.TrimSpace(s)) {
			t.Errorf("%q is not taken for a ticket", s)
		}
	}
}

func TestWrongKindSaysWhatItIsAndWhatToType(t *testing.T) {
	text, _ := golden()[1].Encode()
	_, err := Decode(text, Service, Contact)
	var kind *KindError
	if !errors.As(err, &kind) || kind.Got != Share {
		t.Fatal(err)
	}
	if got, want := err.Error(), "this is the ticket of a share, not of a service or a contact"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := kind.Hint(), "for a share: tenon get TICKET"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for k := range kinds {
		if k.Use() == "" || k.String() == "" {
			t.Errorf("%d: nothing to type", k)
		}
	}
}

func TestSlipsAreToldInWords(t *testing.T) {
	text, _ := golden()[3].Encode()
	wrong := []byte(text)
	wrong[20] = alphabet[(strings.IndexByte(alphabet, wrong[20])+1)%32]
	_, err := Decode(string(wrong))
	want := fmt.Sprintf("the ticket has a mistake: character 21 is wrong: %q should be %q", wrong[20:21], text[20:21])
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := Decode("alice"); !errors.Is(err, ErrNotTicket) {
		t.Errorf("a name: %v", err)
	}
}

func TestWhatIsNotUnderstood(t *testing.T) {
	raw := func(b ...byte) []byte {
		for len(b)%5 > 2 {
			b = append(b, 0)
		}
		return b
	}
	for name, c := range map[string]struct {
		payload []byte
		want    error
	}{
		"new kind":           {raw(77, 1), ErrNewer},
		"new version":        {raw(1, 2), ErrNewer},
		"new critical field": {raw(1, 1, 100, 0), ErrNewer},
		"new other field":    {raw(1, 1, 101, 1, 'x'), nil},
		"such fields twice":  {raw(1, 1, 101, 0, 101, 0), nil},
		"disorder":           {raw(1, 1, 101, 0, 99, 0), ErrContent},
		"twice":              {raw(1, 1, 14, 0, 14, 0), ErrContent},
		"wrong size":         {raw(1, 1, 14, 1, 0), ErrContent},
		"length too long":    {raw(1, 1, 101, 0x81, 0x00, 'x'), ErrContent},
		"number too long":    {raw(1, 1, 10, 2, 0, 1), ErrContent},
		"cut":                {raw(1, 1, 101, 9, 'x'), ErrContent},
		"cut in the length":  {raw(1, 1, 101, 0x80), ErrContent},
		"huge":               {raw(1, 1, 101, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), ErrContent},
		"overflow":           {raw(1, 1, 101, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), ErrContent},
		"more zeros":         {append(raw(1, 1, 101, 0), 0, 0, 0, 0, 0), ErrContent},
		"after the end":      {raw(1, 1, 0, 101, 0), ErrContent},
		"no text":            {raw(1, 1, 6, 2, 'a', '\n'), ErrContent},
		"nothing":            {nil, ErrContent},
		"one byte":           {[]byte{1}, ErrContent},
	} {
		_, err := Decode(EncodeText(Prefix, c.payload))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	many := []byte{1, 1}
	for range MaxFields + 1 {
		many = append(many, 101, 0)
	}
	if _, err := Decode(EncodeText(Prefix, raw(many...))); !errors.Is(err, ErrContent) {
		t.Errorf("too many fields: %v", err)
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, ticket := range map[string]Ticket{
		"no kind":     {Version: Version},
		"no type":     {Contact, Version, []Field{{0, nil}}},
		"bad value":   {Contact, Version, []Field{{Issuer, []byte("short")}}},
		"long value":  {Contact, Version, []Field{{101, make([]byte, MaxValue+1)}}},
		"long ticket": {Contact, Version, []Field{{101, make([]byte, MaxValue)}, {101, make([]byte, MaxValue)}, {101, make([]byte, MaxValue)}}},
	} {
		if text, err := ticket.Encode(); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
	in := Ticket{Contact, Version, []Field{{103, nil}, {101, nil}}}
	if _, err := in.Encode(); err != nil || in.Fields[0].Type != 103 {
		t.Errorf("the caller's fields were sorted: %v, %v", in.Fields, err)
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, 255, 256, 1 << 40, 1<<64 - 1} {
		ticket := Ticket{Contact, Version, []Field{NumberField(Uses, n)}}
		if got, ok := ticket.Number(Uses); !ok || got != n {
			t.Errorf("%d comes back as %d, %v", n, got, ok)
		}
	}
	if _, ok := (Ticket{}).Number(Uses); ok {
		t.Error("a number that is not there")
	}
}

func FuzzTicket(f *testing.F) {
	for _, ticket := range golden() {
		f.Add(ticket.payload())
	}
	f.Add([]byte{1, 1, 101, 0x81, 0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		ticket, err := parse(payload)
		if err != nil {
			return
		}
		text, err := ticket.Encode()
		if err != nil {
			if len(EncodeText(Prefix, ticket.payload())) > MaxText {
				return // nothing that Decode would be given
			}
			t.Fatalf("%x: %v", payload, err)
		}
		again, err := Decode(text)
		if err != nil || !reflect.DeepEqual(again, ticket) || !bytes.Equal(again.payload(), payload) {
			t.Fatalf("%x comes back as %x (%v)", payload, again.payload(), err)
		}
		for _, f := range ticket.Fields {
			ticket.Get(f.Type)
			ticket.Number(f.Type)
		}
	})
}
