package stage

import (
	"fmt"
	"strings"
)

// maxProblems is how many names an error tells.
const maxProblems = 10

// A Problem is a name that cannot be at the target.
type Problem struct {
	Path string // as it is in the manifest: it may have control characters
	Err  error  // matches ErrExists, ErrName or ErrLink
}

// Problems are an error about several names. It matches what any of them does.
type Problems struct {
	Some []Problem
	More int // that are not in Some
}

func (p *Problems) Error() string {
	var b strings.Builder
	for i, q := range p.Some {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%q: %v", q.Path, q.Err)
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "; and %d more", p.More)
	}
	return b.String()
}

// Unwrap returns the errors of the names.
func (p *Problems) Unwrap() []error {
	var all []error
	for _, q := range p.Some {
		all = append(all, q.Err)
	}
	return all
}

func (p *Problems) add(path string, err error) {
	if len(p.Some) < maxProblems {
		p.Some = append(p.Some, Problem{path, err})
	} else {
		p.More++
	}
}

func (p *Problems) err() error {
	if len(p.Some) == 0 {
		return nil
	}
	return p
}
