//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// The matrix joins every kind of end with every other through the program, and
// holds the far side of both: bytes both ways, the end of file each way, and the
// exit status.

// A corner is a sort of end as the matrix sees it.
type corner struct {
	name string

	// open returns the address that the program is to open, and far, which
	// returns its other side once the program is running.
	open func(x *matrix) (addr string, far func() transport.Conn)

	msgs    bool // carries messages
	noEOF   bool // has no end of file, or no half of one: its far side closes instead
	hears   bool // its far side is there only when it has heard something
	endless bool // nothing that the far side does ends it: it is a line, not a connection
	speaks  bool // the program takes its far side for there only when it has spoken
}

// matrixProgram returns the directory of the program that makes the joints: as it is
// released. With the race detector it would take three times as long for all of them;
// with that, the scripts run, and the tests of the packages.
var matrixProgram = sync.OnceValues(func() (dir string, err error) {
	tenon, err := exec.LookPath("tenon")
	if err != nil || !raceDetector {
		return filepath.Dir(tenon), err
	}
	dir = filepath.Join(filepath.Dir(tenon), "released")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "tenon"), ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return dir, nil
})

// matrix is one joint of the test.
type matrix struct {
	t    *testing.T
	dir  string
	port int // free: the network is the test's own
}

func (x *matrix) next() int { x.port++; return x.port }

// dialedKind is a kind that the program dials: the far side listens.
func dialedKind(kind, listenKind string, options ...string) func(*matrix) (string, func() transport.Conn) {
	return func(x *matrix) (string, func() transport.Conn) {
		target := x.target(kind)
		acc, err := tenon.Listen(x.t.Context(), listenKind+":"+target+join2(options, 1))
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() { acc.Close() })
		return kind + ":" + target + join2(options, 0), func() transport.Conn { return x.accept(acc) }
	}
}

// accept returns the program's connection, or fails if it does not come.
func (x *matrix) accept(acc transport.Acceptor) transport.Conn {
	x.t.Helper()
	late := time.AfterFunc(patience, func() { acc.Close() })
	defer late.Stop()
	conn, err := acc.Accept()
	if err != nil {
		x.t.Fatal(err)
	}
	return conn
}

// patience bounds every wait of the matrix.
const patience = 30 * time.Second

// listenKind is a kind that the program listens at: the far side dials, as soon as it
// can.
func listenKind(kind, dialKind string, options ...string) func(*matrix) (string, func() transport.Conn) {
	return func(x *matrix) (string, func() transport.Conn) {
		target := x.target(kind)
		return kind + ":" + target + ",once" + join2(options, 0), func() transport.Conn {
			ctx, cancel := context.WithTimeout(x.t.Context(), patience)
			defer cancel()
			conn, err := tenon.Dial(ctx, dialKind+":"+target+",retry=3000,interval=10ms"+join2(options, 1))
			if err != nil {
				x.t.Fatal(err)
			}
			return conn
		}
	}
}

// join2 returns the option at i of the program's and the far side's.
func join2(options []string, i int) string {
	if i < len(options) && options[i] != "" {
		return "," + options[i]
	}
	return ""
}

func (x *matrix) target(kind string) string {
	switch {
	case strings.Contains(kind, "unix") && strings.HasSuffix(kind, "@"):
		return ""
	case strings.Contains(kind, "unix"), strings.HasPrefix(kind, "shm"):
		return filepath.Join(x.dir, fmt.Sprintf("s%d", x.next()))
	case strings.HasPrefix(kind, "ws"):
		return fmt.Sprintf("127.0.0.1:%d/path", x.next())
	}
	return fmt.Sprintf("127.0.0.1:%d", x.next())
}

