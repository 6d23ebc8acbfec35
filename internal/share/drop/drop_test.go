package drop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A box is a Drop that is served.
type box struct {
	*testing.T
	*Drop
	dir    string
	server *httptest.Server

	mu     sync.Mutex
	events []Event
}

// newBox begins one. It can be ended, and begun again as by a later process.
func newBox(t *testing.T, dir string, change func(*Config)) *box {
	t.Helper()
	b := &box{T: t, dir: dir}
	c := Config{Target: dir, Events: func(e Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e)
	}}
	if change != nil {
		change(&c)
	}
	d, err := New(c)
	must(t, err)
	b.Drop = d
	b.server = httptest.NewServer(d)
	t.Cleanup(func() { b.server.Close(); d.box.Close() })
	return b
}

func (b *box) end(forget bool) {
	b.Helper()
	b.server.CloseClientConnections()
	b.server.Close()
	must(b.T, b.Close(forget))
}

// landed are the files that have come, and what is in them.
func (b *box) landed() map[string]string {
	b.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(b.dir)
	must(b.T, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tenon-") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(b.dir, e.Name()))
		must(b.T, err)
		all[e.Name()] = string(text)
	}
	return all
}

// ask sends a request of tus; headers are names and values.
func (b *box) ask(method, url string, body io.Reader, headers ...string) *http.Response {
	b.Helper()
	if strings.HasPrefix(url, "/") {
		url = b.server.URL + url
	}
	r, err := http.NewRequest(method, url, body)
	must(b.T, err)
	r.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	must(b.T, err)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp
}

func (b *box) want(resp *http.Response, status int) *http.Response {
	b.Helper()
	if resp.StatusCode != status {
		b.Fatalf("%s %s: %s, want %d", resp.Request.Method, resp.Request.URL, resp.Status, status)
	}
	return resp
}

func meta(name string) string { return "filename " + base64.StdEncoding.EncodeToString([]byte(name)) }

