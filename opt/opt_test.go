package opt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	wait   time.Duration
	on     bool
	nodely Switch
	n      int
	size   int64
	rate   int64
	mode   string
	names  []string
	secret Secret
}

func (e *sample) Bind(s *Set) {
	s.Duration(&e.wait, "wait", 5*time.Second, -1, "how long").Alias("w")
	s.Bool(&e.on, "on", "a switch")
	s.Switch(&e.nodely, "nodelay", true, "another")
	s.Int(&e.n, "n", 3, 1, 9, "a number")
	s.Size(&e.size, "size", 1<<16, "bytes")
	s.Rate(&e.rate, "rate", "bytes a second")
	s.Enum(&e.mode, "mode", "a word", "slow", "fast")
	s.Strings(&e.names, "name", "text", "names")
	s.Secret(&e.secret, "password", "a secret")
}

func TestSetFillsFields(t *testing.T) {
	var e sample
	var s Set
	e.Bind(&s)
	for _, o := range []struct {
		name, value string
		has         bool
	}{
		{"w", "1m30s", true}, {"on", "", false}, {"nodelay", "no", true}, {"n", "7", true}, {"size", "1.5k", true},
		{"rate", "1MB/s", true}, {"mode", "fast", true}, {"name", "a", true}, {"name", "b", true}, {"password", "pass:x", true},
	} {
		if err := s.Set(o.name, o.value, o.has); err != nil {
			t.Errorf("%s=%s: %v", o.name, o.value, err)
		}
	}
	want := sample{90 * time.Second, true, Off, 7, 1536, 1 << 20, "fast", []string{"a", "b"}, Plain("x")}
	if e.wait != want.wait || e.on != want.on || e.nodely != want.nodely || e.n != want.n || e.size != want.size ||
		e.rate != want.rate || e.mode != want.mode || len(e.names) != 2 || e.secret.Text() != "x" {
		t.Errorf("got %+v, want %+v", e, want)
	}
	if got := s.Lookup("wait").Value(); got != "1m30s" {
		t.Errorf("wait shows as %q", got)
	}
	if got := s.Lookup("password").Value(); got != "…" {
		t.Errorf("the secret shows as %q", got)
	}
}

func TestZeroValueMeansTheDefault(t *testing.T) {
	var e sample
	var s Set
	e.Bind(&s)
	for name, want := range map[string]string{"wait": "5s", "nodelay": "yes", "n": "3", "size": "64k", "mode": "slow", "on": ""} {
		d := s.Lookup(name)
		if d.Default != want || d.Value() != "" {
			t.Errorf("%s: default %q, value %q, want %q and none", name, d.Default, d.Value(), want)
		}
	}
	if err := s.Set("wait", "never", true); err != nil || e.wait != -1 {
		t.Errorf("wait=never is %v, %v, want -1", e.wait, err)
	}
}

func TestBadValues(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		has         bool
		want        string
	}{
		{"wait", "soon", true, "must be a duration"},
		{"wait", "-1s", true, "must be a duration"},
		{"wait", "", false, "needs a value"},
		{"on", "maybe", true, "yes or no"},
		{"n", "10", true, "from 1 to 9"},
		{"size", "12q", true, "must be a size"},
		{"size", "9999999T", true, "too large"},
		{"mode", "fats", true, "did you mean fast?"},
		{"password", "env:TENON_NO_SUCH_NAME", true, "no environment variable"},
		{"password", "@/nonexistent/file", true, "no such file"},
		{"password", "", true, "must not be empty"},
		{"password", "pass:", true, "must not be empty"},
		{"password", "@/dev/null", true, "must not be empty"},
		{"password", "  ", true, "must not be empty"},
		{"password", "pass:\t", true, "must not be empty"},
		{"password", "\x00\u00a0", true, "must not be empty"},
	} {
		var e sample
		var s Set
		e.Bind(&s)
		if err := s.Set(tt.name, tt.value, tt.has); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%s: %v, want %q", tt.name, tt.value, err, tt.want)
		}
	}
	var e sample
	var s Set
	e.Bind(&s)
	s.Set("n", "1", true)
	if err := s.Set("n", "2", true); err == nil || err.Error() != "is given twice" {
		t.Errorf("n twice: %v", err)
	}
	if err := s.Set("nn", "2", true); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

func TestSecretComesFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hunter2\r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TENON_TEST_SECRET", "swordfish")
	for text, want := range map[string]string{"@" + path: "hunter2", "env:TENON_TEST_SECRET": "swordfish", "pass:@x": "@x", "plain": "plain"} {
		if s, err := NewSecret(text, nil); s.Text() != want || err != nil {
			t.Errorf("NewSecret(%q) = %q, %v, want %q", text, s.Text(), err, want)
		}
		if got, err := ReadSecret(text); got != want || err != nil {
			t.Errorf("ReadSecret(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestSizesAreWrittenAsTheyAreRead(t *testing.T) {
	for _, n := range []int64{1, 1023, 1024, 1536, 65536, 1 << 20, 3 << 40, 1<<50 + 1} {
		if got, err := ParseSize(FormatSize(n)); got != n || err != nil {
			t.Errorf("%d is written %q and read %d, %v", n, FormatSize(n), got, err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"tcp", "tcp-listen", "udp", "unix", "exec", "keepalive", "reuseaddr"}
	for name, want := range map[string]string{
		"tpc": "tcp", "tcpp": "tcp", "tcp-lisen": "tcp-listen", "keepalvie": "keepalive", "reuse": "reuseaddr", "zzzzzz": "",
	} {
		got := Nearest(name, names, 1)
		if strings.Join(got, "") != want {
			t.Errorf("Nearest(%q) = %v, want %q", name, got, want)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("wait", "5s", true)
	f.Add("size", "1.5MiB", true)
	f.Add("rate", "1e300/s", true)
	f.Fuzz(func(t *testing.T, name, value string, has bool) {
		if strings.HasPrefix(value, "@") {
			return
		}
		var e sample
		var s Set
		e.Bind(&s)
		if s.Set(name, value, has) == nil && (e.wait < -1 || e.size < 0 || e.rate < 0 || e.n < 0 || e.n > 9) {
			t.Fatalf("%s=%q gives %+v", name, value, e)
		}
	})
}
