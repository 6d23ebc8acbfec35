package tlslayer_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/tlslayer"
	"github.com/tenon-net/tenon/transport/transporttest"
)

var bad = map[string]string{
	"tls:h:1,ca=/no.pem":          "ca=: open /no.pem: no such file or directory",
	"tls:h:1,ca=/dev/null":        "ca=: there is no certificate in /dev/null",
	"tls:h:1,cert=/no.pem":        "cert=: open /no.pem: no such file or directory",
	"tls:h:1,key=/no.pem":         "key= needs cert=",
	"tls:h:1,pin=sha1:00":         "pin= is written sha256:HASH",
	"tls:h:1,pin=sha256:00":       "pin= needs a SHA-256 in 64 hexadecimal digits or 44 letters of base64",
	"tls:h:1,verify=maybe":        "verify: must be yes or no",
	"tls:h:1,ca=":                 "ca: must not be empty",
	"tls:h:1,cert=":               "cert: must not be empty",
	"tls:h:1,cert=c,key=":         "key: must not be empty",
	"tls:h:1,pin=":                "pin: must not be empty",
	"tls:h:1,sni=":                "sni: must not be empty",
	"tls:h:1,commonname=":         "commonname: must not be empty",
	"tls:h:1,alpn=":               "alpn: must not be empty",
	"tls:h:1,alpn=', '":           "alpn: must not be empty",
	"tls:h:1,keylog=":             "keylog: must not be empty",
	"tls:h:1,min=1.3,tls-max=1.2": "min= is newer than max-version=",
}

// A try is a handshake between two ends described by options, over the host
// localhost, and one byte each way.
type try struct {
	client, server *tls.ConnectionState
	peer           string // who the client proved to be
	cerr, serr     error
}

func layer(t testing.TB, options string) *tlslayer.Layer {
	t.Helper()
	e, err := transporttest.Fill(tlslayer.Kinds()[0], "tls:localhost:1"+options)
	if err != nil {
		t.Fatal(err)
	}
	return e.(*tlslayer.Layer)
}

func handshake(t testing.TB, clientOptions, serverOptions string) try {
	t.Helper()
	return handshakeOf(t, layer(t, clientOptions), layer(t, serverOptions))
}

// handshakeOf has the server say a byte as soon as it is through, and the client
// wait for it: in TLS 1.3 a refusal arrives there.
func handshakeOf(t testing.TB, client, server *tlslayer.Layer) (r try) {
	t.Helper()
	a, b := mem.Pair()
	ctx, cancel := context.WithTimeout(t.Context(), transporttest.Patience)
	defer cancel()
	served := make(chan struct{})
	go func() {
		defer close(served)
		var s transport.Conn
		if s, r.serr = server.Wrap(ctx, b, transport.Accepted); r.serr == nil {
			defer s.Close()
			r.server, r.peer = s.Info().TLS, s.Info().Peer
			s.(transport.Stream).Write([]byte("x"))
		}
	}()
	var c transport.Conn
	if c, r.cerr = client.Wrap(ctx, a, transport.Dialed); r.cerr == nil {
		r.client = c.Info().TLS
		_, r.cerr = io.ReadFull(c.(transport.Stream), make([]byte, 1))
		c.Close()
	}
	<-served
	return r
}

func (r try) mustWork(t testing.TB) try {
	t.Helper()
	if r.cerr != nil || r.serr != nil {
		t.Fatalf("client: %v, server: %v", r.cerr, r.serr)
	}
	return r
}

func (r try) mustDeny(t testing.TB, hint string) {
	t.Helper()
	if !errors.Is(r.cerr, transport.ErrDenied) || !strings.Contains(transport.Hint(r.cerr), hint) {
		t.Errorf("client: error %v, hint %q; want transport.ErrDenied and a hint with %q", r.cerr, transport.Hint(r.cerr), hint)
	}
}

