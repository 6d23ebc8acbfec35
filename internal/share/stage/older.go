package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// Of what is fetched there may be older versions: at the target, where it will be replaced, and
// in the stage, if the share has changed since an earlier process has fetched some of it. What is
// the same in them is not fetched. They are read, never written to, and nothing of them
// counts before its hash is the one that the new version has there.

// fewGroups is how many groups a file has at least that is compared group by group: below, it
// is as soon fetched.
const fewGroups = 16

// maxOlds is how many older versions of the share are kept in a stage.
const maxOlds = 3

// An older is a file of which there are older versions.
type older struct {
	n    int
	e    manifest.Entry
	run  tree.Run
	from []*origin
}

// An origin is an older version of a file.
type origin struct {
	in   folder
	name string
	tree tree.File // Nodes are nil until it was hashed
}

// Renew makes another stage out of this one, which is closed: for a share that has changed
// under the same ID. What was fetched of the older version is there to be compared.
func (s *Stage) Renew() (*Stage, error) {
	s.mu.Lock()
	fetches := s.state == fetching && !s.removing
	if fetches {
		s.state = over
	}
	s.mu.Unlock()
	if !fetches {
		return nil, errors.Join(errors.New("all of it is there already"), s.Close())
	}
	s.halt()
	s.files.close()
	s.journal.close()
	err := s.putAside()
	s.release()
	if err != nil {
		return nil, err
	}
	return open(s.Config, s.target.seam.hook, s.windows)
}

// putAside puts what was fetched where the next stage looks for older versions.
func (s *Stage) putAside() error {
	s.tree.Close() //nolint:errcheck // Windows renames nothing that is open
	if _, err := s.home.mkdir("older"); err != nil {
		return err
	}
	next := 0
	if len(s.olds) > 0 {
		last, _ := strconv.Atoi(path.Base(s.olds[0])) //nolint:errcheck // it was a number
		next = last + 1
	}
	if len(s.olds) >= maxOlds {
		if err := s.home.removeAll(s.olds[len(s.olds)-1]); err != nil {
			return err
		}
	}
	if err := s.home.rename("tree", path.Join("older", strconv.Itoa(next))); err != nil {
		return err
	}
	// Without a journal nobody would know whose the files in tree are.
	for _, name := range []string{"older", "."} {
		if err := s.home.syncDir(name); err != nil {
			return err
		}
	}
	for _, name := range []string{"journal.new", "journal", "manifest", "nodes", "was"} {
		if err := s.home.removeAll(name); err != nil {
			return err
		}
	}
	return nil
}

// findOlds looks for what Renew has put aside.
func (s *Stage) findOlds() error {
	d, err := s.home.Open("older")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close() //nolint:errcheck // a directory
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && strconv.Itoa(n) == name {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range slices.Backward(numbers) {
		s.olds = append(s.olds, path.Join("older", strconv.Itoa(n)))
	}
	return err
}

// take takes a file over that is whole in an older version of the share, and has not changed.
func (s *Stage) take(n int, e manifest.Entry, run tree.Run) (taken bool, err error) {
	if len(s.olds) == 0 || e.Kind != manifest.File || run.Len() == 0 || s.plan.last {
		return false, nil
	}
	s.mu.Lock()
	begun := !s.have.none(run)
	s.mu.Unlock()
	for _, old := range s.olds {
		name := path.Join(old, e.Path)
		if fi, err := s.home.Lstat(name); begun || err != nil || !fi.Mode().IsRegular() || fi.Size() != e.Size {
			continue
		}
		f, err := s.home.open(name, os.O_RDONLY)
		if err != nil {
			continue
		}
		root, err := s.hashOlder(n, f, e.Size)
		f.Close() //nolint:errcheck // it was only read
		if err != nil || root != e.Root {
			continue
		}
		err = s.adopt(n, e, run, name)
		return err == nil, err
	}
	return false, nil
}

// hashOlder hashes a file that may be this one, and keeps its nodes as those of this one.
func (s *Stage) hashOlder(n int, f io.ReaderAt, size int64) (tree.Hash, error) {
	var nodes tree.Nodes
	if tree.Shape(size).Groups() > 1 {
		to, err := s.home.openOrCreate(nodesOf(n))
		if err != nil {
			return tree.Hash{}, err
		}
		defer to.Close() //nolint:errcheck // nobody trusts it
		nodes = tree.NodeFile{File: to}
	}
	return tree.HashAt(f, tree.Shape(size), nodes, 2)
}

// adopt moves a file to where it is as if it had been fetched.
func (s *Stage) adopt(n int, e manifest.Entry, run tree.Run, name string) error {
	if err := s.makeDirs(path.Dir(e.Path)); err != nil {
		return err
	}
	if err := s.home.rename(name, path.Join("tree", e.Path)); err != nil {
		return err
	}
	s.files.mu.Lock()
	s.files.created.put(int64(n), true)
	s.files.mu.Unlock()
	s.mu.Lock()
	s.dirty.file(n, e.Path)
	s.dirty.dir(path.Dir(e.Path))
	s.mu.Unlock()
	s.Got(run)
	return nil
}

// findOlder looks for older versions of a file that is to be fetched.
func (s *Stage) findOlder(n int, e manifest.Entry, run tree.Run) {
	if s.plan.last || e.Kind != manifest.File || run.Len() < fewGroups {
		return
	}
	o := &older{n: n, e: e, run: run}
	for _, old := range s.olds {
		o.add(s.home, path.Join(old, e.Path))
	}
	if s.Overwrite || s.Rename {
		o.add(s.target, e.Path)
	}
	if len(o.from) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.older == nil {
		s.older = map[int64]*older{}
	}
	s.older[run.From] = o
	s.news = append(s.news, run)
}

func (o *older) add(in folder, name string) {
	if fi, err := in.Lstat(name); err == nil && fi.Mode().IsRegular() && fi.Size() > tree.Group {
		o.from = append(o.from, &origin{in: in, name: name})
	}
}

// Older implements [share.Patcher].
func (s *Stage) Older() []tree.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.news
	s.news = nil
	return news
}

