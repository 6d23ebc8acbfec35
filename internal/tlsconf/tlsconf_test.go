package tlsconf

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

func selfSigned(t testing.TB) (*SelfSigned, *x509.Certificate) {
	t.Helper()
	s := new(SelfSigned)
	c, err := s.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return s, c.Leaf
}

func TestPinIsOfThePublicKey(t *testing.T) {
	_, leaf := selfSigned(t)
	der, err := x509.MarshalPKIXPublicKey(leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	b64 := base64.StdEncoding.EncodeToString(sum[:])
	if got := Pin(leaf); got != "sha256:"+b64 {
		t.Errorf("Pin is %s, want that of %x", got, sum)
	}
	hx := hex.EncodeToString(sum[:])
	var colons []string
	for i := 0; i < len(hx); i += 2 {
		colons = append(colons, hx[i:i+2])
	}
	for _, text := range []string{"sha256:" + b64, "sha256//" + b64, "sha256:" + strings.TrimRight(b64, "="),
		"sha256:" + base64.URLEncoding.EncodeToString(sum[:]), "sha256:" + hx, "sha256:" + strings.ToUpper(hx), "sha256:" + strings.Join(colons, ":")} {
		if got, err := ParsePin(text); err != nil || string(got) != string(sum[:]) {
			t.Errorf("ParsePin(%q): %x, %v", text, got, err)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("sha256:" + strings.Repeat("00", 32))
	f.Add("sha256//AAAA=")
	f.Fuzz(func(t *testing.T, text string) {
		if sum, err := ParsePin(text); err == nil && len(sum) != sha256.Size {
			t.Errorf("%q is a pin of %d bytes", text, len(sum))
		}
	})
}

func TestSelfSigned(t *testing.T) {
	s, leaf := selfSigned(t)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	again, err := s.Certificate()
	if err != nil || again.Leaf != leaf {
		t.Errorf("the second certificate is another: %v", err)
	}
	s.cert.Leaf.NotAfter = s.cert.Leaf.NotBefore // its time is over
	renewed, err := s.Certificate()
	if err != nil || renewed.Leaf == leaf || Pin(renewed.Leaf) != Pin(leaf) {
		t.Errorf("a renewed certificate has another pin or is the old one: %v", err)
	}
	if _, other := selfSigned(t); Pin(other) == Pin(leaf) {
		t.Error("two listeners have the same key")
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty := file("empty", "")
	locked := file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, ""},
		{Options{Cert: empty}, "key="},
		{Options{Cert: empty, Key: locked}, "encrypted"},
		{Options{Cert: empty, Key: "/no"}, "key=: open /no"},
		{Options{ALPN: []string{strings.Repeat("x", 256)}}, "alpn="},
		{Options{Min: "1.1"}, "min="},
	} {
		err := c.o.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
		if err != nil && !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%v is not transport.ErrUsage", err)
		}
	}
}

func TestBindings(t *testing.T) {
	for name, c := range map[string]struct {
		bind     func(*Options, *opt.Set)
		has, not []string
	}{
		"client": {(*Options).BindClient, []string{"ca", "sni", "insecure"}, []string{"client-auth", "min", "ignore-unexpected-eof"}},
		"server": {(*Options).BindServer, []string{"ca", "client-auth"}, []string{"sni", "insecure", "min", "ignore-unexpected-eof"}},
		"both":   {(*Options).Bind, []string{"cafile", "commonname", "client-auth", "verify", "min"}, []string{"max"}},
	} {
		var s opt.Set
		c.bind(new(Options), &s)
		for _, n := range c.has {
			if s.Lookup(n) == nil {
				t.Errorf("%s: %s is not bound", name, n)
			}
		}
		for _, n := range c.not {
			if s.Lookup(n) != nil {
				t.Errorf("%s: %s is bound", name, n)
			}
		}
	}
}
