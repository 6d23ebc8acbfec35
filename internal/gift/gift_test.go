package gift

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// A tape is a Conn that plays what the other side says and records what this one
// does. Files are marks between the bytes.
type tape struct {
	in     []byte
	marks  map[int]bool // which bytes of in bring a file
	at     int
	out    strings.Builder
	opened []*os.File
}

// play reads a tape from a file of hexadecimal bytes.
func play(t testing.TB, name string) *tape {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &tape{marks: map[int]bool{}}
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		for word := range strings.FieldsSeq(line) {
			if word == "FD" {
				p.marks[len(p.in)] = true
				word = "00"
			}
			b, err := hex.DecodeString(word)
			if err != nil {
				t.Fatal(err)
			}
			p.in = append(p.in, b...)
		}
	}
	return p
}

// text is the tape in the form that out has.
func (p *tape) text() string {
	var b strings.Builder
	for i, c := range p.in {
		if p.marks[i] {
			b.WriteString("FD")
			continue
		}
		b.WriteString(hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

func (p *tape) Read(b []byte) (int, error) {
	if p.at == len(p.in) {
		return 0, io.EOF
	}
	n := copy(b, p.in[p.at:])
	p.at += n
	return n, nil
}

func (p *tape) Write(b []byte) (int, error) {
	p.out.WriteString(hex.EncodeToString(b))
	return len(b), nil
}

func (p *tape) SendFile(*os.File) error {
	p.out.WriteString("FD")
	return nil
}

var errMark = errors.New("no file came")

func (p *tape) ReceiveFile() (*os.File, error) {
	if p.at == len(p.in) {
		return nil, io.EOF
	}
	p.at++
	if p.marks != nil && !p.marks[p.at-1] {
		return nil, errMark
	}
	f, err := os.Open(os.DevNull)
	p.opened = append(p.opened, f)
	return f, err
}

// closed checks that no file is left open.
func (p *tape) closed(t *testing.T) {
	t.Helper()
	for i, f := range p.opened {
		if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("file %d is left open", i)
		}
	}
}

func TestVectors(t *testing.T) {
	two := play(t, "two")
	giver := &tape{in: []byte{1}}
	if err := Give(giver, []Gift{{Name: "web", What: "tcp-listen:8080"}, {Name: "x"}}); err != nil {
		t.Fatal(err)
	}
	if got := giver.out.String(); got != two.text() {
		t.Errorf("gave    %s\nwant %s", got, two.text())
	}
	gifts, err := Receive(two)
	if err != nil || len(gifts) != 2 || gifts[0].Name != "web" || gifts[0].What != "tcp-listen:8080" || gifts[1].Name != "x" || gifts[1].What != "" {
		t.Errorf("received %+v, %v", gifts, err)
	}
	Close(gifts)
	two.closed(t)
	if err := Accept(two); err != nil || two.out.String() != "01" {
		t.Errorf("accepted with %s, %v", two.out.String(), err)
	}

	denied := play(t, "denied")
	var refused tape
	if err := Refuse(&refused, transport.Mark(errors.New("no"), transport.ErrDenied)); err != nil || refused.out.String() != denied.text() {
		t.Errorf("refused with %s, %v; want %s", refused.out.String(), err, denied.text())
	}
	if _, err := Receive(denied); !errors.Is(err, transport.ErrDenied) || err.Error() != "no" {
		t.Errorf("refused: %v", err)
	}
}

// Any tape that ends too early, or says something else, is an error that leaves
// nothing open.
func TestReceiveHostile(t *testing.T) {
	whole := play(t, "two")
	for n := range whole.in {
		p := &tape{in: whole.in[:n], marks: whole.marks}
		if gifts, err := Receive(p); err != io.ErrUnexpectedEOF {
			t.Errorf("after %d bytes: %v, %v", n, gifts, err)
		}
		p.closed(t)
	}
	change := func(at int, to ...byte) []byte {
		in := bytes.Clone(whole.in)
		copy(in[at:], to)
		return in
	}
	for name, in := range map[string][]byte{
		"other magic":       change(0, 'X'),
		"other version":     change(8, 2),
		"other answer":      change(9, 3),
		"no files":          change(10, 0, 0),
		"too many files":    change(10, 0, 65),
		"long reason":       change(9, 2, 4, 1),
		"no name":           change(12, 0),
		"colon in a name":   change(13, ':'),
		"space in a name":   change(13, ' '),
		"long text":         change(16, 4, 1),
		"escape in a text":  change(18, 0x1b),
		"a text not UTF-8":  change(18, 0xff),
		"an escape in why":  append(change(9, 2, 0, 1)[:12], 0x1b),
		"reversal of text":  change(18, 0xe2, 0x80, 0xae),
		"no file where one": change(9, 0, 0, 2),
	} {
		p := &tape{in: in, marks: whole.marks}
		if name == "no file where one" {
			p.marks = map[int]bool{}
		}
		gifts, err := Receive(p)
		if err == nil || !errors.Is(err, errProtocol) && !errors.Is(err, errMark) {
			t.Errorf("%s: %v, %v", name, gifts, err)
		}
		if errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: %v is no mistake of the user's", name, err)
		}
		p.closed(t)
	}
}

func TestGiveWithoutTaker(t *testing.T) {
	g := []Gift{{Name: "x"}}
	if err := Give(&tape{}, g); err != io.ErrUnexpectedEOF {
		t.Errorf("nobody answers: %v", err)
	}
	if err := Give(&tape{in: []byte{0}}, g); !errors.Is(err, errProtocol) {
		t.Errorf("another answer: %v", err)
	}
	for _, bad := range [][]Gift{nil, make([]Gift, Max+1), {{Name: ""}}, {{Name: "a:b"}}, {{Name: strings.Repeat("x", MaxName+1)}}} {
		var p tape
		if err := Give(&p, bad); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%d gifts: %v; want a usage error", len(bad), err)
		}
	}
}

// What is said about a file or an error is cut and cleaned, never refused.
func TestTextsAreMadePlain(t *testing.T) {
	p := &tape{}
	Refuse(p, errors.New("a\nb\x1b[31m\xff"+strings.Repeat("é", MaxText)))
	in, err := hex.DecodeString(p.out.String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Receive(&tape{in: in})
	if err == nil || !strings.HasPrefix(err.Error(), "a b [31m?éé") || len(err.Error()) > MaxText {
		t.Errorf("%.40q, %d bytes", err, len(err.Error()))
	}
}

func FuzzReceive(f *testing.F) {
	for _, name := range []string{"two", "denied"} {
		f.Add(play(f, name).in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := &tape{in: in}
		gifts, err := Receive(p)
		if err != nil {
			p.closed(t)
			return
		}
		if len(gifts) == 0 || len(gifts) > Max {
			t.Errorf("%d gifts", len(gifts))
		}
		again := &tape{in: []byte{1}}
		if err := Give(again, gifts); err != nil {
			t.Errorf("what was received can't be given: %v", err)
		}
		if got := strings.ReplaceAll(again.out.String(), "FD", ""); len(got)/2 != p.at-len(gifts) {
			t.Errorf("read %d bytes, and wrote %d", p.at-len(gifts), len(got)/2)
		}
		Close(gifts)
	})
}
