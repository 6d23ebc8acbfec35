package stage

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// changed is a share in which files have changed: each is given what it has, and gives what
// it has now.
func (src *source) changed(with func(path string, p []byte) []byte) *source {
	now := of(src.t, src.entries...)
	var entries []entry
	for n, e := range src.entries {
		if e.Kind == manifest.File {
			p := with(e.Path, bytes.Clone(src.data[n]))
			e.Size = int64(len(p))
			now.put(n, &e, p)
		}
		entries = append(entries, e)
	}
	again := of(src.t) // of would fill the files
	again.data, again.nodes, again.blocks = now.data, now.nodes, nil
	enc := manifest.Encoder{Emit: func(block []byte) error {
		again.blocks = append(again.blocks, bytes.Clone(block))
		return nil
	}}
	again.groups = 0
	for _, e := range entries {
		must(src.t, enc.Add(e))
		again.groups += (e.Size + group - 1) / group
	}
	must(src.t, enc.Finish())
	again.entries = entries
	var b manifest.Builder
	for _, block := range again.blocks {
		must(src.t, b.Append(block))
	}
	again.index = b.Index()
	return again
}

// A fetch is one process that fetches.
type fetch struct {
	change func(*Config)
	after  time.Duration // it is ended; 0: it goes on until the end
	renew  bool
	got    int64 // groups
	nodes  int64
	err    error
}

// run fetches a share from who shares it, in a world of its own.
func (f *fetch) run(t *testing.T, src *source, target string) {
	var world peertest.World
	sharer, getter := world.Node("sharer", nil), world.Node("getter", nil)
	defer sharer.Close()
	defer getter.Close()
	world.Delay(sharer, getter, 20*time.Millisecond)
	a := share.New(share.Config{Self: sharer.Self(), ID: id, Sharer: sharer.Self(), Store: src})
	defer a.Close()
	for i, b := range src.blocks {
		must(t, a.Add(b, i == len(src.blocks)-1, sharer.Key().SignAs))
	}
	var hub share.Hub
	hub.Put(a)
	sharer.Serve(share.Proto, hub.Handle)
	c := Config{Target: target, ID: id}
	if f.change != nil {
		f.change(&c)
	}
	s, err := open(c, testHook, false)
	if err != nil {
		f.err = err
		return
	}
	for again := true; again; {
		again = false
		b := share.New(share.Config{Self: getter.Self(), ID: id, Sharer: sharer.Self(), Store: s})
		if h, r, ok := s.Head(); ok {
			must(t, b.Restore(h, r))
		}
		s.Have(b.Had)
		ctx, stop := context.WithCancel(t.Context())
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			b.Join(ctx, getter, sharer.Self())
		}()
		var after <-chan time.Time
		if f.after > 0 {
			after = time.After(f.after)
		}
		select {
		case <-b.Over():
			f.err = b.Err()
		case <-after:
			f.err = context.Canceled
		}
		stop()
		<-joined
		must(t, b.Close())
		f.got += b.Traffic().Got
		if errors.Is(f.err, share.ErrChanged) && f.renew {
			s, err = s.Renew()
			must(t, err)
			again = true
		}
	}
	f.nodes = a.Traffic().Nodes
	if f.err == nil {
		f.err = s.Finish()
	}
	must(t, s.Close())
}

// alike checks the contents of all files: directories that were there keep their times.
func (src *source) alike(target string) {
	src.t.Helper()
	for n, e := range src.entries {
		if p, err := os.ReadFile(filepath.Join(target, e.Path)); e.Kind == manifest.File && (err != nil || !bytes.Equal(p, src.data[n])) {
			src.t.Errorf("%s has %d bytes that are not right: %v", e.Path, len(p), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(target, prefix+"*")); err != nil || len(left) > 0 {
		src.t.Errorf("%v is left, %v", left, err)
	}
}

// some is a tree with a file that is large.
func some(t *testing.T) *source {
	return of(t, append(photos(t).entries, fileOf("photos/sub/zz", 300*group+9), fileOf("photos/zz", 20*group))...)
}

// What of a file that is there is the same is not fetched when it is overwritten, whatever has
// changed in it, and what it has itself is not written to before all is there.
func TestOverwritesDelta(t *testing.T) {
	for name, test := range map[string]struct {
		change func(p []byte) []byte
		groups int64
	}{
		"a byte":   {func(p []byte) []byte { p[100*group] ^= 1; return p }, 1},
		"a part":   {func(p []byte) []byte { clear(p[20*group+99:][:16*group]); return p }, 17},
		"it grows": {func(p []byte) []byte { return append(p, p[:10*group]...) }, 11},
		"shrinks":  {func(p []byte) []byte { return p[:100*group+77] }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			was := some(t)
			now := was.changed(func(path string, p []byte) []byte {
				if path == "photos/sub/zz" {
					return test.change(p)
				}
				return p
			})
			target := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := &fetch{}
				f.run(t, was, target)
				must(t, f.err)
				f = &fetch{}
				f.run(t, now, target)
				wantErr(t, f.err, ErrExists)
				f = &fetch{change: func(c *Config) { c.Overwrite = true }}
				f.run(t, now, target)
				must(t, f.err)
				if f.got > test.groups {
					t.Errorf("%d groups came, of which %d were needed", f.got, test.groups)
				}
				if f.nodes > 300 {
					t.Errorf("%d nodes came", f.nodes)
				}
			})
			now.alike(target)
		})
	}
}

