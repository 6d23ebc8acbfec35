package irc

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// Only addresses of this computer alone are listened at.
func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"6667": "127.0.0.1:6667", "127.0.0.1:6667": "127.0.0.1:6667", "localhost:0": "127.0.0.1:0", "127.9.8.7:1": "127.9.8.7:1", "[::1]:6667": "[::1]:6667",
		"unix:/run/irc.sock": "unix:/run/irc.sock", "/run/irc.sock": "unix:/run/irc.sock",
	} {
		if a, err := ParseAddress(text); err != nil || a.String() != want {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", ":6667", "0.0.0.0:6667", "[::]:6667", "*:6667", "192.0.2.1:6667", "[fe80::1%lo]:1", "[::ffff:127.0.0.1]:1", "example.org:6667", "localhost.example.org:1",
		"127.0.0.1", "127.0.0.1:70000", "127.0.0.1:x", "unix:irc.sock", "unix:", "tcp:127.0.0.1:6667", "irc://127.0.0.1"} {
		if a, err := ParseAddress(text); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
}

func TestPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	first, err := OwnPassword(path)
	if err != nil || len(first) < 26 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := OwnPassword(path); err != nil || again != first {
		t.Errorf("%q, then %q, %v", first, again, err)
	}
	var all sync.WaitGroup
	quick, found := filepath.Join(t.TempDir(), "password"), make([]string, 8)
	for i := range found {
		all.Go(func() { found[i], _ = OwnPassword(quick) })
	}
	all.Wait()
	if slices.Sort(found); found[0] == "" || found[0] != found[7] {
		t.Errorf("made by many at once, it is %q", found)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	for text, want := range map[string]string{"one\ntwo\n": "one", "one\r\n": "one", " one ": " one ", "": "", "\n": "", "a\x00b\n": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadPassword(path); got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPassword(path); err == nil {
		t.Error("others can read it, and it is taken")
	}
}

// A file of another version, or that is broken, is an error and not forgotten.
func TestSeenBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSeen(path); err == nil {
		t.Error("it is read")
	}
	if err := os.WriteFile(path, []byte(`{"a":null,"b":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := OpenSeen(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxNamed {
		if err := x.got(string(rune('A'+i)), map[string]received{"r": {ID: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.clients) > maxNamed {
		t.Errorf("%d clients are remembered", len(x.clients))
	}
}
