package address

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text    string
		want    string // canonical
		layers  string
		kind    string
		target  string
		raw     string
		options string // name=value; ...
	}{
		{text: "-", want: "-", kind: "-"},
		{text: "-,crlf", want: "-,crlf", kind: "-", options: "crlf"},
		{text: "tcp:db:5432", kind: "tcp", target: "db:5432"},
		{text: "TCP:db:5432,KeepAlive=5s", want: "tcp:db:5432,keepalive=5s", kind: "tcp", target: "db:5432", options: "keepalive=5s"},
		{text: "tcp://db:5432", kind: "tcp", target: "db:5432"},
		{text: "TCP-LISTEN:8080,fork,reuseaddr", want: "tcp-listen:8080,fork,reuseaddr", kind: "tcp-listen", target: "8080", options: "fork; reuseaddr"},
		{text: "ws+tls+tcp:h:1", layers: "ws tls", kind: "tcp", target: "h:1"},
		{text: "unix:/run/a:b", kind: "unix", target: "/run/a:b"},
		{text: `unix:/run/a\,b`, want: `unix:/run/a\,b`, kind: "unix", target: "/run/a,b", raw: `/run/a\,b`},
		{text: `unix:'/run/a,b'`, kind: "unix", target: "/run/a,b"},
		{text: `file:C:\dir\x`, want: `file:'C:\dir\x'`, kind: "file", target: `C:\dir\x`},
		{text: `exec:grep -n "a,b"`, kind: "exec", target: "grep -n a,b", raw: `grep -n "a,b"`},
		{text: `exec:'echo hello, world'`, kind: "exec", target: "echo hello, world"},
		{text: `exec:sh -c "echo a:b"`, kind: "exec", target: "sh -c echo a:b", raw: `sh -c "echo a:b"`},
		{text: `text:"say \"hi\""`, want: `text:'say "hi"'`, kind: "text", target: `say "hi"`},
		{text: "null", want: "null:", kind: "null"},
		{text: "pty,link=/tmp/x", want: "pty:,link=/tmp/x", kind: "pty", options: "link=/tmp/x"},
		{text: `ws:h:1,header='X-A: b, c'`, kind: "ws", target: "h:1", options: "header=X-A: b, c"},
		{text: "tcp:h:1,so_rcvbuf=", want: "tcp:h:1,so-rcvbuf=", kind: "tcp", target: "h:1", options: "so-rcvbuf="},
	}
	for _, tt := range tests {
		a, err := Parse(tt.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.text, err)
			continue
		}
		want := tt.want
		if want == "" {
			want = tt.text
		}
		if got := a.String(); got != want {
			t.Errorf("Parse(%q).String() = %q, want %q", tt.text, got, want)
		}
		raw := tt.raw
		if raw == "" {
			raw = tt.target
		}
		if a.Kind.Name != tt.kind || a.Target.Text != tt.target || a.Target.Raw != raw {
			t.Errorf("Parse(%q) = kind %q, target %q, raw %q", tt.text, a.Kind.Name, a.Target.Text, a.Target.Raw)
		}
		var layers []string
		for _, l := range a.Layers {
			layers = append(layers, l.Name)
		}
		if got := strings.Join(layers, " "); got != tt.layers {
			t.Errorf("Parse(%q): layers %q, want %q", tt.text, got, tt.layers)
		}
		if got := optionText(a); got != tt.options {
			t.Errorf("Parse(%q): options %q, want %q", tt.text, got, tt.options)
		}
	}
}

func optionText(a Address) string {
	var out []string
	for _, o := range a.Options {
		if o.HasValue {
			out = append(out, o.Name+"="+o.Value)
		} else {
			out = append(out, o.Name)
		}
	}
	return strings.Join(out, "; ")
}

func TestMistakesArePointedAt(t *testing.T) {
	tests := []struct{ text, wrong, msg, hint string }{
		{"", "", "begins with a kind", ""},
		{"8080", "8080", "not a kind", "tcp-listen:8080 or fd:8080?"},
		{"/run/x", "/run/x", "not a kind", "file:/run/x or unix:/run/x"},
		{"example.org:80", "example.org", "not a kind", "tcp:example.org:80"},
		{"[::1]:80", "[", "not a kind", "tcp:[::1]:80"},
		{"tcp+:h:1", ":", "letters, digits", ""},
		{"t cp:h:1", "t cp", "letters, digits", ""},
		{"unix:'/run/x", "'/run/x", "never closed", `write \'`},
		{"tcp:h:1,", ",", "missing here", ""},
		{"sh:echo hello, world", " world", "not the name of an option", "inside quotes"},
		{"text:a\x00b", "\x00", "zero byte", ""},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Parse(%q) = %v, want an *Error", tt.text, err)
			continue
		}
		if !strings.Contains(e.Msg, tt.msg) {
			t.Errorf("Parse(%q): %q, want it to say %q", tt.text, e.Msg, tt.msg)
		}
		if tt.wrong != "" && e.Text[e.Pos:min(e.Pos+e.Len, len(e.Text))] != tt.wrong {
			t.Errorf("Parse(%q) points at %q, want %q", tt.text, e.Text[e.Pos:e.Pos+e.Len], tt.wrong)
		}
		if hints := strings.Join(e.Hints, "\n"); !strings.Contains(hints, tt.hint) {
			t.Errorf("Parse(%q): hints %q, want %q", tt.text, hints, tt.hint)
		}
	}
}

