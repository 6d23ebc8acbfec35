package folder

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// tree makes a folder with some of everything, and returns its path.
func tree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret": "outside", "www/a.txt": "0123456789", "www/.hidden": "hidden", "www/.git/config": "hidden", "www/sub/b.txt": "b",
		"www/page/index.html": "<p>page",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"out": "../secret", "up": "..", "abs": filepath.Join(dir, "secret"), "in": "a.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, "www", name)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	return filepath.Join(dir, "www")
}

// client returns a client of HTTP of which every connection is a Dial, and counts them.
func client(t testing.TB, f *Folder) (c *http.Client, dials *int) {
	dials = new(int)
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		*dials++
		c, err := f.Dial(ctx)
		if err != nil {
			return nil, err
		}
		return c.(transport.Stream), nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, dials
}

func do(t testing.TB, c *http.Client, method, path string, header ...string) (status int, body string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b), a.Header
}

func TestConformance(t *testing.T) {
	dir := tree(t)
	transporttest.Run(t, transporttest.Harness{
		Kind: Kinds()[0],
		Pair: func(t testing.TB) (a, b transport.Conn) {
			c, err := (&Folder{Path: dir}).Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return c, nil
		},
		Endpoint:  func(testing.TB) transport.Endpoint { return &Folder{Path: dir} },
		Addresses: []string{"folder:/srv/www", "folder:.", `folder:C\:/www,hidden`, "folder:/srv,host=a.example,host=b.example"},
		Bad:       map[string]string{"folder:": "the path of a folder is missing", "folder:/x,hidden=maybe": "hidden: must be yes or no"},
		Options:   map[string]func(*testing.T){"hidden": testHidden, "host": testHost},
		NoNettest: "what is written is a request, and is answered",
	})
}

// One connection carries many requests, of every sort that reading needs.
func TestServes(t *testing.T) {
	c, dials := client(t, &Folder{Path: tree(t)})
	for _, x := range []struct {
		method, path string
		header       []string
		status       int
		body         string
	}{
		{"GET", "/a.txt", nil, 200, "0123456789"},
		{"HEAD", "/a.txt", nil, 200, ""},
		{"GET", "/a.txt", []string{"Range", "bytes=2-4"}, 206, "234"},
		{"GET", "/a.txt", []string{"Range", "bytes=-2"}, 206, "89"},
		{"GET", "/a.txt", []string{"Range", "bytes=20-"}, 416, ""},
		{"GET", "/a.txt", []string{"If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, 304, ""},
		{"GET", "/sub/b.txt", nil, 200, "b"},
		{"GET", "/page/", nil, 200, "<p>page"},
		{"GET", "/in", nil, 200, "0123456789"},
		{"GET", "/none", nil, 404, ""},
		{"POST", "/a.txt", nil, 405, ""},
		{"PUT", "/new.txt", nil, 405, ""},
		{"DELETE", "/a.txt", nil, 405, ""},
	} {
		status, body, h := do(t, c, x.method, x.path, x.header...)
		if status != x.status || body != x.body && x.status < 300 {
			t.Errorf("%s %s %q: %d %q; want %d %q", x.method, x.path, x.header, status, body, x.status, x.body)
		}
		if x.method == "HEAD" && h.Get("Content-Length") != "10" {
			t.Errorf("HEAD has %q", h)
		}
	}
	if *dials != 1 {
		t.Errorf("%d connections were made", *dials)
	}
	_, list, _ := do(t, c, "GET", "/")
	for name, want := range map[string]bool{"a.txt": true, "sub/": true, ".hidden": false, ".git": false} {
		if strings.Contains(list, name) != want {
			t.Errorf("%q is listed: %v, in %s", name, !want, list)
		}
	}
}

// Nothing outside the folder, and nothing that is no file, is there, however it is asked for.
func TestNothingOutside(t *testing.T) {
	dir := tree(t)
	c, _ := client(t, &Folder{Path: dir, Hidden: true})
	for _, path := range []string{
		"/../secret", "/..%2fsecret", "/%2e%2e/secret", "/sub/../../secret", "/sub/..%2f..%2fsecret", "/..\\secret", "/out", "/abs", "/up/", "/up/secret", "//secret", "/a.txt%00",
		filepath.Join(dir, "../secret"),
	} {
		if status, body, _ := do(t, c, "GET", path); status < 300 || strings.Contains(body, "outside") {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

func testHidden(t *testing.T) {
	dir := tree(t)
	c, _ := client(t, &Folder{Path: dir})
	for _, path := range []string{"/.hidden", "/.git/config", "/.git/", "/sub/../.hidden", "/%2ehidden"} {
		if status, body, _ := do(t, c, "GET", path); status != 404 {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	c, _ = client(t, &Folder{Path: dir, Hidden: true})
	for _, path := range []string{"/.hidden", "/.git/config"} {
		if status, body, _ := do(t, c, "GET", path); status != 200 || body != "hidden" {
			t.Errorf("with hidden, %s: %d %q", path, status, body)
		}
	}
	if _, list, _ := do(t, c, "GET", "/"); !strings.Contains(list, ".hidden") {
		t.Errorf("with hidden, the list is %s", list)
	}
}

func testHost(t *testing.T) {
	dir := tree(t)
	for _, x := range []struct {
		hosts []string
		host  string
		want  int
	}{
		{nil, "localhost:8080", 200}, {nil, "127.0.0.1:8080", 200}, {nil, "[::1]:8080", 200}, {nil, "192.0.2.7", 200}, {nil, "laptop:80", 200}, {nil, "web.localhost", 200},
		{nil, "evil.example", 421}, {nil, "evil.example:8080", 421}, {nil, "127.0.0.1.evil.example", 421},
		{[]string{"Files.example"}, "files.example:8080", 200}, {[]string{"files.example"}, "evil.example", 421}, {[]string{"*"}, "evil.example", 200},
	} {
		c, _ := client(t, &Folder{Path: dir, Hosts: x.hosts})
		if status, _, _ := do(t, c, "GET", "/a.txt", "Host", x.host); status != x.want {
			t.Errorf("%q, with host=%q: %d, want %d", x.host, x.hosts, status, x.want)
		}
	}
}

// Who says all and half-closes gets the answer, and then the end.
func TestHalfClose(t *testing.T) {
	c, err := (&Folder{Path: tree(t)}).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := c.(transport.Stream)
	if _, err := io.WriteString(s, "GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(s)
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); err != nil || string(b) != "0123456789" {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := io.ReadAll(r); err != nil || len(b) != 0 {
		t.Errorf("behind it: %q, %v", b, err)
	}
	<-c.(transport.Ender).Ended()
}

// A folder that is not there, or is none, says so when it is opened.
func TestNotThere(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), filepath.Join(tree(t), "a.txt")} {
		if c, err := (&Folder{Path: path}).Dial(t.Context()); err == nil {
			c.Close()
			t.Errorf("%s was opened", path)
		}
	}
}
