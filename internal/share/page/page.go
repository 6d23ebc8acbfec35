// Package page shows a share to whoever has a browser and no Tenon: a list, each file by
// itself, and everything as a zip. All of it can be fetched in parts, so that a download
// that was cut goes on. What is sent was verified like what peers get; a file that has
// changed is cut, and never sent wrong.
//
// The link is the right: it has 128 random bits in it. Nothing of a share is ever shown as a
// page of its own: files are attachments, without a type that a browser would run.
package page

import (
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
)

// A Page is the handler of one share. Its methods may be called at the same time.
type Page struct {
	name  string
	token string
	index func() (manifest.Index, string)
	source
	sums sums
}

// Token makes what is to be known to see a page.
func Token() string {
	var token [16]byte
	rand.Read(token[:]) //nolint:errcheck // it does not fail
	return hex.EncodeToString(token[:])
}

// New makes the page of a share. Index returns the manifest as far as it is known, and the
// share's root, or "" while that is not known. Unsent, if not nil, is told of files that were
// asked for and cannot be sent, by any goroutine.
func New(name, token string, store share.Store, index func() (manifest.Index, string), unsent func(path string, err error)) *Page {
	return &Page{name: name, token: token, index: index, source: source{store, unsent}}
}

// Path is the path of the page, by which it can be had.
func (p *Page) Path() string { return "/" + p.token + "/" }

// zipName is what the archive of everything is called. No entry at the top has that name: a
// path of the share begins behind "files/".
const (
	zipName = "all.zip"
	files   = "files/"
)

// ServeHTTP answers. Who does not know the link learns nothing.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox allow-downloads")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the link is a secret
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This is only to be read.", http.StatusMethodNotAllowed)
		return
	}
	switch name, ok := strings.CutPrefix(rest, files); {
	case rest == "":
		p.list(w, r, "")
	case rest == zipName:
		p.zip(w, r)
	case ok:
		p.entry(w, r, strings.TrimSuffix(name, "/"))
	default:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
	}
}

// entry answers with a file, or the list of a directory.
func (p *Page) entry(w http.ResponseWriter, r *http.Request, name string) {
	x, _ := p.index()
	n, e, ok := x.Find(name)
	switch {
	case !ok || e.Kind == manifest.Symlink:
		http.Error(w, "There is no such file.", http.StatusNotFound)
	case e.Kind == manifest.Dir:
		p.list(w, r, name)
	default:
		p.file(w, r, n, e)
	}
}

// file answers with a file, or a part of it (RFC 9110, section 14).
func (p *Page) file(w http.ResponseWriter, r *http.Request, n int, e manifest.Entry) {
	f, err := p.openFile(n, e)
	if err != nil {
		p.failed(w, err)
		return
	}
	defer f.close()
	attach(w, path.Base(e.Path))
	w.Header().Set("ETag", `"`+hex.EncodeToString(e.Root[:])+`"`)
	serve(w, r, time.Unix(0, e.ModTime), f, e.Size)
}

// attach has a browser save what follows, and not show it (RFC 6266, RFC 8187).
func attach(w http.ResponseWriter, name string) {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\/%`, r) {
			return '_'
		}
		return r
	}, name)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain, url.PathEscape(strings.ToValidUTF8(name, "_"))))
}

// failed says why a file cannot be had, in words that tell nothing of this machine.
func (p *Page) failed(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "The file is not there any more.", http.StatusGone)
		return
	}
	http.Error(w, "The file cannot be read, or has changed since it was shared.", http.StatusConflict)
}

// maxLines is how many entries a page shows.
const maxLines = 2000

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A view is what the page shows.
type view struct {
	Name, Dir string
	Up, Zip   string // where to
	Lines     []line
	More      string // where the rest is
	Files     int
	Bytes     string
	Whole     bool
}

type line struct {
	Name, Link, Size, Time, Note string
}

// list shows what is in a directory, or at the top.
func (p *Page) list(w http.ResponseWriter, r *http.Request, dir string) {
	x, _ := p.index()
	from := 0
	prefix := ""
	if dir != "" {
		n, _, _ := x.Find(dir)
		from, prefix = n+1, dir+"/"
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("from")); err == nil && n > from {
		from = n
	}
	v := view{Name: neutral.Line(p.name), Dir: neutral.Line(dir), Files: x.Totals().Files, Bytes: Size(x.Totals().Bytes), Whole: x.Done(), Zip: p.Path() + zipName}
	if dir != "" {
		v.Up = p.link(path.Dir(dir), true)
	}
	looked := 0
	for n, e := range x.From(from) {
		rest, in := strings.CutPrefix(e.Path, prefix)
		if !in {
			break
		}
		if looked++; len(v.Lines) == maxLines || looked > 100*maxLines {
			v.More = p.link(dir, true) + "?from=" + strconv.Itoa(n)
			break
		}
		if strings.Contains(rest, "/") {
			continue
		}
		v.Lines = append(v.Lines, p.line(rest, e))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	pageTemplate.Execute(w, v) //nolint:errcheck // the browser is gone
}

func (p *Page) line(name string, e manifest.Entry) line {
	l := line{Name: neutral.Line(name), Time: time.Unix(0, e.ModTime).UTC().Format("2006-01-02 15:04")}
	switch e.Kind {
	case manifest.Dir:
		l.Name += "/"
		l.Link = p.link(e.Path, true)
	case manifest.Symlink:
		l.Note, l.Time = "link to "+neutral.Line(e.Target), ""
	case manifest.File:
		l.Size, l.Link = Size(e.Size), p.link(e.Path, false)
	}
	return l
}

// link returns where an entry of the share is.
func (p *Page) link(name string, dir bool) string {
	if name == "" || name == "." {
		return p.Path()
	}
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	link := p.Path() + files + strings.Join(parts, "/")
	if dir {
		link += "/"
	}
	return link
}

// Size says how many bytes there are.
func Size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, i := float64(n)/1024, 0
	for ; f >= 1024; i++ {
		f /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