// Who was stopped while it fetched goes on when the share has changed: what has not changed is not
// fetched again, in files that are whole, and in those that are not.
func TestGoesOnChanged(t *testing.T) {
	was := some(t)
	now := was.changed(func(path string, p []byte) []byte {
		switch path {
		case "photos/sub/zz":
			p[3*group] ^= 1
		case "photos/a":
			p[0] ^= 1
		}
		return p
	})
	target := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fetch{after: 2 * time.Second}
		f.run(t, was, target)
		wantErr(t, f.err, context.Canceled)
		had := f.got
		if had < 40 || had > was.groups-40 {
			t.Fatalf("%d groups came before, of %d", had, was.groups)
		}
		f = &fetch{}
		f.run(t, now, target)
		wantErr(t, f.err, share.ErrChanged)
		f = &fetch{renew: true}
		f.run(t, now, target)
		must(t, f.err)
		if need := now.groups - had + 5 + 2*16; f.got > need { // what is small is not compared
			t.Errorf("%d groups came after %d; %d had to", f.got, had, need)
		}
	})
	now.final(target, true)
}

// A file that is written to while it is compared is not believed.
func TestOlderChangesMeanwhile(t *testing.T) {
	was := some(t)
	target := t.TempDir()
	name := filepath.Join(target, "photos/sub/zz")
	n := len(was.entries) - 2
	old := bytes.Clone(was.data[n])
	old[len(old)-1] ^= 1
	put(t, name, old)
	hook := func(st step) (bool, error) {
		if st.op == "write" && strings.HasSuffix(st.path, "sub/zz") && st.off == 2*group { // it was hashed before
			for _, at := range []int64{100 * group, 200 * group} {
				old[at] ^= 1
			}
			put(t, name, old)
		}
		return dry(st)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &fetch{change: func(c *Config) { c.Overwrite = true }}
		f.hooked(t, was, target, hook)
		must(t, f.err)
	})
	was.alike(target)
}

func (f *fetch) hooked(t *testing.T, src *source, target string, hook func(step) (bool, error)) {
	was := testHook
	testHook = hook
	defer func() { testHook = was }()
	f.run(t, src, target)
}

var testHook = dry

