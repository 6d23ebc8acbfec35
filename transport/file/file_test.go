//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// kindOf returns a kind of the family.
func kindOf(t testing.TB, name string) transport.Kind {
	t.Helper()
	k, ok := Kinds().Lookup(name)
	if !ok {
		t.Fatalf("no kind %s", name)
	}
	return k
}

// dialed opens d until the test ends.
func dialed(t testing.TB, d transport.Dialer) transport.Stream {
	t.Helper()
	c, err := d.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(transport.Stream)
}

// opened opens what the text of an address stands for.
func opened(t testing.TB, text string) transport.Stream {
	t.Helper()
	e, err := filled(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return dialed(t, e)
}

func filled(t testing.TB, text string) (transport.Dialer, error) {
	t.Helper()
	name, _, _ := strings.Cut(text, ":")
	e, err := transporttest.Fill(kindOf(t, name), text)
	if err != nil {
		return nil, err
	}
	return e.(transport.Dialer), nil
}

// refused returns the error of opening what the text of an address stands for.
func refused(t testing.TB, text string) error {
	t.Helper()
	e, err := filled(t, text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Dial(context.Background())
	if err == nil {
		c.Close()
		t.Fatalf("%s is opened", text)
	}
	return err
}

// written makes a file in a directory of the test.
func written(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func absent(t testing.TB) string { return filepath.Join(t.TempDir(), "f") }

func wantContent(t testing.TB, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s has %q, error %v; want %q", filepath.Base(path), got, err, want)
	}
}

func wantRead(t testing.TB, s io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s, got); err != nil || string(got) != want {
		t.Errorf("read %q, error %v; want %q", got, err, want)
	}
}

func wantEnd(t testing.TB, s io.Reader) {
	t.Helper()
	if n, err := s.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Errorf("read %d bytes, error %v; want io.EOF", n, err)
	}
}

