package plan

import (
	"errors"
	"iter"

	"github.com/tenon-net/tenon/transport"
)

// rereads yields all that has files to read again: the parts themselves, and the secrets
// that options of theirs, or of every end, have from files.
func (p *Plan) rereads() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, half := range p.Halves() {
			for _, set := range half.sets() {
				if !yield(set) {
					return
				}
			}
			for _, part := range half.Parts {
				if !yield(part.End) {
					return
				}
			}
		}
	}
}

// Reload reads and checks all files that options of the end name, and changes nothing.
// Commit puts what was read in place. See [transport.Reloader].
func (p *Plan) Reload() (commit func(), err error) {
	var commits []func()
	var errs []error
	for part := range p.rereads() {
		r, ok := part.(transport.Reloader)
		if !ok {
			continue
		}
		commit, err := r.Reload()
		commits, errs = append(commits, commit), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return func() {
		for _, commit := range commits {
			commit()
		}
	}, nil
}

// Notify has all that the end has to tell while it is in use go to tell. See
// [transport.Noticer].
func (p *Plan) Notify(tell func(line string)) {
	for part := range p.rereads() {
		if n, ok := part.(transport.Noticer); ok {
			n.Notify(tell)
		}
	}
}
