package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// What an option may be on a side, if it is not refused.
const (
	effect   = "effect"  // it changes something
	standard = "default" // it says what holds without it
)

// Every option, on each side, has an effect or is refused: one that restricts must
// not be taken and ignored. The words in capitals are files and pins.
func TestEveryOptionWorksOrIsRefused(t *testing.T) {
	const noSuchServer = "has no effect on a server that insecure or verify=no says not to verify"
	const nobodyAsked = "has no effect where no client is asked for a certificate"
	const mustShow = "commonname= needs clients that must show a certificate"
	table := []struct{ with, option, dialed, accepted string }{
		{"", "ca=CA", effect, effect},
		{"insecure", "ca=CA", noSuchServer, "insecure is for"},
		{"verify=no", "ca=CA", noSuchServer, nobodyAsked},
		{"client-auth=none", "ca=CA", "client-auth= is for", nobodyAsked},
		{"pin=PIN", "ca=CA", effect, effect},
		{"", "cert=CERT", effect, effect},
		{"", "key=KEY", "key= needs cert=", "key= needs cert="},
		{"cert=CERT", "key=KEY", "private key does not match", "private key does not match"},
		{"", "pin=PIN", effect, effect},
		{"ca=CA", "pin=ZERO", effect, effect},
		{"verify=no", "pin=PIN", effect, nobodyAsked},
		{"client-auth=none", "pin=PIN", "client-auth= is for", nobodyAsked},
		{"", "sni=other.example", effect, "sni= is for ends that are dialed"},
		{"pin=PIN", "sni=other.example", effect, "sni= is for ends that are dialed"},
		{"", "commonname=nobody", effect, mustShow},
		{"ca=CA", "commonname=nobody", effect, effect},
		{"pin=PIN", "commonname=nobody", effect, effect},
		{"insecure", "commonname=nobody", noSuchServer, "insecure is for"},
		{"ca=CA,client-auth=want", "commonname=nobody", "client-auth= is for", mustShow},
		{"client-auth=none", "commonname=nobody", "client-auth= is for", mustShow},
		{"", "insecure", effect, "insecure is for ends that are dialed"},
		{"verify=yes", "insecure", "contradict", "insecure is for"},
		{"", "verify=no", effect, standard},
		{"", "verify=yes", standard, "verify=yes needs ca= or pin="},
		{"ca=CA", "verify=yes", standard, standard},
		{"ca=CA,client-auth=need", "verify=no", "client-auth= is for", "contradict"},
		{"client-auth=none", "verify=yes", "client-auth= is for", "contradict"},
		{"", "client-auth=none", "client-auth= is for ends that listen", standard},
		{"", "client-auth=want", "client-auth= is for", "client-auth=want needs ca= or pin="},
		{"", "client-auth=need", "client-auth= is for", "client-auth=need needs ca= or pin="},
		{"ca=CA", "client-auth=want", "client-auth= is for", effect},
		{"pin=PIN", "client-auth=want", "client-auth= is for", effect},
		{"ca=CA", "client-auth=need", "client-auth= is for", standard},
		{"", "crl=CRL", effect, "crl= has no effect"},
		{"ca=CA", "crl=CRL", effect, effect},
		{"ca=CA,pin=PIN", "crl=CRL", effect, effect},
		{"ca=CA,client-auth=want", "crl=CRL", "client-auth= is for", effect},
		{"insecure", "crl=CRL", "crl= has no effect", "insecure is for"},
		{"verify=no", "crl=CRL", "crl= has no effect", "crl= has no effect"},
		{"pin=PIN", "crl=CRL", "crl= has no effect", "crl= has no effect"},
		{"", "alpn=h2", effect, effect},
		{"", "min=1.3", effect, effect},
		{"", "max-version=1.2", effect, effect},
		{"max-version=1.2", "min=1.3", "min= is newer", "min= is newer"},
		{"", "keylog=LOG", effect, effect},
		{"", "ignore-unexpected-eof", effect, effect},
	}
	p := newProbe(t)
	tried := map[string]bool{}
	for _, row := range table {
		for side, want := range map[transport.Side]string{transport.Dialed: row.dialed, transport.Accepted: row.accepted} {
			name := fmt.Sprintf("%s beside %q on side %d", row.option, row.with, side)
			without := p.what(row.with, side)
			with := p.what(strings.Trim(row.with+","+row.option, ","), side)
			switch want {
			case effect:
				if with.err != nil || with.text == without.text {
					t.Errorf("%s: %v, want an effect", name, with.err)
				}
			case standard:
				if with.err != nil || with.text != without.text {
					t.Errorf("%s: %v\n%s\nwant what holds without it\n%s", name, with.err, with.text, without.text)
				}
			default:
				if with.err == nil || !errors.Is(with.err, transport.ErrUsage) || !strings.Contains(with.err.Error(), want) {
					t.Errorf("%s: error %v, want %q", name, with.err, want)
				}
			}
		}
		option, _, _ := strings.Cut(row.option, "=")
		tried[option] = true
	}
	var s opt.Set
	new(Options).Bind(&s)
	for d := range s.All() {
		if !tried[d.Name] {
			t.Errorf("option %s is not in the table", d.Name)
		}
	}
}

