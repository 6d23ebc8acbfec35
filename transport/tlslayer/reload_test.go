package tlslayer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
)

// replace puts the content of one file in the place of another, as a tool that
// renews certificates does.
func replace(t *testing.T, file, with string) {
	t.Helper()
	data, err := os.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file+".new", data, 0o600), os.Rename(file+".new", file)); err != nil {
		t.Fatal(err)
	}
}

// An authority that was removed from the file lets nobody in any more, from the next
// handshake on, also not by a session that began before. Files that cannot be used
// change nothing, and that is said once.
func TestRemovedAuthority(t *testing.T) {
	for _, version := range []string{"1.2", "1.3"} {
		old, new, broken := tlstest.New(t), tlstest.New(t), filepath.Join(t.TempDir(), "broken")
		os.WriteFile(broken, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n"), 0o600)
		ca := filepath.Join(t.TempDir(), "ca.pem")
		replace(t, ca, old.File)
		server := layer(t, ",ca="+ca+",cert="+old.Issue(t, "localhost"))
		var told []string
		server.Notify(func(line string) { told = append(told, line) })
		if _, err := server.Announce(); err != nil {
			t.Fatal(err)
		}
		alice := layer(t, ",insecure,cert="+old.Issue(t, "alice")+",max-version="+version)
		bob := layer(t, ",insecure,cert="+new.Issue(t, "bob")+",max-version="+version)

		handshakeOf(t, alice, server).mustWork(t)
		if r := handshakeOf(t, alice, server).mustWork(t); !r.client.DidResume {
			t.Errorf("TLS %s: the session is not resumed", version)
		}
		replace(t, ca, broken)
		for range 3 {
			handshakeOf(t, alice, server).mustWork(t)
		}
		if len(told) != 1 || !strings.Contains(told[0], "no certificate in "+ca) {
			t.Errorf("TLS %s: told %q, want once that the file cannot be used", version, told)
		}
		replace(t, ca, new.File)
		if r := handshakeOf(t, alice, server); r.serr == nil || !errors.Is(r.cerr, transport.ErrDenied) {
			t.Errorf("TLS %s: a client of the authority that was removed: %v, server %v", version, r.cerr, r.serr)
		}
		handshakeOf(t, bob, server).mustWork(t)
		if len(told) != 2 || !strings.Contains(told[1], "read "+ca) {
			t.Errorf("TLS %s: told %q, want the new file besides", version, told)
		}
	}
}

// A client that was revoked while the listener was running is let in no more, also not by
// a session that began before; nor is anybody once the list has run out.
func TestRevoked(t *testing.T) {
	for _, version := range []string{"1.2", "1.3"} {
		ca := tlstest.New(t)
		file, crl, next := ca.Issue(t, "alice"), filepath.Join(t.TempDir(), "crl"), filepath.Join(t.TempDir(), "next")
		ca.Revoke(t, crl, time.Now().Add(time.Hour))
		server := layer(t, ",ca="+ca.File+",crl="+crl+",cert="+ca.Issue(t, "localhost"))
		if _, err := server.Announce(); err != nil {
			t.Fatal(err)
		}
		alice, bob := layer(t, ",insecure,cert="+file+",max-version="+version), layer(t, ",insecure,cert="+ca.Issue(t, "bob")+",max-version="+version)
		handshakeOf(t, alice, server).mustWork(t)
		if r := handshakeOf(t, alice, server).mustWork(t); !r.client.DidResume {
			t.Errorf("TLS %s: the session is not resumed", version)
		}
		replace(t, crl, ca.Revoke(t, next, time.Now().Add(time.Hour), tlstest.Read(t, file)))
		if r := handshakeOf(t, alice, server); !errors.Is(r.serr, transport.ErrDenied) || !errors.Is(r.cerr, transport.ErrDenied) {
			t.Errorf("TLS %s: the client that was revoked: %v, server %v", version, r.cerr, r.serr)
		}
		handshakeOf(t, bob, server).mustWork(t)
		replace(t, crl, ca.Revoke(t, next, time.Now().Add(-time.Second)))
		if r := handshakeOf(t, bob, server); !errors.Is(r.serr, transport.ErrDenied) {
			t.Errorf("TLS %s: the list has run out, and the server says %v", version, r.serr)
		}
	}
}

// Every file that is named is checked by every Reload, also where none has been read yet,
// as by an end that has dialed nobody so far, and as often as it is asked.
func TestReloadChecksWhatIsNamed(t *testing.T) {
	ca := tlstest.New(t)
	cert, bad := ca.Issue(t, "localhost"), filepath.Join(t.TempDir(), "bad")
	os.WriteFile(bad, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n"), 0o600)
	for _, options := range []string{",ca=" + bad, ",cert=" + bad, ",cert=" + cert + ",key=" + bad, ",ca=" + ca.File + ",crl=" + bad} {
		l := layer(t, options)
		for i := range 3 {
			if _, err := l.Reload(); err == nil {
				t.Errorf("%s: Reload %d succeeds", options, i)
			}
		}
	}
}

// Reload takes all files or none, and puts nothing in place before commit.
func TestReload(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t)
	roots, cert := filepath.Join(t.TempDir(), "ca.pem"), ca.Issue(t, "localhost")
	replace(t, roots, ca.File)
	server := layer(t, ",ca="+roots+",cert="+cert)
	if commit, err := server.Reload(); err != nil {
		t.Fatalf("before anything was read: %v", err)
	} else {
		commit()
	}
	if _, err := server.Announce(); err != nil {
		t.Fatal(err)
	}
	if commit, err := server.Reload(); err != nil {
		t.Fatalf("nothing has changed: %v", err)
	} else {
		commit()
	}
	alice := ",insecure,cert=" + ca.Issue(t, "alice")
	handshakeOf(t, layer(t, alice), server).mustWork(t)
	replace(t, roots, other.File)
	os.Remove(cert)
	if commit, err := server.Reload(); err == nil || commit != nil {
		t.Errorf("without the certificate's file: %v", err)
	}
	handshakeOf(t, layer(t, alice), server).mustWork(t)
	replace(t, cert, other.Issue(t, "localhost"))
	commit, err := server.Reload()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if r := handshakeOf(t, layer(t, alice), server); r.serr == nil {
		t.Error("a client of the authority that was removed is let in")
	}
	handshakeOf(t, layer(t, ",insecure,cert="+other.Issue(t, "bob")), server).mustWork(t)
}

// A dialer reads its files again, too: the next server is held against the new ones.
func TestDialerReadsAgain(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t)
	roots := filepath.Join(t.TempDir(), "ca.pem")
	replace(t, roots, ca.File)
	client, server := layer(t, ",ca="+roots), layer(t, ",cert="+ca.Issue(t, "localhost"))
	handshakeOf(t, client, server).mustWork(t)
	replace(t, roots, other.File)
	handshakeOf(t, client, server).mustDeny(t, "ca=FILE")
	handshakeOf(t, client, layer(t, ",cert="+other.Issue(t, "localhost"))).mustWork(t)
}
