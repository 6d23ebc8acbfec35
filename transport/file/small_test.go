//go:build unix

package file

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func TestSmallConformance(t *testing.T) {
	for name, h := range map[string]transporttest.Harness{
		"null": {Addresses: []string{"null", "null:"}, Bad: map[string]string{"null:x": "kind null takes no target"}},
		"text": {
			Addresses: []string{"text:hello", `literal:'a\n,b:\xff'`, `text:a\0b`, "text:", `text:a\b,escape=no`},
			Bad: map[string]string{
				`text:a\b`:   `\b stands for nothing: write \n \r \t \0 \\ or \xHH, or escape=no`,
				`text:a\x1`:  `\x needs two hexadecimal digits`,
				`text:a\xgg`: `\x needs two hexadecimal digits`,
				`text:a\x+1`: `\x needs two hexadecimal digits`,
			},
			Options: map[string]func(*testing.T){"escape": testTextEscape},
		},
		"zero":   {Addresses: []string{"zero:", "zero:1.5M"}, Bad: map[string]string{"zero:x": "must be a size such as 4096, 64k or 16M"}},
		"random": {Addresses: []string{"random:", "random:1k,seed=x"}, Options: map[string]func(*testing.T){"seed": testSeed}},
		"echo":   {Echo: true, Addresses: []string{"echo:", "mirror"}},
		"stall":  {Addresses: []string{"stall"}, NoNettest: "the end has no other side"},
	} {
		h.Kind = kindOf(t, name)
		h.Pair = func(t testing.TB) (a, b transport.Conn) {
			return dialed(t, h.Kind.New().(transport.Dialer)), nil
		}
		h.Endpoint = func(t testing.TB) transport.Endpoint { return h.Kind.New() }
		t.Run(name, func(t *testing.T) { transporttest.Run(t, h) })
	}
}

func FuzzTextBind(f *testing.F) { transporttest.Fuzz(f, kindOf(f, "text"), `text:\x41\n`, `text:\\\0`) }

// FuzzEscapes checks that every text is refused or can be sent, and that bytes
// survive being escaped.
func FuzzEscapes(f *testing.F) {
	for _, s := range []string{"", "a", `\`, `\n`, `\x`, `\x4`, `\x41`, `\\`, "\xff\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := (&Text{Text: text}).bytes(); err == nil && len(b) > len(text) {
			t.Errorf("%q becomes longer: %q", text, b)
		}
		escaped := ""
		for _, c := range []byte(text) {
			escaped += `\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])
		}
		if b, err := (&Text{Text: escaped}).bytes(); err != nil || string(b) != text {
			t.Errorf("%q becomes %q, error %v; want %q", escaped, b, err, text)
		}
	})
}

func TestNullDiscards(t *testing.T) {
	s := opened(t, "null")
	wantEnd(t, s)
	put(t, s, "gone")
	wantEnd(t, s)
}

// The address takes some backslashes itself: those before , : ' " and \.
func TestTextEscapes(t *testing.T) {
	for text, want := range map[string]string{
		"text:hello":           "hello",
		`text:hello\n`:         "hello\n",
		`text:'GET /\r\n\r\n'`: "GET /\r\n\r\n",
		`text:a\0b\x41\xfF`:    "a\x00bA\xff",
		`text:a\,b\:c`:         "a,b:c",
		`text:a\\\\n`:          `a\n`,
		`text:tab\there`:       "tab\there",
		"text:":                "",
	} {
		got, err := io.ReadAll(opened(t, text))
		if err != nil || string(got) != want {
			t.Errorf("%s reads %q, error %v; want %q", text, got, err, want)
		}
	}
}

func testTextEscape(t *testing.T) {
	if got, err := io.ReadAll(opened(t, `text:a\n,escape=no`)); err != nil || string(got) != `a\n` {
		t.Errorf("read %q, error %v", got, err)
	}
}

// The escapes are checked where they are used, too: a Go program calls no Validate.
func TestTextRefusesBadEscapes(t *testing.T) {
	for _, text := range []string{`a\`, `\q`, `\x`} {
		if _, err := (&Text{Text: text}).Dial(t.Context()); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: error %v, want transport.ErrUsage", text, err)
		}
	}
}

func testSeed(t *testing.T) {
	read := func(options string) []byte {
		got, err := io.ReadAll(opened(t, "random:10000"+options))
		if err != nil || len(got) != 10000 {
			t.Fatalf("%d bytes, error %v; want 10000", len(got), err)
		}
		return got
	}
	if !bytes.Equal(read(",seed=a"), read(",seed=a")) {
		t.Error("the same seed gives other bytes")
	}
	for _, other := range []string{",seed=b", "", ",seed=" + string(bytes.Repeat([]byte("a"), 40))} {
		if bytes.Equal(read(",seed=a"), read(other)) {
			t.Errorf("seed=a and %q give the same bytes", other)
		}
	}
	long := string(bytes.Repeat([]byte("x"), 32))
	if bytes.Equal(read(",seed="+long+"1"), read(",seed="+long+"2")) {
		t.Error("the seed counts only as far as its 32nd byte")
	}
}

func TestZeroHasItsSize(t *testing.T) {
	if got, err := io.ReadAll(opened(t, "zero:3k")); err != nil || !bytes.Equal(got, make([]byte, 3<<10)) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	s := opened(t, "zero:")
	if n, err := io.CopyN(io.Discard, s, 1<<20); err != nil {
		t.Errorf("without a size: the end after %d bytes, error %v", n, err)
	}
}

// An echo that nobody reads must not grow without bound.
func TestEchoIsBounded(t *testing.T) {
	s := opened(t, "echo:")
	taken := make(chan int, 1)
	go func() { n, _ := s.Write(make([]byte, 16<<20)); taken <- n }()
	wantRead(t, s, string(make([]byte, 1<<20)))
	s.Close()
	if n := <-taken; n < 1<<20 || n > 4<<20 {
		t.Errorf("%d bytes were taken while 1048576 were read", n)
	}
}
