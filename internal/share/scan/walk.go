package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/internal/share/manifest"
)

// An item is something on its way from the walk to the manifest, in the manifest's order.
type item struct {
	entry  manifest.Entry
	top    *top
	stat   stat
	inline inlineNodes // of a file of a few groups
	racy   bool        // it was too young to be trusted
	come   bool        // it is not trusted since it was not hashed here
	cached bool

	note Note    // instead of an entry
	keep *record // instead of an entry: of something that is not shared this time

	// Of a file that is being hashed: what is done with it by one of the workers.
	file *file
	err  error
	done chan struct{} // closed then
}

// A walker goes through what is shared. It is one goroutine; items come out in the order
// in which it sends them, whoever is done with them first.
type walker struct {
	scan  *Scan
	ctx   context.Context
	items chan *item
	work  chan *item
}

// A place is a directory of the walk.
type place struct {
	folder *folder
	top    *top
	path   string // in the share
	mode   fs.FileMode
	depth  int // names in path
	ignore []ignore
	chosen bool  // all in it is shared, and not only what [Config].Only says
	above  *item // the directory's own, while it is not sent as nothing in it was shared yet
	before *place
}

// An ignore is the .gitignore of the directory that has the path.
type ignore struct {
	path  string
	lines glob.Ignore
}

func (w *walker) run() {
	defer close(w.items)
	defer close(w.work)
	for _, t := range w.scan.tops {
		p := place{folder: t.folder, top: t, chosen: len(w.scan.config.Only) == 0}
		if t.file != "" {
			w.visit(&p, t.name, t.file)
		} else {
			w.directory(&p, t.folder, t.name, t.info, p.chosen || w.scan.config.Only.Match(t.name, true))
		}
	}
}

// visit sends what has this name, and all that is in it.
func (w *walker) visit(p *place, name, onDisk string) {
	if w.ctx.Err() != nil {
		return
	}
	path := name
	if p.path != "" {
		path = p.path + "/" + name
	}
	switch {
	case len(path) > manifest.MaxPath:
		w.left(path, manifest.RulePath)
		return
	case p.depth == manifest.MaxDepth:
		w.left(path, manifest.RuleDepth)
		return
	}
	i, err := p.folder.lstat(onDisk)
	if err != nil {
		w.left(path, err)
		return
	}
	c := &w.scan.config
	dir := i.mode.IsDir()
	if c.Exclude.Match(path, dir) || c.GitIgnore && p.ignored(path, dir) {
		return
	}
	chosen := p.chosen || c.Only.Match(path, dir)
	switch {
	case dir && changeTime && i.dev == w.scan.own.dev && i.ino == w.scan.own.ino:
		w.left(path, errors.New("it is where the hashes of what is shared are kept"))
	case dir:
		f, err := p.folder.folder(onDisk)
		if err != nil {
			w.left(path, err)
			return
		}
		w.directory(p, f, path, i, chosen)
		f.close()
	case !chosen:
	case i.regular():
		w.file(p, onDisk, path, i)
	case i.mode&fs.ModeSymlink != 0:
		w.link(p, onDisk, path, i)
	default:
		w.left(path, errors.New("it is "+kind(i.mode)))
	}
}

// directory sends a directory and what is in it.
func (w *walker) directory(p *place, f *folder, path string, i info, chosen bool) {
	names, err := f.names() // before it is sent: one that cannot be read is not shared as an empty one
	if err != nil {
		w.left(path, err)
		return
	}
	slices.Sort(names)
	in := place{folder: f, top: p.top, path: path, mode: i.mode, depth: p.depth + 1, ignore: p.ignore, chosen: chosen, before: p}
	in.above = &item{top: p.top, entry: manifest.Entry{Path: path, Kind: manifest.Dir, Mode: i.mode.Perm(), ModTime: i.mtime}}
	if chosen {
		w.sendAbove(&in)
	}
	if w.scan.config.GitIgnore {
		if _, there := slices.BinarySearch(names, ".gitignore"); there {
			in.ignore = append(slices.Clip(in.ignore), ignore{path, readIgnore(f)})
		}
	}
	for _, name := range names {
		w.visit(&in, name, name)
	}
}

// file sends a file, whose hash is known, or will be when somebody has time.
func (w *walker) file(p *place, onDisk, path string, i info) {
	w.sendAbove(p)
	w.bits(path, i.mode)
	it := &item{top: p.top, stat: i.stat}
	it.entry = manifest.Entry{Path: path, Kind: manifest.File, Mode: i.mode.Perm(), ModTime: i.mtime, Size: i.size}
	if i.size == 0 {
		it.entry.Root = manifest.EmptyRoot
		w.items <- it
		return
	}
	r := p.top.cache.find(path, func(r *record) { w.items <- &item{top: p.top, keep: r} })
	if r != nil && (!r.racy || r.come) && r.stat == i.stat && w.scan.hasNodes(r) {
		it.entry.Root, it.entry.Holes, it.inline, it.cached = r.root, r.holes, r.nodes, true
		it.racy, it.come = r.racy, r.come
		w.items <- it
		return
	}
	var err error
	if it.file, err = p.folder.open(onDisk); err != nil {
		w.left(path, err)
		return
	}
	it.done = make(chan struct{})
	w.items <- it
	select {
	case w.work <- it:
	case <-w.ctx.Done():
		it.file.close()
		it.err = w.ctx.Err()
		close(it.done)
	}
}

func (w *walker) link(p *place, onDisk, path string, i info) {
	target, err := p.folder.link(onDisk)
	if err != nil {
		w.left(path, err)
		return
	}
	target = filepath.ToSlash(target)
	if problem := manifest.LinkProblem(path, target, w.scan.isTop); problem != "" {
		w.left(path, errors.New("it is a symbolic link, and "+problem))
		return
	}
	w.sendAbove(p)
	w.items <- &item{top: p.top, entry: manifest.Entry{Path: path, Kind: manifest.Symlink, ModTime: i.mtime, Target: target}}
}

// sendAbove sends the directories that something is in, now that it is shared.
func (w *walker) sendAbove(p *place) {
	if p == nil || p.above == nil {
		return
	}
	w.sendAbove(p.before)
	w.bits(p.path, p.mode)
	w.items <- p.above
	p.above = nil
}

// left notes what is left out.
func (w *walker) left(path string, why error) {
	var at *fs.PathError
	if errors.As(why, &at) {
		why = at.Err
	}
	w.items <- &item{note: Note{path, why.Error(), true}}
}

// bits notes bits of a mode that are not shared.
func (w *walker) bits(path string, m fs.FileMode) {
	if m&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
		w.items <- &item{note: Note{path, fmt.Sprintf("its mode is shared as %#o, without setuid, setgid and sticky", m.Perm()), false}}
	}
}

// ignored tells what the .gitignore files say, of which the nearest counts most.
func (p *place) ignored(path string, dir bool) bool {
	if strings.HasSuffix(path, "/.git") {
		return true
	}
	for _, g := range slices.Backward(p.ignore) {
		if ignored, known := g.lines.Judge(path[len(g.path)+1:], dir); known {
			return ignored
		}
	}
	return false
}

// readIgnore reads a .gitignore if it is a plain file, as git does.
func readIgnore(d *folder) glob.Ignore {
	f, err := d.open(".gitignore")
	if err != nil {
		return nil
	}
	defer f.close()
	if i, err := f.stat(); err != nil || !i.regular() {
		return nil
	}
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<20)) //nolint:errcheck // what can be read counts
	return glob.ParseIgnore(string(b))
}
