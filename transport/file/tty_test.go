//go:build unix

package file

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

const losesData = "closing a terminal discards what is in its buffers"

// openPTY returns a master that lives until the test ends, and the slave's path.
// The slave stays open, or what is set on it would be lost.
func openPTY(t testing.TB) (master *os.File, path string) {
	t.Helper()
	master, slave, path, err := term.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, path
}

func stateOf(t testing.TB, f *os.File) term.State {
	t.Helper()
	s, err := term.Get(f)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// masterEnd makes an end of a master.
func masterEnd(master *os.File) transport.Conn {
	return newStream("pty", "pty", masterIn{master}, fileOut{master, unsupported})
}

func TestTTY(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kindOf(t, "tty"), NoNettest: losesData,
		Pair: func(t testing.TB) (a, b transport.Conn) {
			master, slave, path, err := term.OpenPTY()
			if err != nil {
				t.Fatal(err)
			}
			defer slave.Close()
			return dialed(t, &TTY{Path: path}), masterEnd(master)
		},
		Endpoint: func(t testing.TB) transport.Endpoint {
			_, path := openPTY(t)
			return &TTY{Path: path}
		},
		Addresses: []string{"tty:", "tty:/dev/tty1,cooked", "tty:,escape=ctrl-a,echo", "terminal:,raw=no"},
		Bad:       map[string]string{"tty:,escape=abc": "escape: must be a key such as ^] or ctrl-a, a byte such as 0x1d, or none"},
		Options: map[string]func(*testing.T){
			"raw": func(t *testing.T) {
				wantLocal(t, TTY{}, 0, unix.ICANON|unix.ISIG|unix.ECHO)
				wantLocal(t, TTY{Raw: opt.Off}, unix.ICANON|unix.ISIG|unix.ECHO, 0)
			},
			"echo": func(t *testing.T) {
				wantLocal(t, TTY{Echo: opt.On}, unix.ECHO, unix.ICANON)
				wantLocal(t, TTY{Raw: opt.Off, Echo: opt.Off}, unix.ICANON, unix.ECHO)
			},
			"cooked": func(t *testing.T) {
				_, path := openPTY(t)
				e, err := filled(t, "tty:"+path+",cooked")
				if err != nil || e.(*TTY).Raw != opt.Off {
					t.Errorf("raw is %v, error %v", e.(*TTY).Raw, err)
				}
			},
			"escape": testEscapeKey,
		},
	})
}

// wantLocal checks local modes of a terminal while it is used and after.
func wantLocal(t *testing.T, e TTY, on, off uint64) {
	t.Helper()
	master, path := openPTY(t)
	before := stateOf(t, master)
	e.Path = path
	c := dialed(t, &e)
	if now := uint64(stateOf(t, master).Lflag); now&on != on || now&off != 0 {
		t.Errorf("%+v: local modes %#o, want %#o on and %#o off", e, now, on, off)
	}
	if err := c.(*terminal).Restore(); err != nil || stateOf(t, master) != before {
		t.Errorf("Restore: the terminal is not as before, error %v", err)
	}
	if err := c.Close(); err != nil || stateOf(t, master) != before {
		t.Errorf("Close: the terminal is not as before, error %v", err)
	}
}

func testEscapeKey(t *testing.T) {
	master, path := openPTY(t)
	c := opened(t, "tty:"+path+",escape=^]")
	if _, err := master.Write([]byte("typed\x1dand more")); err != nil {
		t.Fatal(err)
	}
	wantRead(t, c, "typed")
	wantEnd(t, c)
	wantEnd(t, c)
}

func TestTTYIsATerminal(t *testing.T) {
	if err := refused(t, "tty:"+written(t, "")); !errors.Is(err, syscall.ENOTTY) || transport.Hint(err) == "" {
		t.Errorf("error %v, hint %q", err, transport.Hint(err))
	}
}