func corners() []corner {
	return []corner{
		{name: "tcp", open: dialedKind("tcp", "tcp-listen")},
		{name: "tcp-listen", open: listenKind("tcp-listen", "tcp")},
		{name: "unix", open: dialedKind("unix", "unix-listen")},
		{name: "unix-listen", open: listenKind("unix-listen", "unix")},
		{name: "tls", open: dialedKind("tls", "tls-listen", "insecure")},
		{name: "tls-listen", open: listenKind("tls-listen", "tls", "", "insecure")},
		{name: "tls+unix", open: dialedKind("tls+unix", "tls+unix-listen", "insecure")},
		{name: "quic", open: dialedKind("quic", "quic-listen", "insecure")},
		{name: "quic-listen", open: listenKind("quic-listen", "quic", "", "insecure")},
		{name: "ws", open: dialedKind("ws", "ws-listen", "eof-timeout=300ms"), msgs: true, noEOF: true},
		{name: "ws-listen", open: listenKind("ws-listen", "ws", "eof-timeout=300ms"), msgs: true, noEOF: true},
		{name: "wss-listen", open: listenKind("wss-listen", "wss", "eof-timeout=300ms", "insecure"), msgs: true, noEOF: true},
		{name: "unixpacket", open: dialedKind("unixpacket", "unixpacket-listen"), msgs: true},
		{name: "unixpacket-listen", open: listenKind("unixpacket-listen", "unixpacket"), msgs: true},
		{name: "shm", open: dialedKind("shm", "shm-listen")},
		{name: "shm-listen", open: listenKind("shm-listen", "shm")},
		{name: "shm-msg", open: dialedKind("shm-msg", "shm-msg-listen"), msgs: true},
		{name: "udp", open: dialedKind("udp", "udp-listen", "eof-timeout=300ms", "session-idle=1s"), msgs: true, noEOF: true, hears: true, endless: true},
		{name: "udp-listen", open: listenKind("udp-listen", "udp", "eof-timeout=300ms,session-idle=3s"), msgs: true, noEOF: true, speaks: true},
		{name: "exec", open: openProgram("")},
		{name: "exec-pty", open: openProgram(",pty,raw,echo=no,eof-timeout=300ms"), noEOF: true},
		{name: "fifo", open: openFIFOs},
		{name: "pty", open: openPTY, noEOF: true, endless: true},
	}
}

func TestMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped because of -short: every kind joined with every other")
	}
	t.Parallel()
	program, err := matrixProgram()
	if err != nil {
		t.Fatal(err)
	}
	port := 20000
	for _, a := range corners() {
		for _, b := range corners() {
			port += 10
			base := port
			if a.hears && b.hears {
				continue // neither can say the first word
			}
			t.Run(a.name+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				testCorner(t, program, a, b, base)
			})
		}
	}
}

func testCorner(t *testing.T, program string, a, b corner, port int) {
	x := &matrix{t: t, dir: t.TempDir(), port: port}
	addrA, farA := a.open(x)
	addrB, farB := b.open(x)
	cmd := exec.Command(filepath.Join(program, "tenon"), addrA, addrB)
	cmd.Env = append(os.Environ(), "PATH="+program+string(filepath.ListSeparator)+os.Getenv("PATH"))
	errs := new(syncBuffer)
	cmd.Stderr = errs
	ready, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	if isListener(addrA) || isListener(addrB) {
		cmd.Args = append(cmd.Args, "--ready-fd=3")
		cmd.ExtraFiles = []*os.File{w}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	io.Copy(io.Discard, ready) // until all that listen are there
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })

	sides := [2]*side{newSide(farA), newSide(farB)}
	defer func() {
		if t.Failed() {
			t.Logf("tenon %s %s: %s", addrA, addrB, errs.String())
		}
		for _, s := range sides {
			if s.conn != nil {
				s.conn.Close()
			}
		}
	}()

	firstWords(t, a, b, sides)
	sides[0].say(t, sides[1], "from A to B")
	sides[1].say(t, sides[0], "from B to A")
	sides[0].say(t, sides[1], "and again")
	if !a.msgs && !b.msgs && !a.noEOF && !b.noEOF {
		bulk(t, sides[0], sides[1])
	}
	sides[0].end(t, a)
	if !a.noEOF && !b.noEOF {
		sides[1].sees(t, io.EOF)
		sides[1].say(t, sides[0], "half is open still")
	}
	sides[1].end(t, b)
	if !a.noEOF && !b.noEOF {
		sides[0].sees(t, io.EOF)
	} else {
		for _, s := range sides {
			s.conn.SetReadDeadline(time.Now().Add(patience))
			go io.Copy(io.Discard, s.stream) // until the side is closed
		}
	}
	want := 0
	if a.endless && b.endless {
		cmd.Process.Signal(os.Interrupt)
		want = 128 + int(syscall.SIGINT)
	}
	select {
	case err := <-ended:
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("tenon %s %s: %v: %s", addrA, addrB, err, errs.String())
		}
	case <-time.After(patience):
		t.Errorf("tenon %s %s goes on after both sides have ended: %s", addrA, addrB, errs.String())
	}
}

// A side is the far side of one end. Messages are seen as bytes.
type side struct {
	open   func() transport.Conn
	conn   transport.Conn // nil until it is needed
	stream transport.Stream
}

func newSide(open func() transport.Conn) *side { return &side{open: open} }

// ready opens the side, the first time.
func (s *side) ready() {
	if s.conn != nil {
		return
	}
	s.conn = s.open()
	if m, ok := s.conn.(transport.MsgConn); ok {
		s.stream = join.Bytes(m, join.Chunks)
	} else {
		s.stream = s.conn.(transport.Stream)
	}
}

