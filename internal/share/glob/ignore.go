package glob

import (
	"slices"
	"strings"
)

// Ignore is a .gitignore.
type Ignore []Pattern

// ParseIgnore reads a .gitignore, as gitignore(5) says. A line that is no pattern means
// nothing; so do those with the classes of POSIX, such as [[:alpha:]].
func ParseIgnore(text string) Ignore {
	var lines Ignore
	for line := range strings.SplitSeq(text, "\n") {
		line = trimmed(strings.TrimSuffix(line, "\r"))
		if strings.HasPrefix(line, "#") {
			continue
		}
		line, not := strings.CutPrefix(line, "!")
		// A slash at the beginning or in the middle: of the directory that the file is in.
		p, err := parse(line, strings.Contains(strings.TrimSuffix(line, "/"), "/"))
		if err != nil {
			continue
		}
		p.not = not
		lines = append(lines, p)
	}
	return lines
}

// trimmed cuts off the spaces at the end that are not escaped.
func trimmed(line string) string {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	return line
}

// Judge tells what the file says of a path, relative to the directory that it is in: the
// last line that fits counts. Known is false if there is none.
func (l Ignore) Judge(file string, dir bool) (ignored, known bool) {
	for _, p := range slices.Backward(l) {
		if p.Match(file, dir) {
			return !p.not, true
		}
	}
	return false, false
}
