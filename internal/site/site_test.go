package site

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve serves a page that says how it was asked for, until the test ends.
func serve(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Listen(c, "/secret/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %v", r.URL.Path, r.TLS != nil)
	}))
	must(t, err)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve() }()
	t.Cleanup(func() { s.Close(); <-done })
	return s
}

// look asks for a page, and returns what it says and the certificate that is shown.
func look(t *testing.T, link string) (text, shown string) {
	t.Helper()
	var client http.Client
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, //nolint:gosec // its hash is looked at
		VerifyConnection: func(s tls.ConnectionState) error {
			shown = strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(s.PeerCertificates[0].Raw)), " ", ":")
			return nil
		}}, DisableKeepAlives: true}
	resp, err := client.Get(link)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(b), shown
}

func TestHTTP(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "http://127.0.0.1:0/", "0.0.0.0:0"} {
		s := serve(t, Config{At: at})
		link := s.Links()[0]
		if text, _ := look(t, link); !strings.HasPrefix(link, "http://") || text != "/secret/ false" || s.Secure() || s.Fingerprint() != "" {
			t.Errorf("%s: %s says %q", at, link, text)
		}
	}
}

// Without a certificate one is made, and what browsers show of it is known.
func TestMade(t *testing.T) {
	s := serve(t, Config{At: "https://127.0.0.1:0"})
	text, shown := look(t, s.Links()[0])
	if text != "/secret/ true" || shown != s.Fingerprint() || len(shown) != 32*3-1 || !s.Secure() {
		t.Errorf("%q by %s, and it says %s", text, shown, s.Fingerprint())
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {At: "8080"}, {At: "ftp://x:1"}, {At: "x:1", Cert: "c"}, {At: "x:1", Key: "k"}, {At: "https://x:1", Key: "k"}} {
		if err := c.Check(); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Listen(Config{At: "https://127.0.0.1:0", Cert: "/no/such/file"}, "/", nil); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("without its certificate: %v", err)
	}
}

// With a certificate the links have its names, and one that is renewed is shown to who comes next.
func TestCertificate(t *testing.T) {
	a := tlstest.New(t)
	file := filepath.Join(t.TempDir(), "cert.pem")
	a.IssueTo(t, file, "files.example", "*.example")
	s := serve(t, Config{At: "https://127.0.0.1:0", Cert: file})
	links := s.Links()
	if len(links) != 1 || !strings.HasPrefix(links[0], "https://files.example:") || s.Fingerprint() != "" {
		t.Errorf("%v, %q", links, s.Fingerprint())
	}
	link := strings.Replace(links[0], "files.example", "127.0.0.1", 1)
	text, first := look(t, link)
	a.IssueTo(t, file, "files.example")
	must(t, os.Chtimes(file, time.Now(), time.Now().Add(time.Hour))) // whatever the clock of the disk is
	if _, second := look(t, link); text != "/secret/ true" || first == second {
		t.Errorf("%q; the certificate before: %v", text, first == second)
	}
}

// Who has asked before the end is answered, and nobody comes after it.
func TestFinish(t *testing.T) {
	asked, end := make(chan struct{}), make(chan struct{})
	s, err := Listen(Config{At: "127.0.0.1:0"}, "/secret/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-end
		fmt.Fprint(w, "the answer")
	}))
	must(t, err)
	go s.Serve()
	t.Cleanup(s.Close)
	link, text := s.Links()[0], make(chan string)
	go func() {
		resp, err := http.Get(link) //nolint:noctx // the test ends it
		if err != nil {
			text <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		text <- string(b)
	}()
	<-asked
	finished := make(chan struct{})
	go func() { defer close(finished); s.Finish(t.Context()) }()
	for {
		if c, err := net.Dial("tcp", s.listener.Addr().String()); err != nil {
			break // it does not listen any more, so Finish has begun
		} else {
			c.Close()
		}
	}
	close(end)
	if got := <-text; got != "the answer" {
		t.Errorf("whoever has asked gets %q", got)
	}
	<-finished
}

// Who takes for ever is cut when the time for it is over.
func TestFinishIsBounded(t *testing.T) {
	asked := make(chan struct{})
	s, err := Listen(Config{At: "127.0.0.1:0"}, "/secret/", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	must(t, err)
	go s.Serve()
	t.Cleanup(s.Close)
	failed := make(chan error)
	go func() {
		_, err := http.Get(s.Links()[0]) //nolint:bodyclose,noctx // there is none
		failed <- err
	}()
	<-asked
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s.Finish(ctx)
	if err := <-failed; err == nil {
		t.Error("it was answered")
	}
}
