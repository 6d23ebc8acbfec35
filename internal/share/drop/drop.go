// Package drop shows a page on which whoever has a browser leaves files, and takes them: by tus
// 1.0.0, the protocol of uploads that go on after a cut (https://tus.io/protocols/resumable-upload), or
// by a plain form where there is no JavaScript. What comes waits in a hidden folder until it is whole, and then
// gets its name; see [stage.Box]. It opens no sockets: it is an http.Handler.
//
// The link is the right: it has 128 random bits in it, and none of what is here can be seen by it. Who
// drops learns neither what is there nor what a file is called in the end.
//
//   - drop.go: what there is and who may; upload.go: one file, from the first byte to its name.
//   - tus.go: the protocol; form.go: the form; limits.go: how much may come.
package drop

import (
	"cmp"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/share/page"
	"github.com/tenon-net/tenon/internal/share/stage"
)

// Config says what is taken, and where it goes.
type Config struct {
	Target    string // a directory
	Overwrite bool   // files that are there are replaced; otherwise what comes gets another name

	// Any takes names that a person should see before: hidden ones, and those of files that programs obey
	// without being told.
	Any bool

	MaxSize int64 // bytes of all that is taken, over all processes that go on with this; 0 = what the disk has room for
	Files   int   // so many files are taken; 0 = maxFiles

	// Events, if not nil, is called when something has happened, without a lock held.
	Events func(Event)
}

// An EventKind says what has happened to a file.
type EventKind string

// The kinds of events.
const (
	Begun   EventKind = "begun"
	Landed  EventKind = "landed"   // it is whole and has its name
	Given   EventKind = "given up" // who sent it has taken it back, or it has run out
	Refused EventKind = "refused"  // it is not taken: Text says why
)

// An Event is something that a person may want to know. Names come from strangers.
type Event struct {
	Kind  EventKind
	Name  string // as it was called by who sends it
	As    string // its name at the target, when it has landed
	Bytes int64
	From  string // the address of who sends it
	Text  string
}

// A Drop takes files. Its methods may be called at the same time.
type Drop struct {
	Config
	box     *stage.Box
	handler http.Handler

	mu      sync.Mutex // guards what follows
	kept    kept
	uploads map[string]*upload
	closed  bool
	purged  time.Time

	over chan struct{} // closed when as many files have come as are taken
	full func()        // closes it
}

// kept is what is kept of the whole, for a later process.
type kept struct {
	Token string
	Files int // that have landed
	Bytes int64
}

// keptID is under what it is kept.
const keptID = "drop"

// New begins to take files, or goes on with what an earlier process has left at the target, at the same link. The
// caller calls Close.
func New(c Config) (*Drop, error) {
	box, err := stage.OpenBox(c.Target, c.Overwrite)
	if err != nil {
		return nil, err
	}
	c.Files = cmp.Or(c.Files, maxFiles)
	d := &Drop{Config: c, box: box, uploads: map[string]*upload{}, over: make(chan struct{})}
	d.full = sync.OnceFunc(func() { close(d.over) })
	d.handler = http.NewCrossOriginProtection().Handler(http.HandlerFunc(d.serve))
	if err := d.load(); err != nil {
		box.Close() //nolint:errcheck // err is what counts
		return nil, err
	}
	return d, nil
}

// load takes up what an earlier process has left.
func (d *Drop) load() error {
	var bad []string
	err := d.box.Notes(func(id string, text []byte) {
		if id == keptID {
			json.Unmarshal(text, &d.kept) //nolint:errcheck // then it begins anew
			return
		}
		u := &upload{id: id}
		if err := json.Unmarshal(text, &u.record); err != nil || u.Size < 0 || u.Offset < 0 || u.Offset > u.Size || d.box.Judge(u.Name) != nil || u.Once && !u.Landed && d.box.Has(id) {
			bad = append(bad, id)
			return
		}
		u.live.Store(u.Offset)
		d.uploads[id] = u
	})
	if err != nil {
		return err
	}
	for _, id := range bad {
		d.box.Remove(id) //nolint:errcheck // nobody knows of it
	}
	if d.purge(time.Now()); d.kept.Token == "" || d.unfinished() == 0 {
		for id := range d.uploads {
			d.forget(id)
		}
		d.kept = kept{Token: page.Token()}
		return d.keep()
	}
	for _, u := range d.uploads {
		switch {
		case u.Landed:
		case u.Offset < u.Size:
			if !d.box.Has(u.id) {
				d.forget(u.id)
			}
		case d.box.Has(u.id):
			if err := d.land("", u); err != nil {
				return err
			}
		default: // its name is the last thing that it gets
			u.Landed = true
			d.kept.Files++
			d.kept.Bytes += u.Size
		}
	}
	if d.kept.Files >= d.Files {
		d.full()
	}
	return d.keep()
}

