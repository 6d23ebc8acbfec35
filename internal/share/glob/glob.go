// Package glob tells which files people mean by patterns such as *.tmp or /src/**/test,
// and by the lines of a .gitignore. It knows paths only, with "/" between names, and
// opens nothing.
package glob

import (
	"path"
	"slices"
	"strings"
)

// A Pattern stands for some paths. "*" is any number of characters of a name, "?" is
// one, "[a-z]" one of these, "[!a-z]" one of the others; "**" is any number of names,
// and "\" takes the meaning of the next character away.
type Pattern struct {
	names []string // one for each name of a path, "**" for any number
	dir   bool     // it stands for directories only
	not   bool     // what it stands for is not ignored after all
}

// Parse reads what a person has written. A pattern that begins with "/" is one of whole
// paths, any other fits at every depth: a/*.c also means x/a/b.c. If it ends with "/"
// it is of directories only. An error matches [path.ErrBadPattern].
func Parse(text string) (Pattern, error) {
	return parse(text, strings.HasPrefix(text, "/"))
}

func parse(text string, whole bool) (Pattern, error) {
	p := Pattern{dir: strings.HasSuffix(text, "/")}
	if text = strings.Trim(text, "/"); text == "" {
		return Pattern{}, path.ErrBadPattern
	}
	p.names = strings.Split(text, "/")
	for i, name := range p.names {
		name = negated(name)
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return Pattern{}, path.ErrBadPattern
		}
		p.names[i] = name
	}
	if !whole && p.names[0] != "**" {
		p.names = append([]string{"**"}, p.names...)
	}
	return p, nil
}

// negated writes "[!a]" as package path has it, "[^a]".
func negated(name string) string {
	b := []byte(name)
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] == '[' && b[i+1] == '!':
			b[i+1] = '^'
		}
	}
	return string(b)
}

// Match tells whether the pattern stands for a path, which is that of a directory or of
// something else. What is in a directory that it stands for is not asked here.
func (p Pattern) Match(file string, dir bool) bool {
	if p.dir && !dir {
		return false
	}
	if len(p.names) == 2 && p.names[0] == "**" && p.names[1] != "**" {
		return one(p.names[1], path.Base(file)) // most are like this
	}
	return match(p.names, strings.Split(file, "/"))
}

func one(pattern, name string) bool {
	ok, _ := path.Match(pattern, name) //nolint:errcheck // Parse has seen that it is right
	return ok
}

func match(pattern, names []string) bool {
	for ; len(pattern) > 0; pattern, names = pattern[1:], names[1:] {
		switch {
		case pattern[0] == "**" && len(pattern) == 1:
			return len(names) > 0 // a/** is what is in a
		case pattern[0] == "**":
			for i := range len(names) {
				if match(pattern[1:], names[i:]) {
					return true
				}
			}
			return false
		case len(names) == 0 || !one(pattern[0], names[0]):
			return false
		}
	}
	return len(names) == 0
}

// A List is some patterns.
type List []Pattern

// ParseList reads a pattern from each text.
func ParseList(texts ...string) (List, error) {
	var l List
	for _, text := range texts {
		p, err := Parse(text)
		if err != nil {
			return nil, &Error{text, err}
		}
		l = append(l, p)
	}
	return l, nil
}

// An Error says which pattern is none.
type Error struct {
	Pattern string
	Err     error
}

func (e *Error) Error() string { return "pattern " + e.Pattern + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Match tells whether one of the patterns stands for the path.
func (l List) Match(file string, dir bool) bool {
	return slices.ContainsFunc(l, func(p Pattern) bool { return p.Match(file, dir) })
}

// Inside tells whether one of the patterns stands for the path, or for a directory that it is in.
func (l List) Inside(file string, dir bool) bool {
	for ; len(l) > 0; dir = true {
		if l.Match(file, dir) {
			return true
		}
		i := strings.LastIndexByte(file, '/')
		if i < 0 {
			return false
		}
		file = file[:i]
	}
	return false
}

// A Choice is what people want of a tree: only these, unless there are none, and not those.
type Choice struct{ Only, Exclude List }

// ParseChoice reads patterns.
func ParseChoice(only, exclude []string) (c Choice, err error) {
	if c.Only, err = ParseList(only...); err == nil {
		c.Exclude, err = ParseList(exclude...)
	}
	return c, err
}

// All tells whether everything is wanted.
func (c Choice) All() bool { return len(c.Only)+len(c.Exclude) == 0 }

// Has tells whether what is at the path is wanted.
func (c Choice) Has(file string, dir bool) bool {
	return !c.Exclude.Inside(file, dir) && (len(c.Only) == 0 || c.Only.Inside(file, dir))
}