// put writes text and half-closes.
func put(t testing.TB, s transport.Stream, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func TestFileConformance(t *testing.T) {
	both := "rdonly and options for writing exclude each other"
	h := transporttest.Harness{
		Kind: kindOf(t, "file"),
		Pair: func(t testing.TB) (a, b transport.Conn) {
			path := written(t, "")
			return dialed(t, &File{Path: path, Follow: true}), dialed(t, &File{Path: path, Append: true})
		},
		Endpoint: func(t testing.TB) transport.Endpoint { return &File{Path: written(t, "text")} },
		Addresses: []string{"file:a", "file:/a/b:c", "file:'a,b',append,fsync", "open:x,create,excl,mode=0600", "file:x,seek=-4k,follow",
			"file:x,wronly,creat,seek=end", "file:x,rdwr,flock", "file:x,flock-ex-nb", "file:x,atomic,perm=640"},
		Bad: map[string]string{
			"file:":               "a path is missing",
			"file:x,rdonly,write": both, "file:x,rdonly,atomic": both,
			"file:x,write,rdwr":    "write and rdwr exclude each other",
			"file:x,append,follow": "follow is for reading",
			"file:x,fsync":         "trunc, mode and fsync are for writing",
			"file:x,mode=600":      "trunc, mode and fsync are for writing",
			"file:x,mode=9":        "mode: must be an octal number such as 0640",
			"file:x,seek=far":      "seek: must be a size such as 4096, 64k or 16M",
			"file:x,atomic,append": "atomic goes with none of rdwr, append, excl, flock, seek and trunc=no",
		},
		Options: map[string]func(*testing.T){
			"wronly": testWriteOver, "creat": testCreateOver,
			"rdonly": testReadOnly, "write": testWrite, "rdwr": testReadWrite, "append": testAppend, "create": testCreate,
			"excl": testExcl, "trunc": testTrunc, "mode": testMode, "seek": testSeek, "follow": testFollow, "flock": testLock, "flock-nb": testLockNow,
			"atomic": testAtomic, "fsync": testSync,
		},
	}
	t.Run("read", func(t *testing.T) { transporttest.Run(t, h) })
	h.Options, h.Writes = nil, true
	h.Kind.New = func() transport.Endpoint { return noOptions{new(File)} }
	h.Addresses, h.Bad = nil, nil
	h.Endpoint = func(t testing.TB) transport.Endpoint { return &File{Path: absent(t), Create: true} }
	h.Pair = func(t testing.TB) (a, b transport.Conn) { // a FIFO shows the writer's end to a reader
		path := madeFIFO(t)
		b = dialed(t, &File{Path: path})
		return dialed(t, &File{Path: path, Write: true}), b
	}
	t.Run("write", func(t *testing.T) { transporttest.Run(t, h) })
	h.Pair = func(t testing.TB) (a, b transport.Conn) { return dialed(t, &File{Path: absent(t), Atomic: true}), nil }
	t.Run("atomic", func(t *testing.T) { transporttest.Run(t, h) })
	create := transporttest.Harness{Kind: kindOf(t, "create"), Addresses: []string{"create:a,append"}}
	t.Run("create", func(t *testing.T) { transporttest.Run(t, create) })
}

// Options that would do nothing are refused, and so are those that mean something else
// in socat.
func TestOptionsThatWouldDoNothing(t *testing.T) {
	for text, want := range map[string]string{
		"file:x,trunc=no":        "trunc, mode and fsync are for writing",
		"file:x,trunc":           "trunc, mode and fsync are for writing",
		"file:x,fsync":           "trunc, mode and fsync are for writing",
		"file:x,append,seek=5":   "append and seek exclude each other: all is written at the end",
		"file:x,flock,flock-nb":  "flock and flock-nb exclude each other",
		"file:x,lock":            `unknown option "lock"`, // socat's is a lock of fcntl(2)
		"file:x,create,sync":     `unknown option "sync"`, // socat's is O_SYNC
		"fifo:x,mode=600":        "mode and unlink-close are for a FIFO that is made, with create",
		"fifo:x,unlink-close=no": "mode and unlink-close are for a FIFO that is made, with create",
		"fifo:x,create,unlink":   `unknown option "unlink"`, // socat's removes what is there before
		"pty:,link=":             "link: must not be empty",
		"random:,seed=":          "seed: must not be empty",
		"tty:,escape=0":          "escape: must be a key such as ^] or ctrl-a, a byte such as 0x1d, or none",
	} {
		name, _, _ := strings.Cut(text, ":")
		e, err := transporttest.Fill(kindOf(t, name), text)
		if v, ok := e.(transport.Validator); ok && err == nil {
			err = v.Validate()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"file:/dev/null,seek=5", "file:" + madeFIFO(t) + ",seek=5"} {
		if err := refused(t, text); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: error %v, want one about usage", text, err)
		}
	}
}

// noOptions is a File whose options another run of the suite checks.
type noOptions struct{ file *File }

func (n noOptions) Bind(s *opt.Set)                                  {}
func (n noOptions) Dial(ctx context.Context) (transport.Conn, error) { return n.file.Dial(ctx) }

func FuzzFileBind(f *testing.F) {
	transporttest.Fuzz(f, kindOf(f, "file"), "file:x,seek=-9k,mode=640", "file:x,create,trunc=no")
}

// A file that is only a source must not be changed by what comes back, and what
// comes back must not vanish.
func testReadOnly(t *testing.T) {
	for _, options := range []string{"", ",rdonly"} {
		path := written(t, "source")
		s := opened(t, "file:"+path+options)
		_, err := io.WriteString(s, "answer")
		if err == nil || transport.Hint(err) == "" {
			t.Errorf("writing to a source: error %v, hint %q; want both", err, transport.Hint(err))
		}
		if err := s.CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		wantRead(t, s, "source")
		wantEnd(t, s)
		wantContent(t, path, "source")
	}
}

func testWrite(t *testing.T) {
	path := written(t, "what was there before")
	s := opened(t, "file:"+path+",write")
	wantEnd(t, s)
	put(t, s, "new")
	wantContent(t, path, "new")
	if err := refused(t, "file:"+absent(t)+",write"); !errors.Is(err, fs.ErrNotExist) || transport.Hint(err) == "" {
		t.Errorf("a file that is not there: error %v, hint %q", err, transport.Hint(err))
	}
}

// Reading and writing have places of their own, or a program that changes letters
// would read what it has just written.
func testReadWrite(t *testing.T) {
	path := written(t, "abcdef")
	s := opened(t, "file:"+path+",rdwr")
	for _, p := range []string{"abc", "def"} {
		wantRead(t, s, p)
		if _, err := io.WriteString(s, strings.ToUpper(p)); err != nil {
			t.Fatal(err)
		}
	}
	wantEnd(t, s)
	wantContent(t, path, "ABCDEF")
}

func testAppend(t *testing.T) {
	path := written(t, "one ")
	for _, word := range []string{"two ", "three"} {
		put(t, opened(t, "file:"+path+",append"), word)
	}
	wantContent(t, path, "one two three")
}

func testCreate(t *testing.T) {
	path := absent(t)
	put(t, opened(t, "file:"+path+",create"), "long ago")
	put(t, opened(t, "file:"+path+",create"), "now")
	wantContent(t, path, "now")
}

// socat's wronly and creat are those of open(2): nothing is emptied without trunc.
func testWriteOver(t *testing.T) {
	path := written(t, "what was there before")
	put(t, opened(t, "file:"+path+",wronly"), "WHAT")
	wantContent(t, path, "WHAT was there before")
	put(t, opened(t, "file:"+path+",trunc,wronly"), "new")
	wantContent(t, path, "new")
}

func testCreateOver(t *testing.T) {
	path := absent(t)
	put(t, opened(t, "file:"+path+",creat"), "long ago")
	put(t, opened(t, "file:"+path+",creat"), "LONG")
	wantContent(t, path, "LONG ago")
	put(t, opened(t, "file:"+path+",creat,trunc"), "now")
	wantContent(t, path, "now")
}

func testExcl(t *testing.T) {
	path := absent(t)
	put(t, opened(t, "file:"+path+",excl"), "mine")
	if err := refused(t, "file:"+path+",excl"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: error %v, want one matching fs.ErrExist", err)
	}
	wantContent(t, path, "mine")
}

func testTrunc(t *testing.T) {
	path := written(t, "123456")
	put(t, opened(t, "file:"+path+",write,trunc=no"), "ab")
	wantContent(t, path, "ab3456")
	opened(t, "file:"+path+",append,trunc").Close()
	wantContent(t, path, "")
}

func testMode(t *testing.T) {
	path := absent(t)
	put(t, opened(t, "file:"+path+",create,mode=0606"), "x")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o606 {
		t.Errorf("mode %v, error %v; want 0606", info.Mode(), err)
	}
}

func testSeek(t *testing.T) {
	path := written(t, "0123456789")
	for seek, want := range map[string]string{"4": "456789", "-3": "789", "end": "", "-1k": "0123456789", "1k": ""} {
		s := opened(t, "file:"+path+",seek="+seek)
		wantRead(t, s, want)
		wantEnd(t, s)
	}
	put(t, opened(t, "file:"+path+",write,seek=8"), "abc")
	wantContent(t, path, "01234567abc")
}

// TestFollow is in testFollow: what is appended arrives, and a file that was
// emptied is read again.
func testFollow(t *testing.T) {
	path := written(t, "old ")
	s := opened(t, "file:"+path+",follow")
	wantRead(t, s, "old ")
	for _, word := range []string{"new ", "newer "} {
		waiting := make(chan error, 1)
		go func() {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = io.WriteString(f, word)
				err = errors.Join(err, f.Close())
			}
			waiting <- err
		}()
		wantRead(t, s, word)
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	wantRead(t, s, "x")
	ended := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); ended <- err }()
	select {
	case err := <-ended:
		t.Fatalf("the end of a file that is followed: %v", err)
	case <-time.After(50 * time.Millisecond): // to see that nothing happens
	}
	s.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read during Close: error %v, want net.ErrClosed", err)
	}
}