// keep notes what is known of the whole. Whoever calls it holds mu, or is alone.
func (d *Drop) keep() error {
	text, err := json.Marshal(d.kept)
	if err != nil {
		return err
	}
	return d.box.Note(keptID, text)
}

// Path is the path of the page, by which it can be had.
func (d *Drop) Path() string { return "/" + d.kept.Token + "/" }

// Dir is where files are that are not whole yet.
func (d *Drop) Dir() string { return d.box.Dir() }

// Over is closed when as many files have come as are taken.
func (d *Drop) Over() <-chan struct{} { return d.over }

// Status tells how far it is.
type Status struct {
	Landed, Coming int // files
	LandedBytes    int64
	Bytes, OfBytes int64 // of those that are coming
	Names          []string
}

// Status tells how far it is; what was given up by itself goes.
func (d *Drop) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.purge(time.Now())
	s := Status{Landed: d.kept.Files, LandedBytes: d.kept.Bytes}
	for _, u := range d.uploads {
		if !u.Landed {
			s.Coming++
			s.Bytes += u.live.Load()
			s.OfBytes += u.Size
			s.Names = append(s.Names, u.Name)
		}
	}
	slices.Sort(s.Names)
	return s
}

// Close ends it: no request may be going on any more. What is not whole stays, and New goes on with it; if
// there is nothing, or it shall be forgotten, nothing is left but the files that have come.
func (d *Drop) Close(forget bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if forget || d.unfinished() == 0 {
		return d.box.Discard()
	}
	return d.box.Close()
}

// unfinished counts the files that are not whole. Whoever calls it holds mu, or is alone.
func (d *Drop) unfinished() (n int) {
	for _, u := range d.uploads {
		if !u.Landed {
			n++
		}
	}
	return n
}

//go:embed page.html drop.js sha256.js drop.css
var content embed.FS

var pageTemplate = template.Must(template.ParseFS(content, "page.html"))

// A view is what the page shows.
type view struct {
	Plain   bool // who is on the way can read it
	Most    string
	Results []result
}

// A result is what has become of a file of the form.
type result struct{ Name, Why string }

// ServeHTTP answers. Who does not know the link learns nothing, and neither does a page of another site have a
// browser send something here.
func (d *Drop) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

func (d *Drop) serve(w http.ResponseWriter, r *http.Request) {
	token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if subtle.ConstantTimeCompare([]byte(strings.ToLower(token)), []byte(d.kept.Token)) != 1 { // a QR code has capitals
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // the link is a secret; a form says where it comes from by it
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-cache")
	id, isFile := strings.CutPrefix(rest, files)
	switch {
	case isFile:
		d.tus(w, r, id)
	case rest == "" && r.Method == http.MethodPost:
		d.form(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This cannot be done here.", http.StatusMethodNotAllowed)
	case rest == "":
		d.show(w, r, http.StatusOK, nil)
	case strings.HasSuffix(rest, ".js"), strings.HasSuffix(rest, ".css"):
		http.ServeFileFS(w, r, content, rest)
	default:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
	}
}

// show shows the page, and what has become of files that a form has sent.
func (d *Drop) show(w http.ResponseWriter, r *http.Request, status int, results []result) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	v := view{Plain: r.TLS == nil && !isLoopback(r), Results: results}
	if d.MaxSize > 0 {
		v.Most = page.Size(d.MaxSize)
	}
	pageTemplate.Execute(w, v) //nolint:errcheck // the browser is gone
}