var options = map[string]func(*testing.T){
	"ca": func(t *testing.T) {
		ca, other := tlstest.New(t), tlstest.New(t)
		server := ",cert=" + ca.Issue(t, "localhost")
		handshake(t, ",ca="+ca.File, server).mustWork(t)
		handshake(t, ",ca="+other.File, server).mustDeny(t, "ca=FILE")
		handshake(t, "", server).mustDeny(t, "ca=FILE")
	},
	"crl": func(t *testing.T) {
		ca := tlstest.New(t)
		good, bad := ca.Issue(t, "localhost"), ca.Issue(t, "gone", "localhost")
		crl := ",ca=" + ca.File + ",crl=" + ca.Revoke(t, filepath.Join(t.TempDir(), "crl"), time.Now().Add(time.Hour), tlstest.Read(t, bad))
		handshake(t, crl, ",cert="+good).mustWork(t)
		handshake(t, crl, ",cert="+bad).mustDeny(t, "")
		handshake(t, ",insecure,cert="+good, crl).mustWork(t)
		if r := handshake(t, ",insecure,cert="+bad, crl); !errors.Is(r.serr, transport.ErrDenied) || !errors.Is(r.cerr, transport.ErrDenied) {
			t.Errorf("a client that was revoked: %v, server %v", r.cerr, r.serr)
		}
	},
	"cert": func(t *testing.T) {
		ca := tlstest.New(t)
		r := handshake(t, ",insecure", ",cert="+ca.Issue(t, "shown")).mustWork(t)
		if got := r.client.PeerCertificates[0].Subject.CommonName; got != "shown" {
			t.Errorf("the server shows a certificate for %q", got)
		}
	},
	"key": func(t *testing.T) {
		both, err := os.ReadFile(tlstest.New(t).Issue(t, "split"))
		if err != nil {
			t.Fatal(err)
		}
		cut := strings.Index(string(both), "-----BEGIN PRIVATE")
		cert, key := filepath.Join(t.TempDir(), "c"), filepath.Join(t.TempDir(), "k")
		if err := errors.Join(os.WriteFile(cert, both[:cut], 0o600), os.WriteFile(key, both[cut:], 0o600)); err != nil {
			t.Fatal(err)
		}
		handshake(t, ",insecure", ",cert="+cert+",key="+key).mustWork(t)
		if err := layer(t, ",cert="+cert).Validate(); err == nil || !strings.Contains(err.Error(), "key=") {
			t.Errorf("without the key: %v", err)
		}
	},
	"pin": testPin,
	"sni": testSNI,
	"insecure": func(t *testing.T) {
		handshake(t, "", "").mustDeny(t, "pin=sha256:")
		handshake(t, ",insecure", "").mustWork(t)
		if w := layer(t, ",insecure").Warnings(); len(w) != 1 {
			t.Errorf("warnings: %q", w)
		}
	},
	"verify": func(t *testing.T) {
		handshake(t, ",verify=1", "").mustDeny(t, "pin=sha256:")
		handshake(t, ",verify=0", "").mustWork(t)
	},
	"client-auth": testClientAuth,
	"commonname":  testCommonName,
	"ignore-unexpected-eof": func(t *testing.T) {
		for _, options := range []string{"", ",ignore-unexpected-eof"} {
			if err := cut(t, options, nil); (err == nil) != (options != "") {
				t.Errorf("%q: a peer that hangs up ends with %v", options, err)
			}
		}
	},
	"alpn": func(t *testing.T) {
		r := handshake(t, ",insecure,alpn='h2 x',alpn=y", ",alpn=y").mustWork(t)
		if r.client.NegotiatedProtocol != "y" || r.server.NegotiatedProtocol != "y" {
			t.Errorf("protocol %q", r.client.NegotiatedProtocol)
		}
		if r := handshake(t, ",insecure,alpn=a", ",alpn=b"); !strings.Contains(transport.Hint(r.cerr), "alpn=") {
			t.Errorf("no common protocol: %v, hint %q", r.cerr, transport.Hint(r.cerr))
		}
	},
	"min": func(t *testing.T) {
		r := handshake(t, ",insecure,min=1.3", ",max-version=1.2")
		if !strings.Contains(transport.Hint(r.cerr), "min=") {
			t.Errorf("no common version: %v, hint %q", r.cerr, transport.Hint(r.cerr))
		}
	},
	"max-version": func(t *testing.T) {
		if r := handshake(t, ",insecure,max-version=1.2", "").mustWork(t); r.client.Version != tls.VersionTLS12 {
			t.Errorf("version %x", r.client.Version)
		}
	},
	"keylog": func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys")
		handshake(t, ",insecure,keylog="+file, "").mustWork(t)
		data, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(data), "CLIENT_TRAFFIC_SECRET_0 ") {
			t.Errorf("key log %q, %v", data, err)
		}
		if w := layer(t, ",keylog="+file).Warnings(); len(w) != 1 {
			t.Errorf("warnings: %q", w)
		}
	},
}

func testPin(t *testing.T) {
	ca := tlstest.New(t)
	file := ca.Issue(t, "elsewhere")
	pin := tlsconf.Pin(tlstest.Read(t, file))
	handshake(t, ",pin="+pin, ",cert="+file).mustWork(t)
	sum, err := tlsconf.ParsePin(pin)
	if err != nil {
		t.Fatal(err)
	}
	zero := "sha256:" + strings.Repeat("00", 32)
	handshake(t, ",pin="+zero+",pin=sha256:"+hex.EncodeToString(sum), ",cert="+file).mustWork(t)
	handshake(t, ",pin="+zero, ",cert="+file).mustDeny(t, "openssl")
	handshake(t, ",insecure,pin="+zero, ",cert="+file).mustDeny(t, "openssl")
	for _, version := range []string{"1.2", "1.3"} { // also when a session is resumed
		client, server := layer(t, ",pin="+pin+",max-version="+version), layer(t, ",cert="+file)
		handshakeOf(t, client, server).mustWork(t)
		if r := handshakeOf(t, client, server).mustWork(t); !r.client.DidResume {
			t.Errorf("TLS %s: the session is not resumed", version)
		}
	}
	announced, err := layer(t, "").Announce()
	if err != nil || len(announced) != 1 || !strings.Contains(announced[0], "pin=sha256:") {
		t.Errorf("announced: %q, %v", announced, err)
	}
	server := layer(t, "")
	announced, _ = server.Announce()
	_, pin, _ = strings.Cut(announced[0], "pin=")
	handshakeOf(t, layer(t, ",pin="+pin), server).mustWork(t)
}

