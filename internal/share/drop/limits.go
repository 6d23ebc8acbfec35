package drop

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// What is taken at most, unless the user says otherwise.
const (
	maxFiles = 10_000          // that land
	maxOpen  = 1000            // that have begun and are not whole
	openFor  = 24 * time.Hour  // one of them waits for more
	patience = time.Minute     // for step bytes of a body, or its end
	step     = 4 << 10         // so a body that trickles is cut
	noted    = 64 << 20        // bytes that come between two notes of how far it is
	notedFor = 2 * time.Second // or time that passes
	spare    = 16 << 20        // that stay free on the disk
)

// A problem is why something is refused: a status of HTTP, and a sentence for people that tells
// nothing of this machine.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

var (
	errQuota  = &problem{http.StatusRequestEntityTooLarge, "That is more than is taken here."}
	errSpace  = &problem{http.StatusInsufficientStorage, "There is no room for that."}
	errMany   = &problem{http.StatusTooManyRequests, "Too many files have begun and are not whole."}
	errFull   = &problem{http.StatusForbidden, "As many files have come as are taken here."}
	errGone   = &problem{http.StatusNotFound, "There is no such file, or it waits no more."}
	errCut    = &problem{http.StatusBadRequest, "The rest has not come."}
	errBroken = &problem{http.StatusInternalServerError, "It cannot be written here."}
)

// reason is what may be told of an error.
func reason(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return errBroken
}

// judge tells why a file of that name is not taken.
func (d *Drop) judge(name string) error {
	err := d.box.Judge(name)
	marks := manifest.Marks(manifest.Entry{Path: name, Kind: manifest.File})
	switch {
	case err != nil || strings.Contains(name, `\`):
		return &problem{http.StatusBadRequest, "A file cannot have that name here."}
	case strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) || r == unicode.ReplacementChar
	}):
		return &problem{http.StatusBadRequest, "A file of that name is not taken: it has a control character."}
	case !d.Any && marks&(manifest.Hidden|manifest.Trusted) != 0:
		return &problem{http.StatusForbidden, "A file of that name is not taken: it would be hidden, or be obeyed by programs."}
	}
	return nil
}

// room tells whether so many bytes more are taken. Whoever calls it holds mu.
func (d *Drop) room(size int64) error {
	var all, missing int64
	open := 0
	for _, u := range d.uploads {
		if !u.Landed {
			open++
			all += u.Size
			missing += u.Size - u.Offset
		}
	}
	switch {
	case d.kept.Files+open >= d.Files:
		return errFull
	case open >= maxOpen:
		return errMany
	case d.MaxSize > 0 && size > d.MaxSize-d.kept.Bytes-all:
		return errQuota
	case size > 1<<62 || d.box.Room(missing+size+spare) != nil:
		return errSpace
	}
	return nil
}

// left is how many bytes more are taken; none is no limit.
func (d *Drop) left() (n int64, limited bool) {
	if d.MaxSize == 0 {
		return 0, false
	}
	n = d.MaxSize - d.kept.Bytes
	for _, u := range d.uploads {
		if !u.Landed {
			n -= u.Size
		}
	}
	return max(n, 0), true
}

// purge forgets what has waited for too long. Whoever calls it holds mu, or is alone.
func (d *Drop) purge(now time.Time) {
	if now.Sub(d.purged) < time.Minute {
		return
	}
	d.purged = now
	for id, u := range d.uploads {
		if u.writer == nil && now.After(u.until()) {
			d.forget(id)
		}
	}
}

// forget removes what is known of a file. Whoever calls it holds mu, or is alone.
func (d *Drop) forget(id string) {
	delete(d.uploads, id)
	d.box.Remove(id) //nolint:errcheck // Notes finds it again
}

func (d *Drop) tell(e Event) {
	if d.Events != nil {
		d.Events(e)
	}
}

// refused tells that something is not taken, and answers so.
func (d *Drop) refused(w http.ResponseWriter, r *http.Request, name string, err error) {
	p := reason(err)
	d.tell(Event{Kind: Refused, Name: name, From: from(r), Text: err.Error()})
	http.Error(w, p.text, p.status)
}

// from is who sends a request, as far as can be seen.
func from(r *http.Request) string {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap().String()
	}
	return r.RemoteAddr
}

func isLoopback(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}