func TestTTYIsRestoredWhenKilled(t *testing.T) {
	master, path := openPTY(t)
	before := stateOf(t, master)
	cmd := child(t, "tty")
	cmd.Env = append(cmd.Env, "TENON_TEST_TTY="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantRead(t, out, "raw\n")
	if stateOf(t, master) == before {
		t.Error("the terminal is not in raw mode")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wantChild(t, "tty", cmd.Wait(), cmd)
	if stateOf(t, master) != before {
		t.Error("the terminal is not as before")
	}
}

func TestPTY(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kindOf(t, "pty"), NoNettest: losesData,
		Pair: func(t testing.TB) (a, b transport.Conn) {
			a = dialed(t, new(PTY))
			return a, dialed(t, &Serial{Path: a.LocalAddr().String()})
		},
		HangsUp: true,
		Ending: func(t testing.TB) (a, b transport.Conn) {
			path := filepath.Join(t.TempDir(), "tty")
			got := make(chan transport.Conn, 1)
			go func() {
				c, _ := (&PTY{WaitSlave: true, Link: path}).Dial(context.Background())
				got <- c
			}()
			for end := time.Now().Add(transporttest.Patience); b == nil; time.Sleep(time.Millisecond) { // until the link is there
				var err error
				if b, err = (&Serial{Path: path}).Dial(t.Context()); err != nil && (!errors.Is(err, os.ErrNotExist) || time.Now().After(end)) {
					t.Fatal(err)
				}
			}
			return <-got, b
		},
		Endpoint:  func(testing.TB) transport.Endpoint { return new(PTY) },
		Addresses: []string{"pty:", "pty:,link=/tmp/modem,raw,echo=no", "pty:,wait-slave,mode=0660"},
		Bad:       map[string]string{"pty:x": "kind pty takes no target", "pty:,rows=0": "rows: must be a whole number from 1 to 65535"},
		Options: map[string]func(*testing.T){
			"link": testPTYLink,
			"raw": func(t *testing.T) {
				wantPTY(t, PTY{}, 0, unix.ICANON|unix.ECHO)
				wantPTY(t, PTY{Raw: opt.Off}, unix.ICANON|unix.ECHO, 0)
			},
			"echo":       func(t *testing.T) { wantPTY(t, PTY{Echo: opt.On}, unix.ECHO, unix.ICANON) },
			"rows":       func(t *testing.T) { wantSize(t, "pty:,rows=5", 5, 0) },
			"cols":       func(t *testing.T) { wantSize(t, "pty:,rows=5,cols=6", 5, 6) },
			"mode":       testPTYMode,
			"wait-slave": testPTYWait,
		},
	})
}

func wantPTY(t *testing.T, e PTY, on, off uint64) {
	t.Helper()
	c := dialed(t, &e).(*virtual)
	if now := uint64(stateOf(t, c.master).Lflag); now&on != on || now&off != 0 {
		t.Errorf("%+v: local modes %#o, want %#o on and %#o off", e, now, on, off)
	}
}

func wantSize(t *testing.T, text string, rows, cols int) {
	t.Helper()
	c := opened(t, text).(*virtual)
	if r, k := term.Size(c.master); r != rows || k != cols {
		t.Errorf("%s: size %d, %d; want %d, %d", text, r, k, rows, cols)
	}
	if err := c.Resize(9, 10); err != nil {
		t.Error(err)
	}
	if r, k := term.Size(c.master); r != 9 || k != 10 {
		t.Errorf("after Resize: size %d, %d; want 9, 10", r, k)
	}
}

func testPTYMode(t *testing.T) {
	info, err := os.Stat(opened(t, "pty:,mode=0604").LocalAddr().String())
	if err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func testPTYLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "modem")
	if err := os.Symlink("/left/behind", path); err != nil {
		t.Fatal(err)
	}
	c := opened(t, "pty:,link="+path)
	if got, err := os.Readlink(path); err != nil || got != c.LocalAddr().String() {
		t.Errorf("the link points at %q, error %v; want %s", got, err, c.LocalAddr())
	}
	second := opened(t, "pty:,link="+path)
	c.Close()
	if got, _ := os.Readlink(path); got != second.LocalAddr().String() {
		t.Errorf("Close of the first took the link of the second away: %q", got)
	}
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is left behind: %v", err)
	}
	file := written(t, "precious")
	if err := refused(t, "pty:,link="+file); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file in place of the link: error %v", err)
	}
	wantContent(t, file, "precious")
}

func testPTYWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "modem")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if _, err := (&PTY{WaitSlave: true, Link: path}).Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody opens: error %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is left behind: %v", err)
	}
	got := make(chan transport.Conn, 1)
	go func() {
		c, _ := (&PTY{WaitSlave: true, Link: path}).Dial(context.Background())
		got <- c
	}()
	var slave *os.File
	for end := time.Now().Add(transporttest.Patience); slave == nil; time.Sleep(time.Millisecond) { // until the link is there
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil && (!errors.Is(err, os.ErrNotExist) || time.Now().After(end)) {
			t.Fatal(err)
		}
		slave = f
	}
	c := (<-got).(transport.Stream)
	defer c.Close()
	if _, err := slave.WriteString("hi"); err != nil {
		t.Fatal(err)
	}
	wantRead(t, c, "hi")
	slave.Close()
	wantEnd(t, c)
}

// Programs come and go at the other side; the terminal stays.
func TestPTYIsOpenedAgain(t *testing.T) {
	c := dialed(t, new(PTY))
	for _, word := range []string{"one", "two"} {
		cmd := exec.Command("/bin/sh", "-c", `printf %s "$1" >"$0"`, c.LocalAddr().String(), word)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		wantRead(t, c, word)
	}
}