func TestCaretStandsUnderTheMistake(t *testing.T) {
	_, err := Parse("unix:/tmp/ä,fork,=x")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if got, want := e.Caret(), "unix:/tmp/ä,fork,=x\n                 ^"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		text string
		want Host
	}{
		{"db:5432", Host{Name: "db", Port: "5432"}},
		{"[::1]:80", Host{Name: "::1", Port: "80"}},
		{"[fe80::1%eth0]:80", Host{Name: "fe80::1%eth0", Port: "80"}},
		{"8080", Host{Port: "8080"}},
		{":8080", Host{Port: "8080"}},
		{"*:8080", Host{Name: "*", Port: "8080"}},
		{"h:http", Host{Name: "h", Port: "http"}},
		{"example.org/a/b?c=d", Host{Name: "example.org", Path: "/a/b?c=d"}},
		{"example.org:1?c", Host{Name: "example.org", Port: "1", Path: "?c"}},
		{"me:a%3Ab@h:1", Host{User: "me", Password: "a:b", HasPassword: true, Name: "h", Port: "1"}},
		{"", Host{}},
	}
	for _, tt := range tests {
		got, err := (Target{Text: tt.text}).Host()
		if err != nil || got != tt.want {
			t.Errorf("Host(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"h:99999":                   "out of range",
		"h:-1":                      "not a port",
		"127.0.0.1:1080:0.0.0.0:80": "more than one colon",
		"proxy:1080:h:80":           "more than one colon",
		"::1:80":                    "brackets: [::1]:80",
		"[::1:80":                   "never closed",
		"[::1]80":                   "colon and the port",
		"[db]:80":                   "brackets are for IPv6",
		"[1::2::3]:80":              "not an IPv6 address",
		"[fe80::1%]:80":             "not a zone",
		"[fe80::1%a b]:80":          "not a zone",
		"[fe80::1%" + strings.Repeat("a", 300) + "]:80": "not a zone",
		"a b:80":   "no spaces",
		"u%zz@h:1": "%-escape",
	} {
		if _, err := (Target{Text: text}).Host(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Host(%q): %v, want an error that says %q", text, err, want)
		}
	}
}

// A zone is part of an address: in a URL behind %25 (RFC 6874), else behind %.
func TestZones(t *testing.T) {
	for text, want := range map[string]string{ // "" is an error
		"ws://[fe80::1%25eth0]:80/x":   "fe80::1%eth0",
		"ws://[fe80::1%eth0]:80/x":     "fe80::1%eth0",
		"ws://[fe80::1%252]:80/":       "fe80::1%2",
		"ws://[fe80::1%2525]:80/":      "fe80::1%25",
		"ws://[fe80::1%25a%2Eb]:80/":   "fe80::1%a.b",
		"ws://u:p@[fe80::1%25e]:80/%2": "fe80::1%e",
		"tcp:[fe80::1%eth0]:80":        "fe80::1%eth0",
		"tcp:[fe80::1%25]:80":          "fe80::1%25", // the interface with the number 25
		"tcp:[fe80::1%251]:80":         "fe80::1%251",
		"ws://[fe80::1%25%00]:80/":     "",
		"ws://[fe80::1%25%zz]:80/":     "",
		"ws://[fe80::1%25a%5Db]:80/":   "",
		"tcp:[::1%\x1b[2J]:80":         "",
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		h, err := a.Target.Host()
		if (err == nil) != (want != "") || err == nil && h.Name != want {
			t.Errorf("%s: host %q, error %v; want %q", text, h.Name, err, want)
		}
		if again, err := Parse(a.String()); err != nil || a.String() != text {
			t.Errorf("%s is written %s, error %v", text, a, err)
		} else if same, _ := again.Target.Host(); want != "" && same != h {
			t.Errorf("%s, written and read again: %+v", text, same)
		}
		if err == nil {
			if plain, err := ParseHost(h.HostPort(), false); err != nil || plain.Name != h.Name {
				t.Errorf("%s: HostPort %s reads as %q, error %v", text, h.HostPort(), plain.Name, err)
			}
		}
	}
}

func TestParseLocal(t *testing.T) {
	for text, want := range map[string]Host{
		"10.0.0.1":           {Name: "10.0.0.1"},
		"10.0.0.1:5000":      {Name: "10.0.0.1", Port: "5000"},
		"::1":                {Name: "::1"},
		"[::1]":              {Name: "::1"},
		"[::1]:5000":         {Name: "::1", Port: "5000"},
		"::1:5000":           {Name: "::1:5000"}, // which is an address
		"fe80::1%eth0":       {Name: "fe80::1%eth0"},
		"[fe80::1%eth0]:ntp": {Name: "fe80::1%eth0", Port: "ntp"},
		"localhost":          {Name: "localhost"},
		"localhost:http":     {Name: "localhost", Port: "http"},
		":5000":              {Port: "5000"},
		"*":                  {Name: "*"},
		"*:5000":             {Name: "*", Port: "5000"},
	} {
		if got, err := ParseLocal(text); err != nil || got != want {
			t.Errorf("ParseLocal(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":             "must be",
		":":            "must be",
		"5000":         "written :5000",
		"localhost:":   "must be",
		"[::1]:":       "must be",
		"[::1":         "never closed",
		"::1:x":        "brackets",
		"h:99999":      "out of range",
		"a b:1":        "no spaces",
		"me@h:1":       "must be",
		"/run/x":       "must be",
		"fe80::1%a/b":  "must be",
		"[fe80::1%]:1": "not a zone",
	} {
		if got, err := ParseLocal(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseLocal(%q) = %+v, %v, want an error that says %q", text, got, err, want)
		}
	}
}

// Every form of an address is in the networks that the address is in.
func TestPrefixes(t *testing.T) {
	for _, c := range []struct{ networks, in, out string }{
		{"fe80::/10", "fe80::1 fe80::1%eth0 febf::1%2", "fec0::1 ::1 10.0.0.1"},
		{"10.0.0.0/8 192.0.2.7", "10.1.1.1 ::ffff:10.1.1.1 ::ffff:10.1.1.1%x 192.0.2.7", "11.0.0.1 192.0.2.8 ::10.1.1.1"},
		{"::ffff:10.0.0.0/104 ::ffff:1.2.3.4", "10.1.1.1 ::ffff:10.1.1.1 1.2.3.4", "11.0.0.1 1.2.3.5"},
		{"10.1.2.3/8", "10.9.9.9", "11.0.0.0"},
		{"10.0.0.0:255.0.0.0 [fd00::/8] [fe80::]/10 [::1]", "10.9.9.9 fd00::1 fe80::1%x ::1", "11.0.0.0 fe00::1 ::2"}, // as socat writes them
		{"::/0", "::1 fe80::1%eth0", "10.0.0.1 ::ffff:10.0.0.1"},
		{"0.0.0.0/0", "10.0.0.1 ::ffff:10.0.0.1", "::1"},
	} {
		var p Prefixes
		if err := p.UnmarshalText([]byte(c.networks)); err != nil {
			t.Fatal(err)
		}
		for want, addrs := range map[bool]string{true: c.in, false: c.out} {
			for _, text := range strings.Fields(addrs) {
				if got := p.Contain(netip.MustParseAddr(text)); got != want {
					t.Errorf("%s contain %s: %v", p, text, got)
				}
			}
		}
		var again Prefixes
		if err := again.UnmarshalText([]byte(p.String())); err != nil || !reflect.DeepEqual(again, p) {
			t.Errorf("%s reads as %s, error %v", p, again, err)
		}
	}
	for text, want := range map[string]string{
		"": "must be", "x": "must be", "10.0.0.0/33": "must be", "fe80::1%eth0": "zone", "fe80::%eth0/64": "zone", "::ffff:0:0/90": "larger",
		"10.0.0.0:255.0.255.0": "must be", "fd00:::255.0.0.0": "must be", "[::1": "must be", "[[::1]]": "must be",
	} {
		if err := new(Prefixes).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

func TestRedactedHidesSecrets(t *testing.T) {
	a, err := Parse("ws://me:hunter2@h:1/p,password=hunter2,user=me")
	if err != nil {
		t.Fatal(err)
	}
	got := a.Redacted(func(name, value string) string {
		if name == "password" {
			return "…"
		}
		return value
	})
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "user=me") {
		t.Errorf("Redacted = %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"-", "tcp:db:5432,keepalive=5s", `exec:grep -n "a,b",dir='/x y'`, "ws+tls+tcp:[::1]:8/p?q", `a:b\,c,d="e\"f"`, "A!!B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos < 0 || e.Pos > len(e.Text) || e.Len < 0 {
				t.Fatalf("Parse(%q): bad error %#v", text, err)
			}
			e.Caret()
			return
		}
		a.Target.Host()
		again, err := Parse(a.String())
		if err != nil {
			t.Fatalf("Parse(%q) = %q, which does not parse: %v", text, a.String(), err)
		}
		if again.Target.Text != a.Target.Text || again.Target.Raw != a.Target.Raw || optionText(again) != optionText(a) ||
			again.Kind.Name != a.Kind.Name || !reflect.DeepEqual(names(again), names(a)) {
			t.Fatalf("Parse(%q) = %+v\nits String %q parses as %+v", text, a, a.String(), again)
		}
	})
}

func names(a Address) (out []string) {
	for _, l := range a.Layers {
		out = append(out, l.Name)
	}
	return out
}
