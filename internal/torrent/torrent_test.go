//go:build !notorrent

package torrent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/internal/share/stage"
)

// here is how the tests are reached: they name this machine, as a user does who tests something.
const here = "127.0.0.1:0"

// makeTree makes files whose borders are no borders of pieces.
func makeTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "some files")
	r := rand.NewChaCha8([32]byte{1})
	for name, size := range map[string]int{"one": 3_000_001, "two.txt": 70_000, "sub/three": 123_456, "sub/four.txt": 5, "sub/deep/er/none": 0, "ünïcode ☂": 1000} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		data := make([]byte, size)
		r.Read(data) //nolint:errcheck // it does not fail
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sameTree compares two directories.
func sameTree(t *testing.T, want, got string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(want, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		rel, _ := filepath.Rel(want, path) //nolint:errcheck // it is below
		a, err1 := os.ReadFile(path)
		b, err2 := os.ReadFile(filepath.Join(got, rel))
		if !bytes.Equal(a, b) {
			t.Errorf("%s is not the same: %v", rel, errors.Join(err1, err2))
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d files compared: %v", n, err)
	}
}

// seed hands a path on until the test ends, and returns the link and the torrent.
func seed(t *testing.T, s Seed) (link string, file []byte) {
	t.Helper()
	s.Listen = here
	ctx, cancel := context.WithCancelCause(context.Background()) // t.Context ends before what Cleanup is told
	over := errors.New("the test is over")
	ready, done := make(chan struct{}), make(chan error, 1)
	s.Ready = func(l string, f []byte) error {
		link, file = l, f
		close(ready)
		return nil
	}
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel(over)
		if err := <-done; !errors.Is(err, over) {
			t.Errorf("handing on ended with %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- over
		t.Fatal(err)
	}
	return link, file
}

func fetch(t *testing.T, f Fetch) (paths []string) {
	t.Helper()
	f.Listen = here
	f.Done = func(p []string) { paths = p }
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return paths
}

// nothingLeft looks for what an interrupted fetch leaves.
func nothingLeft(t *testing.T, target string) {
	t.Helper()
	entries, err := os.ReadDir(target)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tenon") {
			t.Errorf("%s was left", e.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestFetch(t *testing.T) {
	dir := makeTree(t)
	link, file := seed(t, Seed{Paths: []string{dir}})
	target := filepath.Join(t.TempDir(), "new")
	var last Status
	got := fetch(t, Fetch{Source: link, Target: target, See: func(s Status) { last = s }})
	sameTree(t, dir, filepath.Join(target, "some files"))
	nothingLeft(t, target)
	if want := filepath.Join(target, "some files"); len(got) != 1 || got[0] != want {
		t.Errorf("it says that it is at %q, want %q", got, want)
	}
	if !last.Done || last.Files != 6 || last.Bytes != 3_194_462 || last.Have != last.Bytes || last.Name != "some files" {
		t.Errorf("it ended with %+v", last)
	}

	t.Run("again, from the file, with nobody to ask", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "x.torrent")
		if err := os.WriteFile(name, file, 0o644); err != nil {
			t.Fatal(err)
		}
		fetch(t, Fetch{Source: name, Target: target, Config: Config{Peers: []string{"127.0.0.1:1"}}, See: func(s Status) { last = s }})
		if !last.Done || last.Got != 0 {
			t.Errorf("what is there was fetched again: %+v", last)
		}
	})
	t.Run("over something else", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(target, "some files", "two.txt"), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Fetch{Source: link, Target: target, Config: Config{Listen: here}}.Run(t.Context())
		if !errors.Is(err, stage.ErrExists) {
			t.Errorf("it was %v", err)
		}
		fetch(t, Fetch{Source: link, Target: target, Overwrite: true})
		sameTree(t, dir, filepath.Join(target, "some files"))
	})
}

// What is wanted comes whole, though pieces of it are in other files, too.
func TestFetchSome(t *testing.T) {
	dir := makeTree(t)
	link, _ := seed(t, Seed{Paths: []string{dir}})
	choice, err := glob.ParseChoice([]string{"*.txt"}, []string{"four.txt"})
	if err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	list, err := Fetch{Source: link, Target: target, Choice: choice, Config: Config{Listen: here}}.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Path != "some files/two.txt" || list[0].Size != 70_000 {
		t.Fatalf("the list is %+v, %v", list, err)
	}
	fetch(t, Fetch{Source: link, Target: target, Choice: choice})
	want, _ := os.ReadFile(filepath.Join(dir, "two.txt"))                //nolint:errcheck // compared
	got, err := os.ReadFile(filepath.Join(target, "some files/two.txt")) //nolint:gosec // in a directory of the test
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("two.txt is not the same: %v", err)
	}
	if others, err := filepath.Glob(filepath.Join(target, "some files", "*")); err != nil || len(others) != 1 {
		t.Errorf("there are %q", others)
	}
	nothingLeft(t, target)
}

