package tlsconf

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// A Loader keeps the configuration of one side of an end, which all connections of
// the end share: what was made of the options and of the files that they name. The
// files are looked at for each connection, and read again when one of them has
// changed: all of them or none, so that no connection meets a new certificate with
// an old authority. When they cannot be used, what was read before goes on.
//
// Each reading makes a new configuration, and with it new keys of session tickets
// and an empty memory of sessions. The zero Loader is empty.
type Loader struct {
	now  atomic.Pointer[loaded]
	tell atomic.Pointer[func(line string)]
}

// loaded is what one reading gave. It does not change.
type loaded struct {
	cfg  *tls.Config
	seen [4]os.FileInfo // the files when they were last tried, whether or not that worked
}

// Notify has tell called when files that have changed were read, or could not be.
func (l *Loader) Notify(tell func(line string)) { l.tell.Store(&tell) }

// Get returns the configuration of this moment, made by build out of what the files
// of o say. It fails only when there is none yet; the next call tries again then.
func (l *Loader) Get(o *Options, build func(Files) (*tls.Config, error)) (*tls.Config, error) {
	now := l.now.Load()
	if now != nil && sameFiles(now.seen, o.stat()) {
		return now.cfg, nil
	}
	next, err := load(o, build)
	switch {
	case now == nil && err != nil:
		return nil, err
	case err != nil:
		next.cfg = now.cfg
	}
	if !l.now.CompareAndSwap(now, next) {
		return l.now.Load().cfg, nil // somebody else has seen the change too
	}
	switch {
	case now == nil:
	case err != nil:
		l.say("%v; what was read before goes on", err)
	default:
		l.say("read %s again", strings.Join(o.files(), ", "))
	}
	return next.cfg, nil
}

// Reload reads the files again, and returns what puts the result in place. Where
// nothing has been read yet the files are checked all the same.
func (l *Loader) Reload(o *Options, build func(Files) (*tls.Config, error)) (commit func(), err error) {
	if l.now.Load() == nil {
		_, err := o.read()
		return func() {}, err
	}
	next, err := load(o, build)
	if err != nil {
		return nil, err
	}
	return func() { l.now.Store(next) }, nil
}

// load reads the files. With an error, seen alone is set.
func load(o *Options, build func(Files) (*tls.Config, error)) (*loaded, error) {
	next := &loaded{seen: o.stat()} // before reading: what changes meanwhile is seen next time
	files, err := o.read()
	if err == nil {
		next.cfg, err = build(files)
	}
	return next, err
}

func (l *Loader) say(format string, args ...any) {
	if tell := l.tell.Load(); tell != nil {
		(*tell)(fmt.Sprintf(format, args...))
	}
}

// files returns the names of the files that the options name.
func (o *Options) files() []string {
	var names []string
	for _, name := range [...]string{o.CA, o.Cert, o.Key, o.CRL} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// stat looks at the files; nil stands for one that is not there.
func (o *Options) stat() (seen [4]os.FileInfo) {
	for i, name := range o.files() {
		if fi, err := os.Stat(name); err == nil {
			seen[i] = fi
		}
	}
	return seen
}

func sameFiles(a, b [4]os.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime())) {
			return false
		}
	}
	return true
}
