package proxy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file of users that has changed counts at once, as a whole or not at all: what
// cannot be used leaves those in who were in it, and says so.
func TestUsersAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	write(t, file, "a:1\n")
	a := &Access{Users: file}
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	want := func(user, password string, ok bool, says string) {
		t.Helper()
		err := a.login(user, password)
		if (err == nil) != ok || err != nil && (!errors.Is(err, transport.ErrDenied) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s:%s: error %v, want allowed %v, saying %q", user, password, err, ok, says)
		}
	}
	want("a", "1", true, "")
	want("b", "2", false, "not known")
	write(t, file, "b:2\n") // of the same length
	want("a", "1", false, "not known")
	want("b", "2", true, "")
	for text, says := range map[string]string{
		"a:1\nb\n": "line 2 is not NAME:PASSWORD", "a:1\nb:\n": "line 2", "a:1\n:2\n": "line 2", "": "no line", "# nobody\n\n": "no line",
		strings.Repeat("#", maxUsers+1): "megabyte",
	} {
		write(t, file, text)
		want("a", "1", false, says)
		want("b", "2", true, "")
		if commit, err := a.Reload(); err == nil || commit != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: Reload: error %v, want one that says %q", text, err, says)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want("b", "2", true, "")
	if _, err := a.Reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Reload without the file: error %v", err)
	}
	write(t, file, "c:3\n")
	commit, err := a.Reload()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if len(a.known.Load().credentials) != 1 || a.known.Load().credentials[0] != credential("c", "3") {
		t.Error("commit has not put the new users in place")
	}
	if commit, err := new(Access).Reload(); err != nil || commit == nil {
		t.Errorf("Reload without a file: error %v", err)
	}
}

// What is empty opens no door.
func TestEmptySecretsAreRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, "")
	for option, e := range map[string]transport.Endpoint{
		"proxy-user=": new(SOCKSServer), "proxy-password=": new(SOCKSServer), "proxy-password=@" + empty: new(SOCKSServer), "users=": new(HTTPServer), "users=@": new(HTTPServer),
		"sockspass=": new(SOCKS5), "sockspass=pass:": new(SOCKS5), "proxyauth=": new(HTTPConnect), "proxyauth=u:": new(HTTPConnect), "proxyauth=:p": new(HTTPConnect), "proxyauth=@" + empty: new(HTTPConnect),
	} {
		var s opt.Set
		e.Bind(&s)
		name, value, _ := strings.Cut(option, "=")
		if err := s.Set(name, value, true); err == nil {
			t.Errorf("%s is taken", option)
		}
	}
	for _, text := range []string{"", "# nobody\n", "a:\n", ":1\n", "a: \n", " :1\n"} {
		write(t, empty, text)
		if err := (&Access{Users: empty}).Validate(); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("a file of users with %q: error %v, want transport.ErrUsage", text, err)
		}
	}
}

// What may hold a secret is never shown.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2"
	for option, e := range map[string]transport.Endpoint{
		"proxy-password=" + secret: new(SOCKSServer), "sockspass=" + secret: new(DialSOCKS), "proxyauth=u:" + secret: new(DialHTTP),
		"proxy-header=Authorization: Bearer " + secret: new(DialHTTP),
	} {
		var s opt.Set
		e.Bind(&s)
		name, value, _ := strings.Cut(option, "=")
		if err := s.Set(name, value, true); err != nil {
			t.Fatal(err)
		}
		if d := s.Lookup(name); !d.Secret || strings.Contains(d.Value(), secret) {
			t.Errorf("%s is shown as %q", name, d.Value())
		}
	}
}