// A file that somebody else has locked is not emptied either.
func testLockNow(t *testing.T) {
	path := written(t, "precious")
	first := opened(t, "file:"+path+",append,flock-nb")
	if err := refused(t, "file:"+path+",create,flock-nb"); !errors.Is(err, errLocked) {
		t.Errorf("a locked file: error %v, want errLocked", err)
	}
	wantContent(t, path, "precious")
	first.Close()
	put(t, opened(t, "file:"+path+",create,flock-nb"), "x")
}

// flock waits, as flock(1) and socat do, until it has the file or is told to stop.
func testLock(t *testing.T) {
	path := written(t, "precious")
	first := opened(t, "file:"+path+",append,flock")
	second := &File{Path: path, Create: true, Lock: true}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := second.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) || transport.Hint(err) == "" {
		t.Errorf("a locked file: error %v, hint %q; want the deadline, and a hint", err, transport.Hint(err))
	}
	wantContent(t, path, "precious")
	got := make(chan error, 1)
	go func() {
		c, err := second.Dial(context.Background())
		if err == nil {
			err = c.Close()
		}
		got <- err
	}()
	first.Close()
	if err := <-got; err != nil {
		t.Errorf("once the lock is free: %v", err)
	}
	wantContent(t, path, "")
}

// The file is there, whole, after a clean end, and as before after any other.
func testAtomic(t *testing.T) {
	path := written(t, "before")
	alone := func(when string) {
		t.Helper()
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("%s: the directory has %v, want the file alone", when, entries)
		}
	}
	for name, end := range map[string]func(transport.Stream){
		"abort": func(s transport.Stream) { transport.Abort(s, errors.New("the other end failed")) },
		"close": func(s transport.Stream) { s.Close() },
	} {
		s := opened(t, "file:"+path+",atomic")
		if _, err := io.WriteString(s, "half"); err != nil {
			t.Fatal(err)
		}
		end(s)
		wantContent(t, path, "before")
		alone(name)
	}
	s := opened(t, "file:"+path+",atomic")
	put(t, s, "after")
	wantContent(t, path, "after")
	alone("CloseWrite")
	if err := errors.Join(transport.Abort(s, errors.New("too late")), s.Close()); err != nil {
		t.Errorf("Abort and Close of a file that is made: %v", err)
	}
	wantContent(t, path, "after")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the new file has mode %v, error %v; want that of the old, 0640", info.Mode(), err)
	}
}