// firstWords opens both far sides, and says what must be said for them to be there.
func firstWords(t *testing.T, a, b corner, sides [2]*side) {
	t.Helper()
	const word = "the first word"
	switch {
	case a.speaks && b.speaks:
		sides[0].tell(t, word)
		sides[1].tell(t, word)
		sides[0].hear(t, word)
		sides[1].hear(t, word)
	case a.hears || b.speaks:
		sides[1].say(t, sides[0], word)
	case b.hears || a.speaks:
		sides[0].say(t, sides[1], word)
	default:
		var opening sync.WaitGroup
		opening.Go(sides[0].ready)
		opening.Go(sides[1].ready)
		opening.Wait()
		if t.Failed() {
			t.FailNow() // one of them is not there
		}
	}
}

func (s *side) say(t *testing.T, to *side, text string) {
	t.Helper()
	s.tell(t, text)
	to.hear(t, text)
}

func (s *side) tell(t *testing.T, text string) {
	t.Helper()
	s.ready()
	if _, err := io.WriteString(s.stream, text); err != nil {
		t.Fatalf("tell %q: %v", text, err)
	}
}

func (s *side) hear(t *testing.T, text string) {
	t.Helper()
	s.ready()
	buf := make([]byte, len(text))
	s.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(s.stream, buf); err != nil || string(buf) != text {
		t.Fatalf("heard %q, %v, want %q", buf, err, text)
	}
}

func (s *side) sees(t *testing.T, want error) {
	t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := s.stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Errorf("read %d bytes, %v, want %v", n, err, want)
	}
}

// end half-closes, or closes where there is no half.
func (s *side) end(t *testing.T, c corner) {
	t.Helper()
	var err error
	if c.noEOF {
		err = s.conn.Close()
	} else {
		err = s.stream.CloseWrite()
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: end: %v", c.name, err)
	}
}

// bulk sends half a megabyte both ways at once.
func bulk(t *testing.T, a, b *side) {
	t.Helper()
	data := make([]byte, 1<<19)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	var all sync.WaitGroup
	for _, pair := range [][2]*side{{a, b}, {b, a}} {
		all.Go(func() {
			if _, err := pair[0].stream.Write(data); err != nil {
				t.Errorf("bulk: %v", err)
			}
		})
		all.Go(func() {
			got := make([]byte, len(data))
			pair[1].conn.SetReadDeadline(time.Now().Add(patience))
			if n, err := io.ReadFull(pair[1].stream, got); err != nil || !bytes.Equal(got, data) {
				t.Errorf("bulk: %d bytes, %v, the same %v", n, err, bytes.Equal(got, data))
			}
		})
	}
	all.Wait()
}

// openProgram is exec: with a program that joins its standard input and output to
// a socket of the test, which is tenon itself.
func openProgram(options string) func(*matrix) (string, func() transport.Conn) {
	return func(x *matrix) (string, func() transport.Conn) {
		path := filepath.Join(x.dir, fmt.Sprintf("p%d", x.next()))
		acc, err := tenon.Listen(x.t.Context(), "unix-listen:"+path)
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() { acc.Close() })
		return "exec:tenon - unix:" + path + options, func() transport.Conn { return x.accept(acc) }
	}
}

// openFIFOs is an end that reads from one named pipe and writes to another.
func openFIFOs(x *matrix) (string, func() transport.Conn) {
	in, out := filepath.Join(x.dir, fmt.Sprintf("in%d", x.next())), filepath.Join(x.dir, fmt.Sprintf("out%d", x.next()))
	for _, path := range []string{in, out} {
		if err := exec.Command("mkfifo", path).Run(); err != nil {
			x.t.Fatal(err)
		}
	}
	return "fifo:" + in + "!!fifo:" + out + ",write", func() transport.Conn {
		ctx, cancel := context.WithTimeout(x.t.Context(), patience)
		defer cancel()
		conn, err := tenon.Dial(ctx, "fifo:"+out+"!!fifo:"+in+",write")
		if err != nil {
			x.t.Fatal(err)
		}
		return conn
	}
}

// openPTY is a pseudo terminal, of which the far side opens the terminal's end.
func openPTY(x *matrix) (string, func() transport.Conn) {
	link := filepath.Join(x.dir, fmt.Sprintf("pty%d", x.next()))
	return "pty:,raw,link=" + link + ",eof-timeout=300ms", func() transport.Conn {
		ctx, cancel := context.WithTimeout(x.t.Context(), patience)
		defer cancel()
		conn, err := tenon.Dial(ctx, "serial:"+link+",retry=3000,interval=10ms")
		if err != nil {
			x.t.Fatal(err)
		}
		return conn
	}
}