// Whoever was interrupted goes on, and what was verified does not come again.
func TestGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "large")
	data := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{2}).Read(data) //nolint:errcheck // it does not fail
	if err := os.WriteFile(dir, data, 0o644); err != nil {
		t.Fatal(err)
	}
	link, _ := seed(t, Seed{Paths: []string{dir}})
	target := t.TempDir()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Fetch{Source: link, Target: target, Config: Config{Listen: here, Down: 8 << 20}, See: func(s Status) {
		if s.Have > 4<<20 {
			cancel(enough)
		}
	}}.Run(ctx)
	if !errors.Is(err, enough) {
		t.Fatalf("it ended with %v", err)
	}
	var first, last Status
	fetch(t, Fetch{Source: link, Target: target, See: func(s Status) {
		if last = s; first.Bytes == 0 {
			first = s
		}
	}})
	got, err := os.ReadFile(filepath.Join(target, "large")) //nolint:gosec // in a directory of the test
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("it is not the same: %v", err)
	}
	if first.Have < 3<<20 || last.Got > int64(len(data))-first.Have+1<<20 {
		t.Errorf("it began with %d bytes, and %d were fetched", first.Have, last.Got)
	}
}

// Who has got it hands it on, out of its final place.
func TestStay(t *testing.T) {
	dir := makeTree(t)
	link, _ := seed(t, Seed{Paths: []string{dir}})
	addr := "127.0.0.1:" + freeport.Get(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Fetch{Source: link, Target: t.TempDir(), Stay: true, Config: Config{Listen: addr}, Done: func([]string) { close(ready) }}.Run(ctx)
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	m, err := metainfo.ParseMagnetUri(link)
	if err != nil {
		t.Fatal(err)
	}
	m.Params.Set("x.pe", addr)
	target := t.TempDir()
	fetch(t, Fetch{Source: m.String(), Target: target})
	sameTree(t, dir, filepath.Join(target, "some files"))
	cancel(over)
	if err := <-done; !errors.Is(err, over) {
		t.Errorf("it ended with %v", err)
	}
}

// A file that has changed is not handed on as what it was.
func TestChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	err := Seed{Config: Config{Listen: here}, Paths: []string{name}, Ready: func(link string, _ []byte) error {
		if err := os.WriteFile(name, make([]byte, 100_001), 0o644); err != nil {
			return err
		}
		asking.Go(func() {
			Fetch{Config: Config{Listen: here}, Source: link, Target: t.TempDir()}.Run(ctx) //nolint:errcheck // it gets nothing
		})
		return nil
	}}.Run(ctx)
	if !errors.Is(err, errChanged) || !strings.Contains(err.Error(), `"f"`) {
		t.Errorf("it ended with %v", err)
	}
}

// What a torrent names of this machine is not asked, unless the user has named something there.
func TestNothingNearer(t *testing.T) {
	l, err := net.Listen("tcp", here)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("%v has connected", c.RemoteAddr())
			c.Close() //nolint:errcheck // a test has failed
		}
	}()
	addr := l.Addr().String()
	link := "magnet:?xt=urn:btih:" + strings.Repeat("12", 20) + "&tr=http://" + addr + "/announce&x.pe=" + addr + "&xs=http://" + addr + "/x.torrent&ws=http://" + addr + "/"
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	if err := (Fetch{Source: link, Target: t.TempDir(), See: func(Status) {
		if looks++; looks == 3 {
			cancel()
		}
	}}).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	l.Close() //nolint:errcheck // ends the loop
	<-asked
}

func TestNobodyToAsk(t *testing.T) {
	err := Fetch{Source: "magnet:?xt=urn:btih:" + strings.Repeat("12", 20), Target: t.TempDir()}.Run(t.Context())
	if !errors.Is(err, ErrNoPeers) {
		t.Errorf("it was %v", err)
	}
	for _, link := range []string{"magnet:", "magnet:?xt=urn:btih:1", "magnet:?xt=urn:btmh:1220" + strings.Repeat("12", 32), "magnet:?dn=x"} {
		if err := (Fetch{Source: link, Target: t.TempDir()}).Run(t.Context()); !errors.Is(err, ErrTorrent) {
			t.Errorf("%s was %v", link, err)
		}
	}
}

