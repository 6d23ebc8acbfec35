package manifest

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is which different names are one to a file system.
type Fold byte

// What a file system may fold, to be combined.
const (
	FoldCase Fold = 1 << iota // upper and lower case, as NTFS, exFAT and APFS do
	FoldForm                  // the forms of Unicode in which an accent may be written, as APFS and HFS+ do
)

// Name returns what all names have in common that are one to the file system. Names
// that are not valid UTF-8 are one with themselves only.
func (f Fold) Name(name string) string {
	if f == 0 || !utf8.ValidString(name) {
		return name
	}
	if f&FoldForm != 0 {
		name = norm.NFD.String(name)
	}
	if f&FoldCase != 0 {
		name = strings.Map(foldRune, name)
	}
	if f == FoldCase|FoldForm {
		name = norm.NFD.String(name)
	}
	return name
}

// foldRune maps a letter to the same one whatever its case: to the least of those that
// Unicode folds together one by one. So "ß" is not "ss", as on most file systems.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// A Collision is two entries that would be one on the target.
type Collision struct {
	First, Second         int // their numbers
	FirstPath, SecondPath string
}

// Collisions returns entries that would get the name of another in the same directory,
// files and directories alike, in the order of the second, and at most limit of them. Only
// entries that are wanted count; without wanted, all are.
// What is inside of directories that collide is not told again. It goes through the manifest
// twice, and takes 8 bytes an entry meanwhile.
func (x Index) Collisions(fold Fold, limit int, wanted func(n int) bool) []Collision {
	if fold == 0 || limit <= 0 {
		return nil
	}
	k := newKeys(fold)
	all := make([]uint64, 0, x.totals.Entries)
	for i, d := range x.walk(0) {
		if wanted == nil || wanted(i) {
			all = append(all, k.sum(d.place.path))
		}
	}
	twice := repeated(all)
	if len(twice) == 0 {
		return nil
	}
	var found []Collision
	type seen struct {
		number int
		path   string
	}
	first := map[string]seen{}
	for i, d := range x.walk(0) {
		if wanted != nil && !wanted(i) {
			continue
		}
		if _, ok := slices.BinarySearch(twice, k.sum(d.place.path)); !ok {
			continue
		}
		path := string(d.place.path)
		other, ok := first[k.key(path)]
		switch {
		case ok:
			found = append(found, Collision{other.number, i, other.path, path})
			if len(found) == limit {
				return found
			}
		case len(first) < limit: // else there may be a thousand times a thousand
			first[k.key(path)] = seen{i, path}
		}
	}
	return found
}

// repeated returns what is in s more than once. It uses s up.
func repeated(s []uint64) []uint64 {
	slices.Sort(s)
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i] == s[i-1] && (n == 0 || s[n-1] != s[i]) {
			s[n] = s[i]
			n++
		}
	}
	return s[:n]
}

// keys makes of a path what it has in common with those that it collides with.
type keys struct {
	fold Fold
	seed maphash.Seed // which no sharer knows
	buf  []byte
}

func newKeys(fold Fold) *keys { return &keys{fold: fold, seed: maphash.MakeSeed()} }

func (k *keys) key(path string) string {
	i := strings.LastIndexByte(path, '/') + 1
	return path[:i] + k.fold.Name(path[i:])
}

// sum hashes the key. It makes no string for plain names.
func (k *keys) sum(path []byte) uint64 {
	k.buf = append(k.buf[:0], path...)
	name := k.buf[bytes.LastIndexByte(path, '/')+1:]
	for i, c := range name {
		if c >= utf8.RuneSelf {
			return maphash.String(k.seed, k.key(string(path)))
		}
		if k.fold&FoldCase != 0 {
			name[i] = byte(foldRune(rune(c)))
		}
	}
	return maphash.Bytes(k.seed, k.buf)
}