// Patch implements [share.Patcher]. What cannot be read, or is not what it was, is fetched.
func (s *Stage) Patch(file tree.Run, had func(tree.Run) bool) (more []tree.Run) {
	s.mu.Lock()
	o := s.older[file.From]
	s.mu.Unlock()
	if o == nil {
		return nil
	}
	var unknown set
	for i := range o.from {
		p := patch{Stage: s, older: o, had: had, unknown: &unknown}
		if err := p.run(i); errors.Is(err, errStopped) {
			return nil
		}
	}
	s.mu.Lock()
	for r := range unknown.runs(file) {
		for r.From < r.To {
			from := s.have.next(r.From, r.To, false)
			r.From = s.have.next(from, r.To, true)
			if from < r.From {
				more = append(more, tree.Run{From: from, To: r.From})
			}
		}
	}
	s.mu.Unlock()
	return more
}

// errStopped: nobody wants it any more.
var errStopped = errors.New("the share is over")

// A patch is one comparison with an origin.
type patch struct {
	*Stage
	older   *older
	had     func(tree.Run) bool
	unknown *set

	from *os.File
	to   *blob
}

func (p *patch) run(i int) error {
	src := p.older.from[i]
	var err error
	if p.from, err = src.in.open(src.name, os.O_RDONLY); err != nil {
		return err
	}
	defer p.from.Close() //nolint:errcheck // it was only read
	nodes, err := p.nodes(i, src)
	if err != nil {
		return err
	}
	defer nodes.Close() //nolint:errcheck // nobody trusts it
	e := p.older.e
	b, err := p.Open(p.older.n, e)
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // what counts is what was written
	p.to = b.(*blob)
	was := tree.File{Shape: src.tree.Shape, Root: src.tree.Root, Nodes: tree.NodeFile{File: nodes}}
	now := tree.File{Shape: tree.Shape(e.Size), Root: e.Root, Nodes: b.Nodes()}
	var failed error
	err = now.Compare(was, func(r tree.Run, what tree.Likeness, value tree.Hash) bool {
		in := tree.Run{From: p.older.run.From + r.From, To: p.older.run.From + r.To}
		switch what {
		case tree.Unknown:
			p.unknown.putRun(in, true)
		case tree.Same:
			failed = p.copy(r, in, value)
		}
		return failed == nil
	})
	return errors.Join(err, failed)
}

// nodes opens the nodes of an origin, which is hashed the first time.
func (p *patch) nodes(i int, src *origin) (*os.File, error) {
	if _, err := p.home.mkdir("was"); err != nil {
		return nil, err
	}
	f, err := p.home.openOrCreate(path.Join("was", fmt.Sprintf("%d-%d", p.older.n, i)))
	if err != nil || src.tree.Shape > 0 {
		return f, err
	}
	fi, err := p.from.Stat()
	if err == nil {
		src.tree.Shape = tree.Shape(fi.Size())
		src.tree.Root, err = tree.HashAt(reading{p}, src.tree.Shape, tree.NodeFile{File: f}, 2)
	}
	if err != nil {
		src.tree.Shape = 0
		f.Close() //nolint:errcheck // it is of no use
		return nil, err
	}
	return f, nil
}

// copy takes groups that are the same, if they are what they were when they were hashed.
func (p *patch) copy(r, in tree.Run, want tree.Hash) error {
	p.mu.Lock()
	all := p.have.all(in)
	p.mu.Unlock()
	if all {
		return nil
	}
	is, err := tree.HashRun(copying{p}, tree.Shape(p.older.e.Size), p.to.Nodes(), r)
	if err != nil || is != want {
		return err // they are fetched
	}
	p.Got(in)
	if !p.had(in) {
		return errStopped
	}
	return nil
}

// A reading reads an older version, as long as somebody wants that.
type reading struct{ p *patch }

func (r reading) ReadAt(b []byte, off int64) (int, error) {
	if !r.p.had(tree.Run{}) {
		return 0, errStopped
	}
	return r.p.from.ReadAt(b, off)
}

// A copying copies the groups that it reads, but for those that are there.
type copying struct{ p *patch }

func (c copying) ReadAt(b []byte, off int64) (int, error) {
	n, err := reading(c).ReadAt(b, off)
	if n < len(b) {
		return n, errors.Join(err, io.ErrUnexpectedEOF)
	}
	p := c.p
	p.mu.Lock()
	there := p.have.has(p.older.run.From + off/tree.Group)
	p.mu.Unlock()
	if there {
		return n, nil
	}
	return p.to.WriteAt(b, off)
}
