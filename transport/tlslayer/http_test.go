package tlslayer_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/tlslayer"
)

// A tlsListener hands connections out as crypto/tls has them.
type tlsListener struct {
	net.Listener
	layer *tlslayer.Layer
}

func (l tlsListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c, err := l.layer.Wrap(context.Background(), stream(raw), transport.Accepted)
	if err != nil {
		return nil, err
	}
	return c.(*tlslayer.Conn).TLS(), nil
}

// net/http speaks HTTP/2, and fills in Request.TLS, with a *tls.Conn only.
func TestHTTP(t *testing.T) {
	ca := tlstest.New(t)
	roots := x509.NewCertPool()
	roots.AddCert(tlstest.Read(t, ca.File))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ")
		w.Write(body)
	})}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(tlsListener{ln, layer(t, ",cert="+ca.Issue(t, "127.0.0.1")+",alpn='h2 http/1.1'")})
	}()
	defer func() { srv.Close(); <-served }()
	for _, proto := range []string{"h2", "http/1.1"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: proto == "h2", Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP2(proto == "h2")
		tr.Protocols.SetHTTP1(proto != "h2")
		defer tr.CloseIdleConnections()
		body := io.LimitReader(zeros{}, 1<<20)
		req, err := http.NewRequest("POST", "https://"+ln.Addr().String(), body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", proto, err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		want := map[string]string{"h2": "HTTP/2.0 true ", "http/1.1": "HTTP/1.1 true "}[proto]
		if err != nil || len(got) != len(want)+1<<20 || string(got[:len(want)]) != want {
			t.Errorf("%s: %d bytes, %.20q, %v", proto, len(got), got, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
