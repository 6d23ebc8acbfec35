package neutral

import (
	"strings"
	"unicode/utf8"
)

// FileName returns a name for a file that somebody else has named, which shows itself, all of it, wherever names of files are
// listed: what [Line] would show as an escape, and path separators of any system, become _, and so does what would hide
// it, or make it an option of a command, at its beginning; spaces and dots at the end go. It is never empty, and no longer than
// name. A name like that is returned as it is.
func FileName(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && n == 1 || !harmless(r) || r == '/' || r == '\\' {
			b.WriteByte('_')
		} else {
			b.WriteString(name[:n])
		}
		name = name[n:]
	}
	s := strings.TrimRight(b.String(), " .")
	if s == "" {
		return "_"
	}
	if strings.ContainsRune(".- ~", rune(s[0])) {
		s = "_" + s[1:]
	}
	return s
}
