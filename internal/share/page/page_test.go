package page

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/tree"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// names of files in a share, and how large they are.
var names = map[string]int{"a.txt": 10, "page.html": 100, "big": 1<<20 + 5, "empty": 0, "sub/über \"x\".bin": 70_000, "sub/\x1b[31mred\n": 3, "sub/tool": 5}

// newPage shares a directory and shows it.
func newPage(t *testing.T) (p *Page, url, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "photos")
	must(t, os.MkdirAll(filepath.Join(dir, "sub/none"), 0o755))
	for name, size := range names {
		b := make([]byte, size)
		rand.Read(b)
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "sub/tool"), 0o755))
	must(t, os.Symlink("a.txt", filepath.Join(dir, "link")))
	var b manifest.Builder
	var h tree.Hasher
	s, err := scan.New(scan.Config{Paths: []string{dir}, Add: func(p []byte, _ bool) error {
		h.Write(p) //nolint:errcheck // it does not fail
		return b.Append(p)
	}})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	must(t, s.Run(context.Background()))
	root, err := h.Sum()
	must(t, err)
	p = New("photos", Token(), s, func() (manifest.Index, string) { return b.Index(), root.String() }, nil)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL + p.Path(), dir
}

// fetch gets something, with what the server says of it.
func fetch(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, b
}

var links = regexp.MustCompile(`href="([^"]*)"`)

// Every file of a share can be reached from its page, whatever it is called, and is saved and not shown.
func TestPage(t *testing.T) {
	_, url, dir := newPage(t)
	found := 0
	var visit func(link string)
	seen := map[string]bool{}
	visit = func(link string) {
		if seen[link] {
			return
		}
		seen[link] = true
		resp, body := fetch(t, url[:strings.Index(url[8:], "/")+8]+link)
		if resp.StatusCode != 200 || resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %s, %v", link, resp.Status, resp.Header)
		}
		if strings.HasSuffix(link, "/") {
			if bytes.ContainsAny(body, "\x1b") {
				t.Errorf("%s has a control character", link)
			}
			for _, m := range links.FindAllStringSubmatch(string(body), -1) {
				visit(strings.ReplaceAll(m[1], "&#43;", "+"))
			}
			return
		}
		if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") || strings.Contains(resp.Header.Get("Content-Type"), "html") {
			t.Errorf("%s: a browser may show it: %v", link, resp.Header)
		}
		for name := range names {
			want, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
			if len(want) == len(body) && bytes.Equal(want, body) {
				found++
			}
		}
	}
	visit(url[strings.Index(url[8:], "/")+8:])
	if found != len(names) {
		t.Errorf("%d of %d files were found: %v", found, len(names), seen)
	}
}

// Parts of a file are parts of it, also much later; and who does not know the link gets nothing.
func TestParts(t *testing.T) {
	_, url, dir := newPage(t)
	want, err := os.ReadFile(filepath.Join(dir, "big"))
	must(t, err)
	resp, _ := fetch(t, url+"files/photos/big")
	tag := resp.Header.Get("ETag")
	for _, c := range []struct{ from, to int }{{0, 0}, {65535, 65536}, {1 << 20, 1<<20 + 4}, {300_000, 700_000}} {
		resp, body := fetch(t, url+"files/photos/big", "Range", fmt.Sprintf("bytes=%d-%d", c.from, c.to), "If-Range", tag)
		if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, want[c.from:c.to+1]) {
			t.Errorf("%v: %s, %d bytes", c, resp.Status, len(body))
		}
	}
	if resp, body := fetch(t, url+"files/photos/big", "Range", "bytes=5-9", "If-Range", `"another"`); resp.StatusCode != 200 || len(body) != len(want) {
		t.Errorf("a part of something else: %s, %d bytes", resp.Status, len(body))
	}
	if resp, _ := fetch(t, url+"files/photos/big", "If-None-Match", tag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("what is known is sent: %s", resp.Status)
	}
	base := url[:strings.Index(url[8:], "/")+8]
	for _, path := range []string{"/", "/files/photos/big", "/" + strings.Repeat("0", 32) + "/", "/all.zip"} {
		if resp, body := fetch(t, base+path); resp.StatusCode != 404 || bytes.Contains(body, []byte("photos")) {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	for _, path := range []string{"files/../../etc/passwd", "files/%2e%2e/%2e%2e/etc/passwd", "files/photos/link", "files/photos/%00", "files//etc/passwd", "x", "files/" + strings.Repeat("a/", 2000)} {
		if resp, body := fetch(t, url+path); resp.StatusCode != 404 && resp.StatusCode != 301 && resp.StatusCode != 200 || bytes.Contains(body, []byte("root:")) {
			t.Errorf("%s: %s %.40s", path, resp.Status, body)
		}
	}
}

// A file that has changed is never sent: the response is cut, or is an error.
func TestChanged(t *testing.T) {
	_, url, dir := newPage(t)
	b, err := os.ReadFile(filepath.Join(dir, "big"))
	must(t, err)
	b[len(b)-1] ^= 1
	must(t, os.WriteFile(filepath.Join(dir, "big"), b, 0o644))
	for _, path := range []string{"files/photos/big", "all.zip"} {
		resp, err := http.Get(url + path)
		must(t, err)
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode == 200 {
			t.Errorf("%s: it looks whole", path)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "big")))
	if resp, _ := fetch(t, url+"files/photos/big"); resp.StatusCode < 400 {
		t.Errorf("%s", resp.Status)
	}
}

