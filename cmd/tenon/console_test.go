package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// Nothing in this package writes to standard output or standard error but the
// console, so nothing goes around what makes lines harmless.
func TestOnlyTheConsoleWrites(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no sources: ", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || path == "console.go" {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			name := ""
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					name = x.Name + "." + n.Sel.Name
				}
			case *ast.CallExpr:
				if x, ok := n.Fun.(*ast.Ident); ok && (x.Name == "print" || x.Name == "println") {
					name = x.Name
				}
			}
			switch {
			case path == "main.go" && (name == "os.Stdout" || name == "os.Stderr"):
				// where the consoles are made
			case path == "image_windows.go" && (name == "os.Stdout" || name == "os.Stderr"):
				// handed on to this program's other image, which keeps to the same rule
			case strings.HasPrefix(name, "fmt.Print"), strings.HasPrefix(name, "fmt.Fprint"), strings.HasPrefix(name, "log.Print"),
				name == "io.WriteString", name == "os.Stdout", name == "os.Stderr", name == "syscall.Write", name == "unix.Write",
				name == "print", name == "println":
				t.Errorf("%s: %s goes around the console", fset.Position(n.Pos()), name)
			}
			return true
		})
	}
}

// hostile is what somebody would say to a terminal, to a log, and to whoever reads
// them.
var hostile = []string{
	"\x1b]0;title\x07\x1b[2J", "x\ntenon: all is well", "\r\x1b[Ktenon: listening", "a\u202egnp.exe", "\u0085\u009b31m",
	"\x00\x7f\xff\xfe", "\u2028\u2029\u200b\ufeff", "\U000e0001\U000e007f", "\\x1b \"quoted\" \\", "größer 日本 👍", "%s %d %!", "\"}\n{\"event\":\"up\"}",
}

// No event, error or hint has a control character, and none makes two lines of one,
// whatever the text in it.
func FuzzLines(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 3, 4)
	}
	f.Fuzz(func(t *testing.T, s string, pos, n int) {
		for _, asJSON := range []bool{false, true} {
			var buf bytes.Buffer
			p := &program{stdout: newConsole(&buf), stderr: newConsole(&buf), json: asJSON}
			want := sayAll(p, s, pos, n)
			checkLines(t, buf.String(), want, asJSON)
		}
	})
}

// sayAll says everything that the program can say, with s wherever somebody else
// may have put a word in, and returns how many lines that is.
func sayAll(p *program, s string, pos, n int) (lines int) {
	c := &call{global: globalFlags{json: p.json, verbose: true}}
	o := &output{p: p, c: c}
	err := transport.WithHint(fmt.Errorf("dial %s: %w", s, errors.Join(errors.New(s), errors.New(s))), s)
	addr := strangeAddr(s)
	for _, e := range []tenon.Event{
		{Type: tenon.Listening, Addr: addr, Text: s}, {Type: tenon.Listening, Addr: addr},
		{Type: tenon.Notice, End: s, Text: s}, {Type: tenon.Down, End: s, Text: s, Err: err}, {Type: tenon.Up, End: s, Text: s},
		{Type: tenon.Refused, End: s, Addr: addr, Err: err},
		{Type: tenon.Opened, Joint: 1, End: s, Other: s, Addr: addr, Text: s},
		{Type: tenon.Closed, Joint: 1, End: s, Other: s, Result: new(join.Result), Err: err},
	} {
		o.event(e)
		lines++
	}
	member, _ := mem.Pair()
	defer member.Close()
	for _, change := range []join.Change{join.Joined, join.Left, join.Dropped, join.Skipped, join.Refused} {
		e := join.BrokerEvent{Change: change, Name: s, Conn: named{member, addr}, Err: err}
		o.event(tenon.Event{Type: tenon.Notice, End: s, Text: brokerText(e, true), Err: e.Err})
		lines++
	}
	p.exit(err)
	p.exit(usageError(s, s))
	p.exit(&tenon.Error{Op: "dial", End: s, Err: &net.DNSError{Err: s, Name: s, IsNotFound: true}})
	lines += 3
	if !p.json {
		if s != "" {
			lines += 2 // hints
		}
		lines++ // of the name
		at := &address.Error{Text: s, Pos: pos & 0xff, Len: n & 0xff, Msg: s, Hints: []string{s}}
		printError(p.stderr, at)
		lines += 2
		if _, mark := caret(at); mark != "" {
			lines += 2
		}
	}
	fmt.Fprintf(p.stderr.lines(), "%s", "a dump\nof two lines\n")
	if !p.json {
		lines += 2
	}
	return lines
}