// hostile are what torrents may say to do harm.
func hostile() map[string]metainfo.Info {
	pieces := make([]byte, 20)
	files := func(paths ...[]string) metainfo.Info {
		i := metainfo.Info{Name: "x", PieceLength: 1 << 14, Pieces: pieces}
		for _, path := range paths {
			i.Files = append(i.Files, metainfo.FileInfo{Length: 1, Path: path})
		}
		return i
	}
	one := func(name string) metainfo.Info {
		return metainfo.Info{Name: name, PieceLength: 1 << 14, Pieces: pieces, Length: 1}
	}
	all := map[string]metainfo.Info{
		"climbs":            files([]string{"..", "a"}),
		"climbs in one":     files([]string{"../a"}),
		"absolute":          files([]string{"/etc", "passwd"}),
		"dot":               files([]string{".", "a"}),
		"empty name":        files([]string{"", "a"}),
		"NUL":               files([]string{"a\x00b"}),
		"twice":             files([]string{"a"}, []string{"a"}),
		"file and folder":   files([]string{"a"}, []string{"a", "b"}),
		"deep":              files(strings.Split(strings.Repeat("d/", 200)+"a", "/")),
		"long":              files([]string{strings.Repeat("n", 300)}),
		"name climbs":       one(".."),
		"name is a path":    one("a/b"),
		"no name":           one(""),
		"no piece length":   {Name: "x", Pieces: pieces, Length: 1},
		"negative piece":    {Name: "x", PieceLength: -1, Pieces: pieces, Length: 1},
		"huge piece":        {Name: "x", PieceLength: 1 << 40, Pieces: pieces, Length: 1},
		"too few hashes":    {Name: "x", PieceLength: 1 << 14, Pieces: pieces, Length: 1 << 20},
		"too many hashes":   {Name: "x", PieceLength: 1 << 14, Pieces: make([]byte, 200), Length: 1},
		"negative length":   {Name: "x", PieceLength: 1 << 14, Pieces: pieces, Length: -1},
		"sum overflows":     {Name: "x", PieceLength: 1 << 14, Pieces: pieces, Files: []metainfo.FileInfo{{Length: 1<<63 - 1, Path: []string{"a"}}, {Length: 1<<63 - 1, Path: []string{"b"}}}},
		"a hash and a half": {Name: "x", PieceLength: 1 << 14, Pieces: make([]byte, 30), Length: 1},
	}
	return all
}

func TestHostile(t *testing.T) {
	for name, info := range hostile() {
		t.Run(name, func(t *testing.T) {
			file, target := filepath.Join(t.TempDir(), "x.torrent"), t.TempDir()
			raw, err := bencode.Marshal(info)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := errors.Join((&metainfo.MetaInfo{InfoBytes: raw}).Write(&b), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
			err = Fetch{Source: file, Target: target, Config: Config{Listen: here, Peers: []string{"127.0.0.1:1"}}}.Run(t.Context())
			if !errors.Is(err, ErrTorrent) {
				t.Errorf("it was %v", err)
			}
			if there, err := os.ReadDir(target); err != nil || len(there) > 0 {
				t.Errorf("there is something: %v", there)
			}
		})
	}
}

func FuzzLayout(f *testing.F) {
	for _, info := range hostile() {
		if raw, err := bencode.Marshal(info); err == nil {
			f.Add(raw)
		}
	}
	f.Add([]byte("d5:filesld4:attr1:p6:lengthi16383e4:pathl4:.pad1:1eed6:lengthi1e4:pathl1:aeee4:name1:x12:piece lengthi16384e6:pieces20:" + strings.Repeat("x", 20) + "e"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		info, err := (&metainfo.MetaInfo{InfoBytes: raw}).UnmarshalInfo()
		if err != nil {
			return
		}
		l, err := newLayout(&info, metainfo.Hash{}, 0)
		if err != nil {
			if !errors.Is(err, ErrTorrent) {
				t.Fatal(err)
			}
			return
		}
		var end int64
		for _, s := range l.spans {
			if s.off < end {
				t.Fatalf("a file begins at %d, before %d", s.off, end)
			}
			end = s.end()
			if e, ok := l.index.Entry(s.n); s.n >= 0 && (!ok || e.Path != s.entry.Path) {
				t.Fatal(fmt.Sprint("the manifest has something else at ", s.n))
			}
		}
	})
}