func TestSerial(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Kind: kindOf(t, "serial"), NoNettest: losesData,
		Pair: func(t testing.TB) (a, b transport.Conn) {
			b = dialed(t, new(PTY))
			return dialed(t, &Serial{Path: b.LocalAddr().String()}), b
		},
		HangsUp: true,
		Endpoint: func(t testing.TB) transport.Endpoint {
			_, path := openPTY(t)
			return &Serial{Path: path, Exclusive: opt.Off}
		},
		Addresses: []string{"serial:/dev/ttyUSB0,baud=9600,parity=even,data=7,stop=2", "serial:/dev/ttyS0,rtscts,dtr=no,rts"},
		Bad: map[string]string{
			"serial:":              "a device is missing, such as /dev/ttyUSB0",
			"serial:x,baud=0":      "baud: must be a whole number from 1 to 100000000",
			"serial:x,parity=mark": "parity: must be one of none, odd, even",
			"serial:x,data=9":      "data: must be a whole number from 5 to 8",
		},
		Options: map[string]func(*testing.T){
			"baud": testBaud,
			"parity": func(t *testing.T) {
				wantControl(t, Serial{Parity: "odd"}, unix.PARENB|unix.PARODD)
				wantControl(t, Serial{Parity: "even"}, unix.PARENB)
			},
			"data":      func(t *testing.T) { wantControl(t, Serial{Data: 7}, unix.CS7) },
			"stop":      func(t *testing.T) { wantControl(t, Serial{Stop: 2}, unix.CSTOPB) },
			"rtscts":    func(t *testing.T) { wantControl(t, Serial{RTSCTS: true}, unix.CRTSCTS) },
			"xonxoff":   testXonXoff,
			"dtr":       func(t *testing.T) { wantNoWire(t, "dtr") },
			"rts":       func(t *testing.T) { wantNoWire(t, "rts=no") },
			"exclusive": testExclusive,
		},
	})
}

// wantControl checks control modes that a pseudo terminal does not keep, as the
// system would get them.
func wantControl(t *testing.T, e Serial, want uint64) {
	t.Helper()
	var s term.State
	e.settings(&s)
	const all = unix.PARENB | unix.PARODD | unix.CSTOPB | unix.CRTSCTS
	got := uint64(s.Cflag) & (all | unix.CSIZE)
	if want&unix.CSIZE == 0 {
		want |= unix.CS8
	}
	if got != want {
		t.Errorf("%+v: control modes %#o, want %#o", e, got, want)
	}
}

func testBaud(t *testing.T) {
	for text, want := range map[string]int{"": 115200, ",baud=9600": 9600, ",baud=250000": 250000} {
		master, path := openPTY(t)
		c := opened(t, "serial:"+path+text).(*line)
		err := term.Control(c.f, func(fd int) error {
			s, err := unix.IoctlGetTermios(fd, getLine)
			if err == nil && (int(s.Ospeed) != want || int(s.Ispeed) != want) {
				t.Errorf("%q: speeds %d and %d, want %d", text, s.Ispeed, s.Ospeed, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		cmd := exec.Command("stty", "speed")
		cmd.Stdin = master
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); want != 250000 && (err != nil || got != strconv.Itoa(want)) {
			t.Errorf("%q: others see speed %s, error %v; want %d", text, got, err, want)
		}
		c.Close()
	}
}

func testXonXoff(t *testing.T) {
	var s term.State
	(&Serial{XonXoff: true}).settings(&s)
	if s.Iflag&(unix.IXON|unix.IXOFF) != unix.IXON|unix.IXOFF {
		t.Errorf("input modes %#o", s.Iflag)
	}
}

// A pseudo terminal has no wires, and says so only if one is asked for.
func wantNoWire(t *testing.T, option string) {
	t.Helper()
	_, path := openPTY(t)
	name, _, _ := strings.Cut(option, "=")
	if err := refused(t, "serial:"+path+","+option); !strings.HasPrefix(err.Error(), name+": ") {
		t.Errorf("error %v, want one about %s", err, name)
	}
}

func TestSerialGivesTheSettingsBack(t *testing.T) {
	master, path := openPTY(t)
	before := stateOf(t, master)
	c := opened(t, "serial:"+path)
	if stateOf(t, master) == before {
		t.Error("the line is not raw")
	}
	if err := c.Close(); err != nil || stateOf(t, master) != before {
		t.Errorf("the line is not as before, error %v", err)
	}
}

// socat makes the line, and echoes what comes.
func TestSerialWithSocat(t *testing.T) {
	if _, err := exec.LookPath("socat"); err != nil {
		t.Fatal("socat is not installed; ./check installs it")
	}
	path := filepath.Join(t.TempDir(), "line")
	cmd := exec.Command("socat", "-d", "-d", "pty,rawer,link="+path, "exec:cat")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "starting data transfer") {
			break
		}
	}
	c := opened(t, "serial:"+path+",baud=9600")
	for _, word := range []string{"\x00\x03\x04\x11\x13\r\n\xff", "more"} {
		if _, err := io.WriteString(c, word); err != nil {
			t.Fatal(err)
		}
		wantRead(t, c, word)
	}
}