// The zip can be had in parts of any size, in any order, and all of them are of one archive.
func TestZipParts(t *testing.T) {
	p, url, _ := newPage(t)
	_, whole := fetch(t, url+"all.zip")
	p.sums = sums{}
	for _, size := range []int{1 << 16, 4097, len(whole)} {
		for from := len(whole) - 1 - (len(whole)-1)%size; from >= 0; from -= size {
			to := min(from+size, len(whole)) - 1
			resp, part := fetch(t, url+"all.zip", "Range", fmt.Sprintf("bytes=%d-%d", from, to))
			if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[from:to+1]) {
				t.Fatalf("%d to %d: %s", from, to, resp.Status)
			}
		}
	}
}

// Everybody's programs take the archive, and get the same out of it.
func TestZipPrograms(t *testing.T) {
	_, url, dir := newPage(t)
	_, whole := fetch(t, url+"all.zip")
	name := filepath.Join(t.TempDir(), "all.zip")
	must(t, os.WriteFile(name, whole, 0o644))
	z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	must(t, err)
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%q: %v", f.Name, err)
		}
	}
	for _, program := range []string{"unzip -q ZIP -d TO", "7z x -y -oTO ZIP", "bsdtar -xf ZIP -C TO", "python3 -m zipfile -e ZIP TO"} {
		to := t.TempDir()
		args := strings.Fields(strings.NewReplacer("ZIP", name, "TO", to).Replace(program))
		if _, err := exec.LookPath(args[0]); err != nil {
			t.Errorf("%s is needed: %v", args[0], err)
			continue
		}
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
			continue
		}
		for file, size := range names {
			if strings.ContainsAny(file, "\x1b\n\"") {
				continue // some change such names
			}
			want, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			got, err := os.ReadFile(filepath.Join(to, "photos", file))
			if err != nil || len(got) != size || !bytes.Equal(got, want) {
				t.Errorf("%s: %s: %d bytes, %v", args[0], file, len(got), err)
			}
		}
		if fi, err := os.Stat(filepath.Join(to, "photos/sub/none")); err != nil || !fi.IsDir() {
			t.Errorf("%s: the empty directory: %v", args[0], err)
		}
	}
}

// Archives of more than 4 GiB, and of more than 65,535 files, are right.
func TestZip64(t *testing.T) {
	const many = 70_000
	var b manifest.Builder
	enc := manifest.Encoder{Emit: b.Append}
	must(t, enc.Add(manifest.Entry{Path: "a", Kind: manifest.File, Mode: 0o644, Size: 5 << 30, Root: [32]byte{1}}))
	for i := range many {
		must(t, enc.Add(manifest.Entry{Path: fmt.Sprintf("f%06d", i), Kind: manifest.File, Mode: 0o600, ModTime: time.Now().UnixNano(), Root: manifest.EmptyRoot}))
	}
	must(t, enc.Finish())
	var s sums
	s.put(0, 0x12345678)
	a := newArchive(b.Index(), source{}, &s)
	z, err := zip.NewReader(a, a.size)
	must(t, err)
	if len(z.File) != many+1 || z.File[0].UncompressedSize64 != 5<<30 || z.File[0].CRC32 != 0x12345678 {
		t.Fatalf("it has %d files, the first of %d bytes", len(z.File), z.File[0].UncompressedSize64)
	}
	for _, i := range []int{1, many / 2, many} {
		f := z.File[i]
		off, err := f.DataOffset()
		if want := fmt.Sprintf("f%06d", i-1); err != nil || f.Name != want || f.Mode() != 0o600|fs.FileMode(0) || off < 5<<30 {
			t.Errorf("%s at %d, %v, %v", f.Name, off, f.Mode(), err)
		}
		r, err := f.Open()
		must(t, err)
		if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
			t.Errorf("%s: %d bytes, %v", f.Name, len(b), err)
		}
	}
}
