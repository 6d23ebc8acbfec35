//go:build unix

package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func TestFIFOConformance(t *testing.T) {
	h := transporttest.Harness{
		Kind: kindOf(t, "fifo"),
		Pair: func(t testing.TB) (a, b transport.Conn) {
			path := madeFIFO(t)
			a = dialed(t, &FIFO{Path: path})
			return a, dialed(t, &FIFO{Path: path, Write: true})
		},
		Endpoint:  func(t testing.TB) transport.Endpoint { return &FIFO{Path: madeFIFO(t)} },
		Addresses: []string{"fifo:/tmp/a", "pipe:a:b,create", "fifo:", "fifo:x,create,mode=0620,unlink-close=no,write"},
		Bad: map[string]string{
			"fifo:,write":    "a path is missing",
			"fifo:x,mode=-1": "mode: must be an octal number such as 0640",
		},
		Options: map[string]func(*testing.T){
			"write": testFIFOWrite, "create": testFIFOCreate, "mode": testFIFOMode, "unlink-close": testFIFOUnlink,
		},
	}
	t.Run("read", func(t *testing.T) { transporttest.Run(t, h) })
	h.Writes = true
	h.Pair = func(t testing.TB) (a, b transport.Conn) {
		path := madeFIFO(t)
		b = dialed(t, &FIFO{Path: path})
		return dialed(t, &FIFO{Path: path, Write: true}), b
	}
	h.Endpoint = func(t testing.TB) transport.Endpoint {
		path := madeFIFO(t)
		dialed(t, &FIFO{Path: path})
		return &FIFO{Path: path, Write: true}
	}
	t.Run("write", func(t *testing.T) { transporttest.Run(t, h) })
}

func FuzzFIFOBind(f *testing.F) { transporttest.Fuzz(f, kindOf(f, "fifo"), "fifo:x,create,mode=620") }

// program returns a real program that does not outlive the test.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), name, args...)
}

func testFIFOWrite(t *testing.T) {
	path := madeFIFO(t)
	cat := program(t, "cat", path)
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() { out, err := cat.Output(); done <- result{out, err} }()
	s := opened(t, "fifo:"+path+",write") // waits for cat
	wantEnd(t, s)
	put(t, s, "hello")
	if r := <-done; r.err != nil || string(r.out) != "hello" {
		t.Errorf("cat has read %q, error %v; want hello and the end", r.out, r.err)
	}
}

// Reading waits for the first writer, and ends when all have gone.
func TestFIFOReadsUntilWritersGo(t *testing.T) {
	path := madeFIFO(t)
	s := opened(t, "fifo:"+path)
	if err := s.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with no writer yet: read %d, error %v; want to wait", n, err)
	}
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	sh := program(t, "sh", "-c", `{ echo one; echo two; } > "$1"`, "sh", path)
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	wantRead(t, s, "one\ntwo\n")
	wantEnd(t, s)
	if err := sh.Wait(); err != nil {
		t.Error(err)
	}
}

// A writer that comes and goes without a word is an end, too.
func TestFIFOSilentWriter(t *testing.T) {
	path := madeFIFO(t)
	s := opened(t, "fifo:"+path)
	ended := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); ended <- err }()
	if err := program(t, "sh", "-c", `: > "$1"`, "sh", path).Run(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != io.EOF {
			t.Errorf("error %v, want io.EOF", err)
		}
	case <-time.After(transporttest.Patience):
		t.Error("the read goes on waiting")
	}
}

func testFIFOCreate(t *testing.T) {
	path := absent(t)
	if err := refused(t, "fifo:"+path); !errors.Is(err, fs.ErrNotExist) || transport.Hint(err) == "" {
		t.Errorf("without create: error %v, hint %q", err, transport.Hint(err))
	}
	s := opened(t, "fifo:"+path+",create")
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeNamedPipe|0o600 {
		t.Errorf("mode %v, error %v; want a FIFO with 0600", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: error %v, want it gone", err)
	}
}

// What was there before stays, and what somebody put in the place of ours.
func TestFIFORemovesItsOwnOnly(t *testing.T) {
	path := madeFIFO(t)
	opened(t, "fifo:"+path+",create").Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("a FIFO that was there before: %v", err)
	}
	path = absent(t)
	s := opened(t, "fifo:"+path+",create")
	if err := errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, []byte("x"), 0o600), s.Close()); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "x")
}

func testFIFOMode(t *testing.T) {
	path := absent(t)
	opened(t, "fifo:"+path+",create,mode=0622")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o622 {
		t.Errorf("mode %v, error %v; want 0622", info.Mode(), err)
	}
}

func testFIFOUnlink(t *testing.T) {
	path := absent(t)
	opened(t, "fifo:"+path+",create,unlink-close=no").Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestFIFORefusesOthers(t *testing.T) {
	path := written(t, "x")
	for _, text := range []string{"fifo:" + path, "fifo:" + path + ",create", "fifo:" + path + ",write"} {
		if err := refused(t, text); transport.Hint(err) == "" {
			t.Errorf("%s: error %v without a hint", text, err)
		}
	}
	wantContent(t, path, "x")
}

// Socat's PIPE without a path is an echo.
func TestFIFOWithoutPathIsEcho(t *testing.T) {
	s := opened(t, "pipe:")
	put(t, s, "back")
	wantRead(t, s, "back")
	wantEnd(t, s)
}