// begin begins an upload and returns its link.
func (b *box) begin(name string, size int) string {
	b.Helper()
	resp := b.want(b.ask("POST", b.Path()+files, nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", meta(name)), 201)
	return resp.Header.Get("Location")
}

func (b *box) patch(url string, at int, body string, headers ...string) *http.Response {
	b.Helper()
	return b.ask("PATCH", url, strings.NewReader(body), append(headers, "Content-Type", chunk, "Upload-Offset", strconv.Itoa(at))...)
}

func (b *box) offset(url string) string {
	b.Helper()
	resp := b.want(b.ask("HEAD", url, nil), 200)
	if resp.Header.Get("Cache-Control") != "no-store" {
		b.Errorf("what HEAD says may be kept: %q", resp.Header.Get("Cache-Control"))
	}
	return resp.Header.Get("Upload-Offset") + "/" + resp.Header.Get("Upload-Length")
}

func sum256(s string) string {
	h := sha256.Sum256([]byte(s))
	return "sha256 " + base64.StdEncoding.EncodeToString(h[:])
}

// The protocol, as its headings go.
func TestTus(t *testing.T) {
	b := newBox(t, t.TempDir(), func(c *Config) { c.MaxSize = 1 << 20 })
	o := b.want(b.ask("OPTIONS", b.Path()+files, nil), 204).Header
	if o.Get("Tus-Version") != "1.0.0" || o.Get("Tus-Max-Size") != "1048576" || o.Get("Tus-Extension") != tusExtensions || o.Get("Tus-Checksum-Algorithm") != "sha1,sha256" {
		t.Errorf("OPTIONS: %v", o)
	}
	url := b.begin("a.txt", 11)
	if got := b.offset(url); got != "0/11" {
		t.Error(got)
	}
	resp := b.want(b.patch(url, 0, "hello "), 204)
	until, err := http.ParseTime(resp.Header.Get("Upload-Expires"))
	if resp.Header.Get("Upload-Offset") != "6" || err != nil || time.Until(until) < time.Hour {
		t.Errorf("PATCH: %v, %v", resp.Header, err)
	}
	b.want(b.patch(url, 0, "again"), 409)
	b.want(b.patch(url, 7, "again"), 409)
	b.want(b.patch(url, 6, "too much of it"), 413)
	b.want(b.ask("PATCH", url, strings.NewReader("x"), "Upload-Offset", "6"), 415)
	b.want(b.patch(url, 6, "wrold", "Upload-Checksum", sum256("world")), 460)
	b.want(b.patch(url, 6, "world", "Upload-Checksum", "md5 AAAA"), 400)
	b.want(b.patch(url, 6, "world", "Upload-Checksum", "sha1 AAAA"), 400)
	b.want(b.ask("PATCH", url, nil, "Tus-Resumable", "0.2.2"), 412)
	if got := b.offset(url); got != "6/11" || len(b.landed()) != 0 {
		t.Errorf("%s, and there are %q", got, b.landed())
	}
	h := sha1.Sum([]byte("wor"))
	b.want(b.patch(url, 6, "wor", "Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(h[:])), 204)
	b.want(b.ask("POST", url, strings.NewReader("ld"), "X-HTTP-Method-Override", "PATCH", "Content-Type", chunk, "Upload-Offset", "9"), 204)
	if got := b.offset(url); got != "11/11" || b.landed()["a.txt"] != "hello world" {
		t.Errorf("%s, and there are %q", got, b.landed())
	}
	b.want(b.ask("DELETE", url, nil), 403)
	b.want(b.patch(url, 11, ""), 204)

	// With the creation.
	resp = b.want(b.ask("POST", b.Path()+files, strings.NewReader("whole"), "Content-Type", chunk, "Upload-Length", "5", "Upload-Metadata", meta("b")+",modified "+base64.StdEncoding.EncodeToString([]byte("1000000000000"))), 201)
	fi, err := os.Stat(filepath.Join(b.dir, "b"))
	if resp.Header.Get("Upload-Offset") != "5" || err != nil || fi.ModTime().UnixMilli() != 1e12 || b.landed()["b"] != "whole" {
		t.Errorf("%v, %v, %v", resp.Header, fi, err)
	}
	b.begin("empty", 0)
	url = b.begin("taken back", 9)
	b.want(b.patch(url, 0, "some"), 204)
	b.want(b.ask("DELETE", url, nil), 204)
	b.want(b.ask("HEAD", url, nil), 404)
	b.want(b.ask("DELETE", url, nil), 404)
	// Another of that name gets another one, and nobody is told.
	b.want(b.ask("POST", b.Path()+files, strings.NewReader("WHOLE"), "Content-Type", chunk, "Upload-Length", "5", "Upload-Metadata", meta("b")), 201)
	if got, want := fmt.Sprint(b.landed()), "map[a.txt:hello world b:whole b (2):WHOLE empty:]"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
	b.end(false)
	if _, err := os.Stat(filepath.Join(b.dir, ".tenon-drop")); !os.IsNotExist(err) {
		t.Errorf("something is left: %v", err)
	}
}

// What was interrupted goes on at the same link in a later process, from the last byte that is known to be good.
func TestLater(t *testing.T) {
	dir := t.TempDir()
	b := newBox(t, dir, nil)
	path, whole := b.Path(), strings.Repeat("0123456789", 100)
	url := b.begin("a", len(whole))
	done := b.begin("done", 4)
	b.want(b.patch(url, 0, whole[:300]), 204)
	b.want(b.patch(done, 0, "done"), 204)
	if _, err := New(Config{Target: dir}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two at a time: %v", err)
	}
	// A connection that is cut keeps what has come; with a hash, nothing of it.
	cut := func(at int, body string, headers string) {
		c, err := net.Dial("tcp", b.server.Listener.Addr().String())
		must(t, err)
		fmt.Fprintf(c, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\nUpload-Offset: %d\r\nContent-Length: %d\r\n%s\r\n%s", url, chunk, at, len(whole)-at, headers, body)
		must(t, c.(*net.TCPConn).CloseWrite())
		io.Copy(io.Discard, c)
		c.Close()
	}
	cut(300, whole[300:450], "")
	if got := b.offset(url); got != "450/1000" {
		t.Errorf("after a cut: %s", got)
	}
	cut(450, whole[450:600], "Upload-Checksum: "+sum256(whole[450:])+"\r\n")
	if got := b.offset(url); got != "450/1000" {
		t.Errorf("after a cut, with a hash: %s", got)
	}
	b.end(false)
	// What a crash has left behind what is known to be good is not believed.
	parts, _ := filepath.Glob(filepath.Join(dir, ".tenon-drop", "*.part"))
	if len(parts) != 1 {
		t.Fatal(parts)
	}
	f, err := os.OpenFile(parts[0], os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	f.WriteString("nobody has sent this")
	f.Close()
	must(t, os.WriteFile(filepath.Join(dir, ".tenon-drop", "0123.part"), []byte("nobody's"), 0o600))

	b = newBox(t, dir, nil)
	if b.Path() != path {
		t.Errorf("the link is another")
	}
	if got := b.offset(url) + b.offset(done); got != "450/10004/4" {
		t.Errorf("in the next process: %s", got)
	}
	if s := b.Status(); s.Landed != 1 || s.Coming != 1 || s.Bytes != 450 || s.OfBytes != 1000 {
		t.Errorf("it says %+v", s)
	}
	b.want(b.patch(url, 450, whole[450:]), 204)
	if got := b.landed(); got["a"] != whole || len(got) != 2 {
		t.Errorf("there are %d files, and %q", len(got), got["a"])
	}
	b.end(false)
	b = newBox(t, dir, nil)
	if b.Path() == path {
		t.Error("a link that is over is good again")
	}
}

// One who comes again need not wait until it is noticed that the connection before was lost.
func TestTakenOver(t *testing.T) {
	b := newBox(t, t.TempDir(), nil)
	url := b.begin("a", 10)
	c, err := net.Dial("tcp", b.server.Listener.Addr().String())
	must(t, err)
	defer c.Close()
	fmt.Fprintf(c, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: %s\r\nUpload-Offset: 0\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", url, chunk)
	said := make([]byte, 12)
	if _, err := io.ReadFull(c, said); err != nil || string(said) != "HTTP/1.1 100" { // now it is being read
		t.Fatalf("%q, %v", said, err)
	}
	io.WriteString(c, "0123")
	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "HEAD", b.server.URL+url, nil)
	r.Header.Set("Tus-Resumable", "1.0.0")
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	resp.Body.Close()
	at, _ := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	b.want(b.patch(url, at, "0123456789"[at:]), 204)
	if b.landed()["a"] != "0123456789" {
		t.Errorf("there are %q", b.landed())
	}
}

// Names that would do harm are refused before a byte, and so is what is too much.
func TestHostile(t *testing.T) {
	b := newBox(t, t.TempDir(), func(c *Config) { c.MaxSize, c.Files = 1000, 3 })
	outside, err := os.ReadDir(filepath.Dir(b.dir))
	must(t, err)
	create := func(name, size string) int {
		return b.ask("POST", b.Path()+files, nil, "Upload-Length", size, "Upload-Metadata", meta(name)).StatusCode
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/x", `..\x`, `C:\x`, "a\x00b", "a\nb", "\x1b[31m", "a\u202eb", "\xff", strings.Repeat("x", 256), ".tenon-drop", ".TENON-x", ".bashrc", ".hidden", "authorized_keys", "autorun.inf"} {
		if got := create(name, "1"); got != 400 && got != 403 {
			t.Errorf("%q: %d", name, got)
		}
	}
	for _, size := range []string{"", "-1", "1e3", "9223372036854775808", "99999999999999999999"} {
		if got := create("x", size); got != 400 {
			t.Errorf("%q bytes: %d", size, got)
		}
	}
	for _, size := range []string{"1001", "9223372036854775807"} {
		if got := create("x", size); got != 413 {
			t.Errorf("%s bytes: %d", size, got)
		}
	}
	for _, header := range []string{"filename !", " YQ==", "filename YQ==,filename YQ=="} {
		b.want(b.ask("POST", b.Path()+files, nil, "Upload-Length", "1", "Upload-Metadata", header), 400)
	}
	a := b.begin("a", 600)
	if got := create("b", "500"); got != 413 { // that of what has begun counts
		t.Errorf("more than in all: %d", got)
	}
	b.begin("b", 1)
	b.begin("c", 1)
	if got := create("d", "1"); got != 403 {
		t.Errorf("more files than are taken: %d", got)
	}
	b.want(b.ask("DELETE", a, nil), 204)
	if got := create("d", "500"); got != 201 {
		t.Errorf("when there is room again: %d", got)
	}
	for _, path := range []string{"/", "/" + strings.Repeat("0", 32) + "/", "/" + strings.Repeat("0", 32) + "/files/", b.Path() + "x", b.Path() + "files/../../x", b.Path() + "page.html", b.Path() + "..%2fx.js", b.Path() + "files/x"} {
		if resp := b.ask("GET", path, nil); resp.StatusCode < 400 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	// Pages of others: by their origin, and by a name that points here.
	for _, h := range [][]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
		b.want(b.ask("POST", b.Path()+files, nil, append(h, "Upload-Length", "1", "Upload-Metadata", meta("e"))...), 403)
		b.want(b.ask("POST", b.Path(), strings.NewReader("x"), append(h, "Content-Type", "multipart/form-data; boundary=x")...), 403)
	}
	if got := b.landed(); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
	b.end(true)
	after, err := os.ReadDir(filepath.Dir(b.dir))
	must(t, err)
	left, err := os.ReadDir(b.dir)
	if must(t, err); len(after) != len(outside) || len(left) != 0 {
		t.Errorf("something was made: %v, %v", after, left)
	}

	any := newBox(t, t.TempDir(), func(c *Config) { c.Any = true })
	any.begin(".bashrc", 0)
	if _, ok := any.landed()[".bashrc"]; !ok {
		t.Errorf("what was asked for is not there: %q", any.landed())
	}
}

// No more can be begun than is kept in mind, and what waits for too long is forgotten.
func TestMany(t *testing.T) {
	b := newBox(t, t.TempDir(), nil)
	for i := range maxOpen {
		b.Drop.mu.Lock()
		b.Drop.uploads[strconv.Itoa(i)] = &upload{id: strconv.Itoa(i), record: record{Size: 1, Touched: time.Now()}}
		b.Drop.mu.Unlock()
	}
	b.want(b.ask("POST", b.Path()+files, nil, "Upload-Length", "1", "Upload-Metadata", meta("x")), 429)
	b.Drop.mu.Lock()
	for _, u := range b.Drop.uploads {
		u.Touched = time.Now().Add(-2 * openFor)
	}
	b.Drop.purged = time.Time{}
	b.Drop.mu.Unlock()
	b.want(b.ask("HEAD", b.Path()+files+"1", nil), 404)
	url := b.begin("x", 1)
	if s := b.Status(); s.Coming != 1 {
		t.Errorf("%d wait", s.Coming)
	}
	b.want(b.patch(url, 0, "x"), 204)
}

// A plain form does for browsers without JavaScript. The same link in capitals is that of a QR code.
func TestForm(t *testing.T) {
	b := newBox(t, t.TempDir(), func(c *Config) { c.MaxSize = 5000 })
	send := func(path string, names ...string) (*http.Response, string) {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		for _, name := range names {
			w, err := m.CreateFormFile("file", name)
			must(t, err)
			w.Write([]byte(strings.Repeat(name, 10)))
		}
		m.Close()
		r, _ := http.NewRequest("POST", b.server.URL+path, &body)
		r.Header.Set("Content-Type", m.FormDataContentType())
		r.Header.Set("Origin", b.server.URL)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp, string(text)
	}
	resp, text := send(strings.ToUpper(b.Path()), "a", "<b>x</b>", ".profile", "../c")
	if resp.StatusCode != 403 || !strings.Contains(text, "&lt;b&gt;x") && !strings.Contains(text, "b&gt;: is there") || strings.Contains(text, "<b>") || !strings.Contains(text, ".profile: <strong>") {
		t.Errorf("%s: %s", resp.Status, text)
	}
	if got := b.landed(); got["a"] != strings.Repeat("a", 10) || got["c"] != strings.Repeat("../c", 10) || len(got) != 3 {
		t.Errorf("there are %q", got)
	}
	if _, text := send(b.Path(), strings.Repeat("y", 200), strings.Repeat("z", 200), strings.Repeat("q", 200)); !strings.Contains(text, "more than is taken") {
		t.Error("more came than is taken")
	}
	if strings.Contains(text, "<script>") || strings.Contains(text, "style=") || strings.Contains(text, "onclick") {
		t.Errorf("something is inline: %s", text)
	}
	// What is cut leaves nothing.
	before := len(b.landed())
	c, err := net.Dial("tcp", b.server.Listener.Addr().String())
	must(t, err)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\nContent-Disposition: form-data; name=file; filename=cut\r\n\r\nhalf of it", b.Path())
	must(t, c.(*net.TCPConn).CloseWrite())
	io.Copy(io.Discard, c)
	c.Close()
	if got := b.landed(); len(got) != before || b.Status().Coming != 0 {
		t.Errorf("there are %q, and %d wait", got, b.Status().Coming)
	}
	b.end(false)
}

// A disk that is full, or a folder that is gone, is an error and no crash; and what is large comes whole.
func TestDisk(t *testing.T) {
	b := newBox(t, t.TempDir(), nil)
	b.want(b.ask("POST", b.Path()+files, nil, "Upload-Length", strconv.FormatInt(1<<61, 10), "Upload-Metadata", meta("x")), 507)
	whole := make([]byte, 3<<20+17)
	rand.Read(whole)
	url := b.begin("big", len(whole))
	b.want(b.patch(url, 0, string(whole), "Upload-Checksum", sum256(string(whole))), 204)
	if b.landed()["big"] != string(whole) {
		t.Error("it is not what was sent")
	}
	fi, err := os.Stat(filepath.Join(b.dir, "big"))
	if must(t, err); fi.Mode().Perm()&0o111 != 0 || fi.Mode()&fs.ModeSymlink != 0 {
		t.Errorf("its mode is %v", fi.Mode())
	}
	url = b.begin("y", 10)
	must(t, os.RemoveAll(filepath.Join(b.dir, ".tenon-drop")))
	b.want(b.patch(url, 0, "0123456789"), 404)
}
