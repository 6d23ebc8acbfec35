package proxy

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tenon-net/tenon/transport"
)

// forwarded returns what is read from the Conn of a client that sends text.
func forwarded(t testing.TB, text string) (target, out, reply string, err error) {
	t.Helper()
	c, reply, err := asked(t, new(HTTPServer), text)
	if err != nil {
		return "", "", reply, err
	}
	data, err := io.ReadAll(iotest.OneByteReader(c))
	return c.Target(), string(data), "", err
}

func TestRequestIsRewritten(t *testing.T) {
	const end = "Via: 1.1 tenon\r\nConnection: close\r\n\r\n"
	for _, c := range []struct{ in, target, out string }{
		{"GET http://h.tld/ HTTP/1.1\r\nHost: other\r\n\r\n", "h.tld:80", "GET / HTTP/1.1\r\nHost: h.tld\r\n" + end},
		{"GET HTTP://h.tld:8080 HTTP/1.1\r\nHost: h\r\n\r\n", "h.tld:8080", "GET / HTTP/1.1\r\nHost: h.tld:8080\r\n" + end},
		{"GET http://h.tld:?a=http://x/ HTTP/1.1\r\nHost: h\r\n\r\n", "h.tld:80", "GET /?a=http://x/ HTTP/1.1\r\nHost: h.tld\r\n" + end},
		{"GET http://[2606:4700::1]/x HTTP/1.1\r\nHost: h\r\n\r\n", "[2606:4700::1]:80", "GET /x HTTP/1.1\r\nHost: [2606:4700::1]\r\n" + end},
		{"OPTIONS http://h.tld HTTP/1.1\r\nHost: h\r\n\r\n", "h.tld:80", "OPTIONS * HTTP/1.1\r\nHost: h.tld\r\n" + end},
		{"GET http://h.tld/ HTTP/1.0\r\n\r\n", "h.tld:80", "GET / HTTP/1.0\r\nHost: h.tld\r\nVia: 1.0 tenon\r\nConnection: close\r\n\r\n"},
		{
			"GET http://h.tld/ HTTP/1.1\r\nHost: h\r\nConnection: X-Gone , te, Host\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nX-Gone: 1\r\nx-gone: 2\r\n" +
				"TE: trailers\r\nUpgrade: ws\r\nProxy-Authorization: Basic eDp5\r\nX-Kept:  a b \t\r\nVia: 1.0 older\r\nCookie: c\r\n\r\n",
			"h.tld:80", "GET / HTTP/1.1\r\nHost: h.tld\r\nX-Kept: a b\r\nVia: 1.0 older\r\nCookie: c\r\n" + end,
		},
		{
			// A client cannot have its framing stripped by naming it in Connection.
			"POST http://h.tld/ HTTP/1.1\r\nHost: h\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabc",
			"h.tld:80", "POST / HTTP/1.1\r\nHost: h.tld\r\nContent-Length: 3\r\n" + end + "abc",
		},
		{
			"POST http://h.tld/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00\r\nT: x\r\n\r\nGET / HTTP/1.1\r\n",
			"h.tld:80", "POST / HTTP/1.1\r\nHost: h.tld\r\nTransfer-Encoding: chunked\r\n" + end + "3;a=\"b\"\r\nabc\r\n00\r\nT: x\r\n\r\n",
		},
		{"POST http://h.tld/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n\r\n\r\nGET", "h.tld:80", "POST / HTTP/1.1\r\nHost: h.tld\r\nContent-Length: 0\r\n" + end},
	} {
		target, out, _, err := forwarded(t, c.in)
		if target != c.target || out != c.out || err != nil {
			t.Errorf("%q:\n got %s %q, error %v\nwant %s %q", c.in, target, out, err, c.target, c.out)
		}
	}
}

