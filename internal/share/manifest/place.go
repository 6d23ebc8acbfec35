package manifest

import (
	"bytes"
	"cmp"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// A place is how far an encoder or decoder has come in the tree. It knows the elder
// sibling of whatever may come next: a part of the path of the last entry. The zero
// place is before the first entry.
type place struct {
	path  []byte // of the last entry; where a block begins, the directory that goes on
	ends  []int  // where each name of path ends in it
	leaf  bool   // the last entry is no directory
	first bool   // nothing has come in this block: the first is in path
	mtime int64  // of the last entry of the block
	name  []byte // scratch
}

// begin goes to the beginning of a block whose first entry is in the directory parent.
func (p *place) begin(parent []byte) {
	p.path, p.ends = append(p.path[:0], parent...), p.ends[:0]
	for i, c := range parent {
		if c == '/' {
			p.ends = append(p.ends, i)
		}
	}
	if len(parent) > 0 {
		p.ends = append(p.ends, len(parent))
	}
	p.leaf, p.first, p.mtime = false, true, 0
}

// at returns where in path a name of this depth begins, and the name that is there,
// which is that of the elder sibling. There is none at the depth of len(ends).
func (p *place) at(depth int) (start int, sibling []byte) {
	if depth > 0 {
		start = p.ends[depth-1] + 1
	}
	if depth < len(p.ends) {
		sibling = p.path[start:p.ends[depth]]
	}
	return start, sibling
}

// check is the one judge of entries, before they are written and after they are read.
func (p *place) check(it *item) Rule {
	if it.depth > len(p.ends) || it.depth == len(p.ends) && p.leaf || it.depth < len(p.ends) && p.first {
		return RuleParent
	}
	start, sibling := p.at(it.depth)
	if it.shared > len(sibling) {
		return RulePrefix
	}
	p.name = append(append(p.name[:0], sibling[:it.shared]...), it.suffix...)
	if rule := nameRule(p.name); rule != "" {
		return rule
	}
	if it.shared < len(sibling) && len(it.suffix) > 0 && it.suffix[0] == sibling[it.shared] {
		return RulePrefix
	}
	switch {
	case it.depth >= MaxDepth:
		return RuleDepth
	case start+len(p.name) > MaxPath:
		return RulePath
	case sibling != nil && bytes.Compare(sibling, p.name) >= 0:
		return RuleOrder
	case it.raw == (utf8.Valid(p.name) && utf8.Valid(it.target)):
		return RuleRaw
	case it.mode&^0o777 != 0:
		return RuleMode
	case it.holes && it.size == 0:
		return RuleKind
	case it.kind == Symlink && (len(it.target) == 0 || len(it.target) > MaxPath || bytes.IndexByte(it.target, 0) >= 0):
		return RuleTarget
	case it.kind == File && it.size == 0 && it.root != EmptyRoot:
		return RuleRoot
	}
	return ""
}

// nameRule judges one name.
func nameRule(name []byte) Rule {
	switch {
	case len(name) == 0, string(name) == ".", string(name) == "..":
		return RuleDots
	case bytes.IndexByte(name, '/') >= 0, bytes.IndexByte(name, 0) >= 0:
		return RuleChar
	case len(name) > MaxName:
		return RuleName
	}
	return ""
}

// NameRule returns the [Rule] that a single name breaks, or nil.
func NameRule(name string) error {
	if rule := nameRule([]byte(name)); rule != "" {
		return rule
	}
	return nil
}

// pathRule judges the names of a path, which is not the empty one of the top.
func pathRule(path string) Rule {
	if len(path) > MaxPath {
		return RulePath
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		if depth++; depth > MaxDepth {
			return RuleDepth
		}
		if rule := nameRule([]byte(name)); rule != "" {
			return rule
		}
	}
	return ""
}

// move goes on to an item that has been checked.
func (p *place) move(it *item) {
	start, _ := p.at(it.depth)
	if start > len(p.path) {
		p.path = append(p.path, '/')
	}
	p.path = append(p.path[:start+it.shared], it.suffix...)
	p.ends = append(p.ends[:it.depth], len(p.path))
	p.leaf, p.first, p.mtime = it.kind != Dir, false, it.mtime
}

// entry returns the item to which the place has moved.
func (p *place) entry(it *item) Entry {
	return Entry{
		Path: string(p.path), Kind: it.kind, Mode: fs.FileMode(it.mode), ModTime: it.mtime,
		Size: it.size, Root: it.root, Target: string(it.target), Holes: it.holes,
	}
}

// item returns the entry as it would be written here.
func (p *place) item(e *Entry) (item, Rule) {
	depth := strings.Count(e.Path, "/")
	if len(e.Path) > MaxPath || depth > len(p.ends) {
		return item{}, cmp.Or(pathRule(e.Path), RuleParent)
	}
	start, sibling := p.at(depth)
	if start > 0 && !inside(e.Path, p.path[:start-1]) {
		return item{}, cmp.Or(pathRule(e.Path), RuleParent)
	}
	name := []byte(e.Path[start:])
	it := item{
		kind: e.Kind, holes: e.Holes, depth: depth, suffix: name,
		mode: uint16(e.Mode & 0o777), mtime: e.ModTime, size: e.Size, root: e.Root, target: []byte(e.Target),
	}
	for it.shared < min(len(name), len(sibling)) && name[it.shared] == sibling[it.shared] {
		it.shared++
	}
	it.suffix = name[it.shared:]
	it.raw = !utf8.Valid(name) || !utf8.Valid(it.target)
	return it, e.fields()
}

// inside tells whether the path is of something in the directory.
func inside(path string, dir []byte) bool {
	return len(path) > len(dir) && path[:len(dir)] == string(dir) && path[len(dir)] == '/'
}

// fields tells whether the entry has what its kind does not, or not in this form.
func (e *Entry) fields() Rule {
	none := [32]byte{}
	switch {
	case !slices.Contains([]Kind{File, Dir, Symlink}, e.Kind),
		e.Kind != File && (e.Size != 0 || e.Root != none || e.Holes),
		e.Kind != Symlink && e.Target != "",
		e.Kind == Symlink && e.Mode != 0:
		return RuleKind
	case e.Mode&^0o777 != 0:
		return RuleMode
	case e.Size < 0:
		return RuleSize
	}
	return ""
}