// Of what was put aside, the last versions are kept, and nothing when all is there.
func TestRenewTwice(t *testing.T) {
	was := some(t)
	target := t.TempDir()
	s, err := at(t, target, nil)
	must(t, err)
	for range maxOlds + 2 {
		if _, err := was.fetch(s, 4); err != nil {
			t.Fatal(err)
		}
		if s, err = s.Renew(); err != nil {
			t.Fatal(err)
		}
		if x := s.Index(); x.Size() > 0 {
			t.Error("the manifest of the older version is known")
		}
	}
	if len(s.olds) != maxOlds {
		t.Errorf("%d older versions are kept", len(s.olds))
	}
	if n, err := was.fetch(s, -1); err != nil || n >= was.groups {
		t.Errorf("%d groups were fetched, %v", n, err)
	}
	must(t, end(s))
	was.final(target, true)
	if _, err := os.Stat(filepath.Join(target, s.dir)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// again is what a process does that finds what one has left that has fetched the older version.
func (src *source) again(d *disk, was *source) error {
	s, err := open(Config{Target: d.target, ID: id, Overwrite: true}, d.hook, false)
	if err != nil {
		return err
	}
	defer func() { s.abandon() }()
	switch x := s.Index(); {
	case s.state != fetching:
	case x.Size() == was.index.Size() && bytes.Equal(blocks(x), blocks(was.index)):
		was.staged(s)
		next, err := s.Renew()
		if err != nil {
			return err
		}
		s = next
	default:
		src.staged(s)
	}
	if s.state == fetching {
		if err := s.Learn(src.index, nil, nil); err != nil {
			return err
		}
		if err := s.Keep(src.head(src.index)); err != nil {
			return err
		}
		if err := src.patch(s); err != nil {
			return err
		}
		if err := s.sync(); err != nil {
			return err
		}
		if _, err := src.fetch(s, -1); err != nil {
			return err
		}
	}
	return end(s)
}

func blocks(x manifest.Index) []byte {
	p := make([]byte, x.Size())
	x.ReadAt(p, 0) //nolint:errcheck // it is there
	return p
}

// patch has a stage compare what it can, with all nodes known.
func (src *source) patch(s *Stage) error {
	firsts, at := map[int64]int{}, int64(0)
	for n, e := range src.entries {
		firsts[at] = n
		at += tree.Shape(e.Size).Groups()
	}
	for _, r := range s.Older() {
		n := -1
		for first, i := range firsts {
			if first == r.From && tree.Shape(src.entries[i].Size).Groups() == r.Len() {
				n = i
			}
		}
		b, err := s.Open(n, src.entries[n])
		if err != nil {
			return err
		}
		for m := range r.Len() - 1 {
			var node tree.Node
			if err := src.nodes[n].Node(m+1, &node); err != nil {
				return err
			}
			if err := b.Nodes().SetNode(m+1, &node); err != nil {
				return err
			}
		}
		b.Close()
		if more := s.Patch(r, func(tree.Run) bool { return true }); len(more) > 0 {
			src.t.Errorf("%v are not known of %v", more, r)
		}
	}
	return nil
}

var everyStep = flag.Bool("every-step", false, "end at every step of older versions, and not at every fifth, or with -race every fifteenth: it takes minutes")

// Whenever a process ends that goes on with what an older version has left, or is there at the
// target, the next one goes on, and no final name has wrong bytes.
func TestOlderEndsAtEveryStep(t *testing.T) {
	synctest.Test(t, olderEndsAtEveryStep)
}

func olderEndsAtEveryStep(t *testing.T) {
	was := of(t, dirOf("d"), fileOf("d/a", 3*group+5), fileOf("d/b", 20*group+9), fileOf("d/c", 18*group), fileOf("d/s", 5), fileOf("d/t", 5))
	now := was.changed(func(path string, p []byte) []byte {
		switch path {
		case "d/b", "d/c":
			p[5*group] ^= 1
		case "d/s":
			return append(p, 1)
		}
		return p
	})
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	stride := 5 // odd, so that both ways to end come in turns
	switch {
	case *everyStep:
		stride = 1
	case raced: // ./check runs it without the race detector, too
		stride = 15
	}
	for ends := random.IntN(stride); ; ends += stride {
		power := ends%2 == 0
		target, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		n := 3 // d/c, which is at the target already
		put(t, filepath.Join(target, "d/c"), was.data[n])
		s, err := at(t, target, func(c *Config) { c.Overwrite = true })
		must(t, err)
		if _, err := was.fetch(s, 4+15+1); err != nil {
			t.Fatal(err)
		}
		must(t, s.Close())
		d := &disk{target: target, ends: ends}
		err = now.again(d, was)
		whole := err == nil
		for err != nil {
			if d.ends < 0 || d.made < d.ends {
				t.Fatalf("ended at step %d, power %v, and after %d: %v", ends, power, d.made, err)
			}
			if power {
				d.powerCut(random)
			}
			if p, err := os.ReadFile(filepath.Join(target, "d/c")); err != nil || !bytes.Equal(p, was.data[n]) && !bytes.Equal(p, now.data[n]) {
				t.Errorf("d/c is neither what it was, nor what it will be: %v", err)
			}
			d.ends = -1
			err = now.again(d, was)
		}
		now.alike(target)
		if t.Failed() {
			t.Fatalf("it ended at step %d, power %v", ends, power)
		}
		must(t, os.RemoveAll(target))
		if whole {
			if ends < 40 {
				t.Errorf("there were %d steps, which can't be all", ends)
			}
			return
		}
	}
}