// What two servers could read in two ways goes to none.
func TestBadRequests(t *testing.T) {
	const host = "Host: h\r\n"
	for in, status := range map[string]string{
		"GET / HTTP/1.1\r\n" + host + "\r\n":                                                                                 "400",
		"GET http://h.tld/ HTTP/1.1\n" + "Host: h\n\n":                                                                       "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A: b\n\r\n":                                                               "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A: b\rC: d\r\n\r\n":                                                       "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A: b\x00\r\n\r\n":                                                         "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A: b\r\n folded\r\n\r\n":                                                  "400",
		"GET http://h.tld/ HTTP/1.1\r\n A: b\r\n" + host + "\r\n":                                                            "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A : b\r\n\r\n":                                                            "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + ": b\r\n\r\n":                                                              "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A\r\n\r\n":                                                                "400",
		"GET http://h.tld/ HTTP/1.1\r\n\r\n":                                                                                 "400",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + host + "\r\n":                                                              "400",
		"GET  http://h.tld/ HTTP/1.1\r\n" + host + "\r\n":                                                                    "400",
		"GET http://h.tld/ HTTP/1.1 \r\n" + host + "\r\n":                                                                    "400",
		"G(T http://h.tld/ HTTP/1.1\r\n" + host + "\r\n":                                                                     "400",
		"GET http://h.tld/#f HTTP/1.1\r\n" + host + "\r\n":                                                                   "400",
		"GET http://h.tld/\xe9 HTTP/1.1\r\n" + host + "\r\n":                                                                 "400",
		"GET http://u@h.tld/ HTTP/1.1\r\n" + host + "\r\n":                                                                   "400",
		"GET http://h%2etld/ HTTP/1.1\r\n" + host + "\r\n":                                                                   "400",
		"GET http:///x HTTP/1.1\r\n" + host + "\r\n":                                                                         "400",
		"GET http://h.tld:99999/ HTTP/1.1\r\n" + host + "\r\n":                                                               "400",
		"GET http://h.tld:0/ HTTP/1.1\r\n" + host + "\r\n":                                                                   "400",
		"GET http://h.tld:+80/ HTTP/1.1\r\n" + host + "\r\n":                                                                 "400",
		"GET https://h.tld/ HTTP/1.1\r\n" + host + "\r\n":                                                                    "400",
		"CONNECT h.tld HTTP/1.1\r\n" + host + "\r\n":                                                                         "400",
		"CONNECT http://h.tld:443/ HTTP/1.1\r\n" + host + "\r\n":                                                             "400",
		"CONNECT h.tld:443 HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n":                                                "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc":              "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc":                       "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: 3, 3\r\n\r\nabc":                                         "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc":                                           "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\nabc":                                          "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\nabc":                                              "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\nabc":                         "400",
		"POST http://h.tld/ HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                             "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n":     "400",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n":                       "501",
		"POST http://h.tld/ HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n":                         "400",
		"TRACE http://h.tld/ HTTP/1.1\r\n" + host + "\r\n":                                                                   "501",
		"OPTIONS http://h.tld/ HTTP/1.1\r\n" + host + "Max-Forwards: 0\r\n\r\n":                                              "501",
		"GET http://h.tld/ HTTP/2.0\r\n" + host + "\r\n":                                                                     "505",
		"GET http://h.tld/ HTTP/1.1\r\n" + host + "A: " + strings.Repeat("x", 64000) + "\r\nB: " + strings.Repeat("y", 1500): "431",
		"GET http://10.0.0.1/ HTTP/1.1\r\n" + host + "\r\n":                                                                  "403",
		"GET http://127.1/ HTTP/1.1\r\n" + host + "\r\n":                                                                     "403",
		"CONNECT [::ffff:127.0.0.1]:80 HTTP/1.1\r\n" + host + "\r\n":                                                         "403",
	} {
		_, out, reply, err := forwarded(t, in)
		if err == nil || !strings.HasPrefix(reply, "HTTP/1.1 "+status+" ") {
			t.Errorf("%.120q: forwarded %.80q, reply %.60q, error %v; want %s", in, out, reply, err, status)
		}
		if strings.HasPrefix(reply, "HTTP/1.1 403") != errors.Is(err, transport.ErrDenied) {
			t.Errorf("%.120q: error %v", in, err)
		}
	}
}