// A file of which bytes are missing must not look complete, even to a program that
// calls CloseWrite all the same.
func TestFileAtomicAfterFailedWrite(t *testing.T) {
	path := absent(t)
	s := opened(t, "file:"+path+",atomic")
	s.(*wholeStream).out.(*whole).File.Close() // as good as a full disk
	if _, err := io.WriteString(s, "x"); err == nil {
		t.Fatal("the write succeeds")
	}
	if err := s.CloseWrite(); !errors.Is(err, errUnfinished) {
		t.Errorf("CloseWrite: error %v, want errUnfinished", err)
	}
	s.Close()
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 0 {
		t.Errorf("the directory has %v", entries)
	}
}

// What fsync does cannot be seen from outside, save where it cannot be done.
func testSync(t *testing.T) {
	path := absent(t)
	s := opened(t, "file:"+path+",create,fsync")
	w := s.(*stream).out.(fileOut)
	if _, err := io.WriteString(s, "x"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := s.CloseWrite(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("CloseWrite with fsync and a file that is gone: error %v, want that of fsync", err)
	}
}

// A link is followed: what it points at is replaced, and not the link.
func TestFileAtomicFollowsLinks(t *testing.T) {
	path := written(t, "before")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	put(t, opened(t, "file:"+link+",atomic"), "after")
	wantContent(t, path, "after")
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is now %v, error %v", info.Mode(), err)
	}
}

// A FIFO that is followed does not end with its first writer.
func TestFileFollowsFIFO(t *testing.T) {
	path := madeFIFO(t)
	s := opened(t, "file:"+path+",follow")
	for _, word := range []string{"one", "two"} {
		put(t, opened(t, "file:"+path+",write"), word)
		wantRead(t, s, word)
	}
	ended := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); ended <- err }()
	s.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
}

// Root is never refused, so the advice is asked for directly.
func TestFilePermissionIsDenied(t *testing.T) {
	err := (&File{Path: "x"}).hint(syscall.EACCES)
	if !errors.Is(err, transport.ErrDenied) || transport.Hint(err) == "" || err.Error() != "permission denied" {
		t.Errorf("error %v, hint %q; want transport.ErrDenied and a hint", err, transport.Hint(err))
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for text, want := range map[string]error{
		"file:" + dir:                    syscall.EISDIR,
		"file:" + dir + ",create":        syscall.EISDIR,
		"file:" + dir + "/none":          fs.ErrNotExist,
		"file:" + dir + "/none/f,create": fs.ErrNotExist,
		"file:" + dir + "/sock":          syscall.ENXIO,
		"file:" + dir + "/none/f,atomic": fs.ErrNotExist,
		"file:/dev/null,follow":          transport.ErrUsage,
		"file:" + dir + ",atomic":        transport.ErrUsage,
	} {
		err := refused(t, text)
		if !errors.Is(err, want) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want %v, without the path", text, err, want)
		}
	}
}

// A device that is read and written cannot end one direction, and must say so.
func TestFileDeviceHasNoHalfClose(t *testing.T) {
	s := opened(t, "file:/dev/null,rdwr")
	if err := s.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: error %v, want errors.ErrUnsupported", err)
	}
}

// A FIFO that nobody reads must not hang for longer than the context.
func TestFileFIFOHonoursContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	for _, d := range []transport.Dialer{&File{Path: madeFIFO(t), Write: true}, &FIFO{Path: madeFIFO(t), Write: true}} {
		if c, err := d.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%T: %v, error %v; want context.DeadlineExceeded", d, c, err)
		}
	}
}

func madeFIFO(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