// A probe sees what options do.
type probe struct {
	t     *testing.T
	names *strings.Replacer
	self  SelfSigned
	peer  []*x509.Certificate
}

type outcome struct {
	text string // all that can be seen of a configuration
	err  error
}

func newProbe(t *testing.T) *probe {
	ca := tlstest.New(t)
	cert := ca.Issue(t, "localhost")
	peer := tlstest.Read(t, cert)
	key := filepath.Join(t.TempDir(), "key.pem")
	data, err := os.ReadFile(ca.Issue(t, "another"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return &probe{t: t, peer: []*x509.Certificate{peer},
		names: strings.NewReplacer("=CA", "="+ca.File, "=CRL", "="+ca.Revoke(t, filepath.Join(t.TempDir(), "crl"), time.Now().Add(time.Hour), peer), "=CERT", "="+cert, "=KEY", "="+key, "=PIN", "="+Pin(peer), "=ZERO", "=sha256:"+strings.Repeat("00", 32), "=LOG", "="+filepath.Join(t.TempDir(), "log"))}
}

func (p *probe) what(options string, side transport.Side) outcome {
	p.t.Helper()
	a, err := address.Parse(strings.TrimSuffix("-,"+p.names.Replace(options), ","))
	if err != nil {
		p.t.Fatal(err)
	}
	var o Options
	var s opt.Set
	o.Bind(&s)
	for _, x := range a.Options {
		if err := s.Set(x.Name, x.Value, x.HasValue); err != nil {
			p.t.Fatalf("%s: %v", options, err)
		}
	}
	if err := transport.Validate(&o, side); err != nil {
		return outcome{err: err}
	}
	f, err := o.read()
	if err != nil {
		return outcome{err: err}
	}
	var c *tls.Config
	if side == transport.Dialed {
		c, err = o.Client(f, "localhost")
	} else {
		c, err = o.Server(f, &p.self)
	}
	if err != nil {
		p.t.Fatalf("%s: valid, but %v", options, err)
	}
	leaf := ""
	if side == transport.Accepted {
		cert, err := c.GetCertificate(nil)
		if err != nil {
			p.t.Fatal(err)
		}
		leaf = Pin(cert.Leaf)
	}
	var said error
	if c.VerifyConnection != nil {
		said = c.VerifyConnection(tls.ConnectionState{PeerCertificates: p.peer})
	}
	return outcome{text: fmt.Sprint(c.ServerName, c.InsecureSkipVerify, c.ClientAuth, c.NextProtos, c.MinVersion, c.MaxVersion,
		c.RootCAs != nil, c.ClientCAs != nil, c.GetClientCertificate != nil, c.KeyLogWriter != nil, leaf,
		c.VerifyConnection != nil, said, o.IgnoreUnexpectedEOF)}
}