func TestChunksThatAreNone(t *testing.T) {
	const head = "POST http://h.tld/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, body := range []string{
		"\r\n", "g\r\n", "-1\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "1\na\n0\n\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n",
		"ffffffffffffffff\r\n", "1;\n\r\na\r\n", "1;a\rb\r\na\r\n", "0\r\n folded\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rx\r\n\r\n", "0\r\n:\r\n\r\n",
		"1;" + strings.Repeat("x", 5000) + "\r\na\r\n", "0\r\n" + strings.Repeat("A: b\r\n", 12000) + "\r\n",
	} {
		if _, out, _, err := forwarded(t, head+body); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%.40q: forwarded %.200q, error %v", body, out, err)
		}
	}
	for _, cut := range []string{"", "3", "3\r\nab", "3\r\nabc\r\n", "0\r\n", "0\r\nA: b\r\n"} {
		if _, _, _, err := forwarded(t, head+cut); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("body %q that stops: error %v, want io.ErrUnexpectedEOF", cut, err)
		}
	}
	if _, _, _, err := forwarded(t, "POST http://h.tld/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short body: error %v, want io.ErrUnexpectedEOF", err)
	}
}

func TestAnswerToHeadHasNoBody(t *testing.T) {
	_, reply, _ := asked(t, new(HTTPServer), "HEAD http://10.0.0.1/ HTTP/1.1\r\nHost: h\r\n\r\n")
	if !strings.HasPrefix(reply, "HTTP/1.1 403") || !strings.HasSuffix(reply, "\r\n\r\n") {
		t.Errorf("reply %q", reply)
	}
}

// A zone is part of the address that is connected to, and no part of what the server
// is told (RFC 6874).
func TestZonesOfTargets(t *testing.T) {
	for head, want := range map[string]string{ // to the target and the Host header; "" is refused
		"CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\nHost: x\r\n\r\n":        "[fe80::1%eth0]:443",
		"CONNECT [fe80::1%eth0]:443 HTTP/1.1\r\nHost: x\r\n\r\n":          "[fe80::1%eth0]:443",
		"GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: x\r\n\r\n":        "[fe80::1%eth0]:80 [fe80::1]",
		"GET http://[fe80::1%25eth0]:8080/ HTTP/1.1\r\nHost: x\r\n\r\n":   "[fe80::1%eth0]:8080 [fe80::1]:8080",
		"GET http://[fe80::1%25a%25b]/ HTTP/1.1\r\nHost: x\r\n\r\n":       "",
		"GET http://[fe80::1%25]/ HTTP/1.1\r\nHost: x\r\n\r\n":            "",
		"CONNECT h%25eth0:443 HTTP/1.1\r\nHost: x\r\n\r\n":                "",
		"CONNECT 127.0.0.1%25lo:443 HTTP/1.1\r\nHost: x\r\n\r\n":          "",
		"CONNECT [::ffff:127.0.0.1%25lo]:443 HTTP/1.1\r\nHost: x\r\n\r\n": "[::ffff:127.0.0.1%lo]:443",
	} {
		r, err := parseRequest([]byte(head))
		got := ""
		if err == nil {
			got = r.to.String()
			if _, host, ok := strings.Cut(string(r.head()), "\r\nHost: "); ok && r.method != "CONNECT" {
				host, _, _ = strings.Cut(host, "\r\n")
				got += " " + host
			}
		}
		if got != want {
			t.Errorf("%.40q: got %q, error %v, want %q", head, got, err, want)
		}
	}
	if p := (policy{access: new(Access), to: target{name: "x", addr: netip.MustParseAddr("::ffff:127.0.0.1%lo"), port: 443}}); p.check() == nil {
		t.Error("a mapped address with a zone is public")
	}
	for _, layer := range []transport.Layer{&SOCKS5{Target: "[fe80::1%eth0]:1"}, &SOCKS4{Target: "[fe80::1%eth0]:1"}, &HTTPConnect{Target: "[fe80::1%eth0]:1"}} {
		if _, err := answered(t, layer, ""); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%T with a zone: error %v, want transport.ErrUsage", layer, err)
		}
	}
}
