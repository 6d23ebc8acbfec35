package manifest

import (
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
)

// A Line is an entry as a person should see it before it is put on their disk. It is
// harmless to print, and to encode as JSON.
type Line struct {
	Path   string    `json:"path"`            // with control characters as escapes
	Exact  []byte    `json:"exact,omitempty"` // the path, if Path is another
	Kind   string    `json:"kind"`            // file, dir or symlink
	Size   int64     `json:"size"`            // bytes
	Mode   string    `json:"mode,omitempty"`  // as 0644; a link has none
	Time   time.Time `json:"time"`            // of the last modification, in UTC
	Target string    `json:"target,omitempty"`
	Marks  Mark      `json:"marks,omitempty"`
}

// Sums are what a List has yielded.
type Sums struct {
	Files int   `json:"files"`
	Dirs  int   `json:"dirs"`
	Links int   `json:"links"`
	Bytes int64 `json:"bytes"`

	Hidden     int `json:"hidden"`
	Executable int `json:"executable"`
	Trusted    int `json:"trusted"`
	Replaces   int `json:"replaces"`

	Whole bool `json:"whole"` // nothing will follow
}

// A List yields the entries of a manifest that grows, each once. The zero List yields all.
// It is for one goroutine.
type List struct {
	Want  func(Entry) bool       // nil: all are listed
	Taken func(path string) bool // tells whether something is in the place of a file or link; nil: nothing is

	next int
	sums Sums
}

// More yields what is new in x since it was called last. Whoever stops it goes on later with
// the entry that follows.
func (l *List) More(x Index) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for n, e := range x.From(l.next) {
			l.next = n + 1
			if (l.Want == nil || l.Want(e)) && !yield(l.line(e)) {
				return
			}
		}
		l.sums.Whole = x.Done()
	}
}

// Sums returns what was yielded up to now, all in all.
func (l *List) Sums() Sums { return l.sums }

func (l *List) line(e Entry) Line {
	line := Line{Path: neutral.Line(e.Path), Kind: e.Kind.String(), Size: e.Size, Time: time.Unix(0, e.ModTime).UTC(), Target: neutral.Line(e.Target), Marks: Marks(e)}
	if line.Path != e.Path {
		line.Exact = []byte(e.Path)
	}
	if e.Kind != Symlink {
		line.Mode = fmt.Sprintf("%04o", e.Mode&fs.ModePerm)
	}
	if e.Kind != Dir && l.Taken != nil && l.Taken(e.Path) {
		line.Marks |= Replaces
	}
	switch e.Kind {
	case File:
		l.sums.Files++
	case Dir:
		l.sums.Dirs++
	case Symlink:
		l.sums.Links++
	}
	l.sums.Bytes += e.Size
	for i, count := range [...]*int{&l.sums.Hidden, &l.sums.Executable, &l.sums.Trusted, &l.sums.Replaces} {
		*count += int(line.Marks >> i & 1)
	}
	return line
}

// String returns the line as people read lists, without its end.
func (l Line) String() string {
	var b strings.Builder
	mode := l.Mode
	if l.Kind == "dir" {
		mode = "d" + mode
	} else if l.Kind == "symlink" {
		mode = "link"
	}
	fmt.Fprintf(&b, "%5s %12d  %s  %s", mode, l.Size, l.Time.Format("2006-01-02 15:04:05"), l.Path)
	if l.Kind == "dir" {
		b.WriteByte('/')
	}
	if l.Target != "" {
		b.WriteString(" -> " + l.Target)
	}
	if l.Marks != 0 {
		b.WriteString("  (" + l.Marks.String() + ")")
	}
	return b.String()
}