// checkLines checks that text is so many lines, and that none does anything but
// show itself. Lines of JSON are looked into.
func checkLines(t *testing.T, text string, want int, asJSON bool) {
	t.Helper()
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] != "" {
		t.Errorf("the last line has no end: %q", lines[len(lines)-1])
	}
	lines = lines[:len(lines)-1]
	got := 0
	for _, line := range lines {
		line = strings.TrimSuffix(line, "\n")
		checkHarmless(t, line)
		if asJSON && !strings.HasPrefix(line, "{") {
			continue // the dump
		}
		got++
		if asJSON {
			var v any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			walkStrings(v, func(s string) { checkHarmless(t, s) })
		}
	}
	if got != want {
		t.Errorf("%d lines, want %d:\n%s", got, want, text)
	}
}

func checkHarmless(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Fatalf("%q has %U", s, r)
		}
	}
}

func walkStrings(v any, visit func(string)) {
	switch v := v.(type) {
	case string:
		visit(v)
	case []any:
		for _, e := range v {
			walkStrings(e, visit)
		}
	case map[string]any:
		for k, e := range v {
			visit(k)
			walkStrings(e, visit)
		}
	}
}

type strangeAddr string

func (strangeAddr) Network() string  { return "strange" }
func (a strangeAddr) String() string { return string(a) }

// named is a Conn whose other side has chosen its own name.
type named struct {
	transport.Stream
	addr net.Addr
}

func (n named) RemoteAddr() net.Addr { return n.addr }

// The caret stands under the mistake, however the text before it is shown.
func TestCaret(t *testing.T) {
	for _, c := range []struct{ text, wrong, line, mark string }{
		{"tpc:db:1", "tpc", "tpc:db:1", "^^^"},
		{"file:größe,xyz", "xyz", "file:größe,xyz", "           ^^^"},
		{"file:\x1b[2J,xyz", "xyz", `file:\x1b[2J,xyz`, "             ^^^"},
		{"file:日本,xyz", "xyz", "file:日本,xyz", "          ^^^"},
		{"file:a\u0301,xyz", "xyz", "file:a\u0301,xyz", "       ^^^"},
		{"file:\u202e,x\ny", "x\ny", `file:\u202e,x\ny`, "            ^^^^"},
	} {
		line, mark := caret(&address.Error{Text: c.text, Pos: strings.Index(c.text, c.wrong), Len: len(c.wrong)})
		if line != c.line || mark != c.mark {
			t.Errorf("%q:\n%s\n%s, want\n%s\n%s", c.text, line, mark, c.line, c.mark)
		}
	}
}

// The live line makes way for others and comes back.
func TestLiveLine(t *testing.T) {
	var buf bytes.Buffer
	c := newConsole(&buf)
	c.draw("1 open\x1b[2J")
	c.line("tenon: refused")
	c.draw("2 open")
	c.draw("3 open")
	c.clear()
	c.clear()
	const erase = "\r\x1b[K"
	if got, want := buf.String(), `1 open\x1b[2J`+erase+"tenon: refused\n2 open"+erase+"3 open"+erase; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Joined errors are one line, told apart from a peer that says "\n".
func TestOneLine(t *testing.T) {
	a, b := errors.New("a\nb"), errors.New("c")
	for want, err := range map[string]error{
		"a\nb":       a,
		"a\nb; c":    errors.Join(a, b),
		"x: a\nb\nc": fmt.Errorf("x: %w", errors.Join(a, b)),
		"a\nb; c; c": errors.Join(errors.Join(a, b), b),
		"c: c":       fmt.Errorf("%w: %w", b, b),
	} {
		if got := oneLine(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
