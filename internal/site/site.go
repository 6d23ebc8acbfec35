// Package site is where a page is served to browsers: by HTTP, or by HTTPS with a certificate that is read
// again when it changes, or with one made for the occasion. It knows what the links are, and how many may come
// at a time. What is shown is an http.Handler of somebody else.
package site

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tenon-net/tenon/internal/tlsconf"
)

// Config says where a page is served.
type Config struct {
	At   string // HOST:PORT or http://HOST:PORT, or https://HOST:PORT
	Cert string // PEM file of a certificate and its chain; "" = one is made
	Key  string // PEM file of its key; "" = that is in Cert
}

// A Server serves one page.
type Server struct {
	listener net.Listener
	server   *http.Server
	path     string
	tls      *tlsconf.Options // nil = it is HTTP
	loader   tlsconf.Loader
	self     tlsconf.SelfSigned
	page     http.Handler

	mu      sync.Mutex // guards closed, and that nobody is counted after it
	closed  bool
	serving sync.WaitGroup
}

const (
	maxBrowsers = 256 // connections at a time; others wait
	handshake   = 10 * time.Second
)

// ErrUsage is for a Config that nothing can be served by.
var ErrUsage = errors.New("it must be HOST:PORT or https://HOST:PORT, such as 0.0.0.0:8080, or 127.0.0.1:0 for any port of this machine alone")

// parse takes a Config apart.
func (c Config) parse() (at string, secure bool, err error) {
	at, secure = strings.CutPrefix(c.At, "https://")
	if !secure {
		at = strings.TrimPrefix(at, "http://")
	}
	at = strings.TrimSuffix(at, "/")
	if _, _, err := net.SplitHostPort(at); err != nil {
		return "", false, fmt.Errorf("%q: %w", c.At, ErrUsage)
	}
	if !secure && c.Cert+c.Key != "" {
		return "", false, fmt.Errorf("%q: a certificate is for https://%s: %w", c.At, at, ErrUsage)
	}
	if c.Key != "" && c.Cert == "" {
		return "", false, fmt.Errorf("a key is for a certificate: %w", ErrUsage)
	}
	return at, secure, nil
}

// Check tells whether a Config says what it should; it opens nothing. The error matches [ErrUsage].
func (c Config) Check() error {
	_, _, err := c.parse()
	return err
}

// Listen begins to listen; Serve serves. The page is at path. An error of Check is one of Listen, too.
func Listen(c Config, path string, page http.Handler) (*Server, error) {
	at, secure, err := c.parse()
	if err != nil {
		return nil, err
	}
	s := &Server{path: path, page: page}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: handshake, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}
	if secure {
		s.tls = &tlsconf.Options{Cert: c.Cert, Key: c.Key, ALPN: []string{"http/1.1"}}
		if _, err := s.config(nil); err != nil { // before anybody comes
			return nil, err
		}
	}
	if s.listener, err = net.Listen("tcp", at); err != nil {
		return nil, err
	}
	return s, nil
}

// config is that of TLS for a client.
func (s *Server) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	return s.loader.Get(s.tls, func(f tlsconf.Files) (*tls.Config, error) { return s.tls.Server(f, &s.self) })
}

// Serve serves until Close is called.
func (s *Server) Serve() {
	l := netutil.LimitListener(s.listener, maxBrowsers)
	if s.tls != nil {
		l = tls.NewListener(l, &tls.Config{GetConfigForClient: s.config, NextProtos: s.tls.ALPN})
	}
	s.server.Serve(l) //nolint:errcheck // it ends with Close
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.serving.Add(1)
	}
	s.mu.Unlock()
	if closed {
		panic(http.ErrAbortHandler)
	}
	defer s.serving.Done()
	s.page.ServeHTTP(w, r)
}

// Finish has nobody come any more, lets those have their answers who have asked, for as long as ctx lasts, and closes.
func (s *Server) Finish(ctx context.Context) {
	s.server.Shutdown(ctx) //nolint:errcheck // who is not done by then is cut
	s.Close()
}

// Close ends it, whatever is being sent, and returns when the page is asked for nothing any more.
func (s *Server) Close() {
	s.listener.Close() //nolint:errcheck // nobody comes any more
	s.server.Close()   //nolint:errcheck // it is enough
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.serving.Wait()
}

// Secure tells whether it is HTTPS.
func (s *Server) Secure() bool { return s.tls != nil }

// Fingerprint is how browsers show a certificate that was made for the occasion, and "" for others.
func (s *Server) Fingerprint() string {
	if s.tls == nil || s.tls.Cert != "" {
		return ""
	}
	cert, err := s.self.Certificate()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for i, c := range sha256.Sum256(cert.Leaf.Raw) {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", c)
	}
	return b.String()
}

// Links are where browsers find the page: by the names in its certificate, if it has one; or else, if it listens at all
// addresses of this machine, at those that others can use.
func (s *Server) Links() (all []string) {
	at := s.listener.Addr().(*net.TCPAddr)
	scheme := "http://"
	if s.tls != nil {
		scheme = "https://"
	}
	for _, host := range s.hosts(at.IP) {
		all = append(all, scheme+net.JoinHostPort(host, strconv.Itoa(at.Port))+s.path)
	}
	return all
}

func (s *Server) hosts(ip net.IP) (all []string) {
	if names := s.names(); len(names) > 0 {
		return names
	}
	if !ip.IsUnspecified() {
		return []string{ip.String()}
	}
	addrs, _ := net.InterfaceAddrs() //nolint:errcheck // then there are none
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			all = append(all, ip.IP.String())
		}
	}
	if all == nil {
		return []string{"127.0.0.1"}
	}
	return all
}

// names are those in a certificate of the user.
func (s *Server) names() (all []string) {
	if s.tls == nil || s.tls.Cert == "" {
		return nil
	}
	config, err := s.config(nil)
	if err != nil {
		return nil
	}
	cert, err := config.GetCertificate(nil)
	if err != nil {
		return nil
	}
	leaf := cert.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil
		}
	}
	for _, name := range leaf.DNSNames {
		if !strings.Contains(name, "*") {
			all = append(all, name)
		}
	}
	return all
}