func testSNI(t *testing.T) {
	ca := tlstest.New(t)
	server := ",cert=" + ca.Issue(t, "example.org", "10.0.0.1")
	handshake(t, ",ca="+ca.File, server).mustDeny(t, "sni=NAME")
	r := handshake(t, ",ca="+ca.File+",sni=example.org", server).mustWork(t)
	if r.server.ServerName != "example.org" {
		t.Errorf("the server was asked for %q", r.server.ServerName)
	}
	handshake(t, ",ca="+ca.File+",sni=10.0.0.1", server).mustWork(t)
	handshake(t, ",ca="+ca.File+",sni=other.example,commonname=example.org", server).mustWork(t)
	client := &tlslayer.Layer{Options: tlslayer.Options{CA: ca.File}}
	if r := handshakeOf(t, client, layer(t, server)); !errors.Is(r.cerr, transport.ErrUsage) {
		t.Errorf("with nobody to expect: %v, want transport.ErrUsage", r.cerr)
	}
}

func testCommonName(t *testing.T) {
	ca := tlstest.New(t)
	server := ",cert=" + ca.Issue(t, "example.org")
	handshake(t, ",ca="+ca.File+",commonname=example.org", server).mustWork(t)
	handshake(t, ",ca="+ca.File+",commonname=example.com", server).mustDeny(t, "sni=NAME")
	client := ",insecure,cert=" + ca.Issue(t, "alice", "Alice.example.org", "10.0.0.1", "urn:x:alice", "alice@example.org")
	for name, want := range map[string]bool{"alice": true, "alice.EXAMPLE.org": true, "10.0.0.1": true, "urn:x:alice": true, "alice@example.org": true,
		"bob": false, "ali": false, "example.org": false, "*": false} {
		r := handshake(t, client, server+",ca="+ca.File+",commonname="+name)
		if want && r.serr != nil || !want && !errors.Is(r.serr, transport.ErrDenied) {
			t.Errorf("commonname=%s: %v, want it let in: %v", name, r.serr, want)
		}
	}
}

func testClientAuth(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t)
	cert := ca.Issue(t, "localhost")
	for _, version := range []string{",max-version=1.2", ",min=1.3"} {
		client := ",ca=" + ca.File + version
		withCert, withOther := client+",cert="+ca.Issue(t, "alice"), client+",cert="+other.Issue(t, "mallory")
		need := ",cert=" + cert + ",client-auth=need,ca=" + ca.File
		if r := handshake(t, withCert, need).mustWork(t); r.peer != "alice" {
			t.Errorf("peer is %q", r.peer)
		}
		for _, c := range []string{client, withOther} {
			if r := handshake(t, c, need); r.serr == nil || r.cerr == nil {
				t.Errorf("%s: client %v, server %v; want both to fail", c, r.cerr, r.serr)
			}
		}
		want := ",cert=" + cert + ",client-auth=want,ca=" + ca.File
		handshake(t, client, want).mustWork(t)
		if r := handshake(t, withOther, want); r.serr == nil {
			t.Error("client-auth=want takes a wrong certificate")
		}
		pin := tlsconf.Pin(tlstest.Read(t, other.Issue(t, "pinned")))
		pinned := ",cert=" + cert + ",pin=" + pin
		if r := handshake(t, client+",cert="+filepath.Join(filepath.Dir(other.File), "pinned.pem"), pinned).mustWork(t); r.peer != pin {
			t.Errorf("peer is %q, want the pin", r.peer)
		}
		if r := handshake(t, withCert, pinned); r.serr == nil {
			t.Error("a certificate without the pinned key is taken")
		}
	}
	for text, want := range map[string]bool{"": false, ",verify=1,ca=x": true, ",pin=x": true, ",ca=x": true, ",ca=x,client-auth=want": false, ",ca=x,verify=0": false} {
		if got := layer(t, text).Authenticates(); got != want {
			t.Errorf("%q authenticates: %v", text, got)
		}
	}
}

// A certificate that was renewed on disk is used at the next handshake.
func TestCertificateIsReadAgain(t *testing.T) {
	ca := tlstest.New(t)
	file := ca.Issue(t, "before")
	server := layer(t, ",cert="+file)
	name := func() string {
		r := handshakeOf(t, layer(t, ",insecure"), server).mustWork(t)
		return r.client.PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "before" {
		t.Fatalf("shows %q", got)
	}
	ca.IssueTo(t, file, "after and longer")
	later := time.Now().Add(time.Minute)
	os.Chtimes(file, later, later)
	if got := name(); got != "after and longer" {
		t.Errorf("shows %q after the renewal", got)
	}
	os.Remove(file)
	if got := name(); got != "after and longer" {
		t.Errorf("shows %q without the file", got)
	}
}
