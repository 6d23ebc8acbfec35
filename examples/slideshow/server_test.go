package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// serve has a server with the built-in slides, without a video program.
func serve(t *testing.T) (url string) {
	t.Helper()
	d, err := loadDeck("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), d, new(video))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := tenon.Listen(t.Context(), "tcp-listen:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.serve(ctx, tenon.NetListener(pages)); !errors.Is(err, context.Canceled) {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return "http://" + pages.Addr().String()
}

func TestPage(t *testing.T) {
	url := serve(t)
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"/": {200, "text/html; charset=utf-8"}, "/show.js": {200, "text/javascript; charset=utf-8"},
		"/style.css": {200, "text/css; charset=utf-8"}, "/media/joint.svg": {200, "image/svg+xml"},
		"/media/slides.md": {404, ""}, "/media/../server.go": {404, ""}, "/index.html": {404, ""},
	} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want.status || want.kind != "" && resp.Header.Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s, %v; want %v", path, resp.StatusCode, resp.Header.Get("Content-Type"), err, want)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self';") {
			t.Errorf("%s: Content-Security-Policy %q", path, policy)
		}
		if strings.Contains(string(body), "<script>") || strings.Contains(string(body), "onclick") {
			t.Errorf("%s has a script in it", path)
		}
	}
}

func TestHosts(t *testing.T) {
	loopback, lan := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 80}
	for _, test := range []struct {
		host  string
		local net.Addr
		want  bool
	}{
		{"localhost", loopback, true}, {"LocalHost:8080", loopback, true}, {"127.0.0.1:1", loopback, true}, {"[::1]:80", loopback, true},
		{"[::1]", loopback, true}, {"example.org", loopback, false}, {"localhost.example.org", loopback, false}, {"", loopback, false},
		{"192.0.2.7", loopback, false}, {"192.0.2.7:80", lan, true}, {"192.0.2.8", lan, false}, {"example.org:80", lan, false},
		{"localhost", nil, true}, {"192.0.2.7", nil, false},
	} {
		if got := ours(test.host, test.local); got != test.want {
			t.Errorf("%q at %v: %v, want %v", test.host, test.local, got, test.want)
		}
	}
}

// Pages of other sites do not get in, neither by a name of theirs nor over the
// WebSocket.
func TestForeignPages(t *testing.T) {
	url := serve(t)
	req := httptest.NewRequest("GET", url+"/", nil)
	req.RequestURI, req.Host = "", "rebound.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page under another name: %s", resp.Status)
	}

	live := "ws" + strings.TrimPrefix(url, "http") + "/live"
	for _, option := range []string{",origin=http://other.example", ",host=rebound.example"} {
		if c, err := tenon.Dial(t.Context(), live+option); !errors.Is(err, tenon.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", option, err)
			if err == nil {
				c.Close()
			}
		}
	}
	c, err := tenon.Dial(t.Context(), live+",origin="+url)
	if err != nil {
		t.Fatalf("the page itself: %v", err)
	}
	defer c.Close()
	var news told
	buf := make([]byte, 1000)
	n, m, err := c.(transport.MsgConn).ReadMsg(buf)
	if err != nil || !m.Text || json.Unmarshal(buf[:n], &news) != nil || news.Video != waiting || news.Text == "" {
		t.Errorf("the page is told %q, %v", buf[:n], err)
	}
}

func TestAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"shm-listen:video": "shm:video", "unix-listen:/run/x.sock,allow-uid=0": "unix:/run/x.sock", "tcp-listen:127.0.0.1:7070": "tcp:127.0.0.1:7070",
	} {
		if got := feedAddress(from); got != want {
			t.Errorf("what listens at %s is dialed at %s, want %s", from, got, want)
		}
	}
	for _, file := range []string{"", "film.mp4", "it's a, \"film\".mp4", "-"} {
		if _, err := new(tenon.Opener).Explain(ffmpeg(file)); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}
