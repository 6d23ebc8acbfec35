//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// TTY is a terminal at which somebody sits, in raw mode so that every key goes to
// the other side. Close gives the terminal its settings back; a program that can
// be ended by a signal must see to it that Close is called. A hang-up ends both
// directions; Escape, and the end-of-file character with Raw off, end reading.
type TTY struct {
	Path   string     // "" means the terminal that controls this process
	Raw    opt.Switch // on; off leaves the settings alone
	Echo   opt.Switch // show what is typed; the default follows Raw
	Escape Key        // ends reading when it is typed; 0 means none
}

var _ transport.Dialer = (*TTY)(nil)

const controlling = "/dev/tty"

// Bind binds the options, and the target as the path.
func (e *TTY) Bind(s *opt.Set) {
	s.Target(opt.Text, "[PATH]", pathTarget(&e.Path))
	s.Switch(&e.Raw, "raw", true, "pass on every key; Ctrl-C and the like go to the other side").Alias("rawer", "cfmakeraw")
	s.Func("cooked", "", "leave the terminal as it is, which is raw=no", func(v string) error { e.Raw = opt.Off; return nil })
	s.Switch(&e.Echo, "echo", false, "show what is typed; with raw=no that is for the terminal to say")
	s.Text(&e.Escape, "escape", "key", "leave when this key is typed, such as ^]", e.Escape.String)
}

// Dial opens the terminal and changes its settings.
func (e *TTY) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := e.Path
	if path == "" {
		path = controlling
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		err = bare(err)
		if errors.Is(err, syscall.ENXIO) && e.Path == "" {
			err = transport.WithHint(err, "this process has no terminal; name one, or use - for standard input and output")
		}
		return nil, err
	}
	before, err := term.Change(f, func(s *term.State) {
		if e.Raw.Or(true) {
			term.Raw(s)
		}
		if e.Echo != opt.Default || e.Raw.Or(true) {
			term.Echo(s, e.Echo == opt.On)
		}
	})
	if err != nil {
		f.Close()
		return nil, notATerminal(err)
	}
	s := newStream("tty", path, &escapable{File: f, key: byte(e.Escape)}, fileOut{f, unsupported})
	person := e.Path == "" // at a terminal that is named may sit a machine
	gone := func() bool { return fileHungUp(f) }
	t := &terminal{screen: screen{newEnder(s, gone), newWindow(func() (int, int) { return term.Size(f) }), person}, f: f, before: before}
	return t, nil
}

func notATerminal(err error) error {
	if errors.Is(err, syscall.ENOTTY) {
		return transport.WithHint(err, "this is not a terminal")
	}
	return err
}

// A terminal is a screen whose settings are given back.
type terminal struct {
	screen
	f      *os.File
	before *term.State
	once   sync.Once
	err    error
}

var (
	_ transport.Stream = (*terminal)(nil)
	_ transport.Sizer  = (*terminal)(nil)
)

// Restore gives the terminal its settings back. It may be called more than once,
// at any time; the end is of little use after it.
func (t *terminal) Restore() error {
	t.once.Do(func() { t.err = term.Set(t.f, t.before) })
	return t.err
}

// Close restores and closes the terminal. One that is gone needs no settings.
func (t *terminal) Close() error {
	if !t.closed.Load() {
		_ = t.Restore()
	}
	return t.screen.Close()
}

// An escapable is an input that ends when a key is typed.
type escapable struct {
	*os.File
	key  byte
	left bool
}

func (e *escapable) Read(p []byte) (int, error) {
	if e.left {
		return 0, io.EOF
	}
	n, err := e.File.Read(p)
	if e.key != 0 {
		if i := strings.IndexByte(string(p[:n]), e.key); i >= 0 {
			if e.left = true; i == 0 {
				return 0, io.EOF
			}
			return i, nil
		}
	}
	return n, err
}

// Key is a key with Ctrl, as the byte that it sends. 0 is none.
type Key byte

// UnmarshalText reads ^], ctrl-], 0x1d or none.
func (k *Key) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	rest, caret := strings.CutPrefix(s, "^")
	rest, ctrl := strings.CutPrefix(rest, "ctrl-")
	switch {
	case s == "none":
		*k = 0
		return nil
	case (caret || ctrl) && len(rest) == 1 && rest[0] >= '?' && rest[0] <= '~':
		if rest[0] == '?' {
			*k = 0x7f
		} else {
			*k = Key(rest[0] & 0x1f)
		}
		return nil
	}
	if n, err := strconv.ParseUint(s, 0, 8); err == nil && n > 0 {
		*k = Key(n)
		return nil
	}
	return &opt.ValueError{Msg: "must be a key such as ^] or ctrl-a, a byte such as 0x1d, or none"}
}

// String returns the key as UnmarshalText reads it; "" for none.
func (k Key) String() string {
	switch {
	case k == 0:
		return ""
	case k < ' ' || k == 0x7f:
		return "^" + string(rune(k^0x40))
	}
	return "0x" + strconv.FormatUint(uint64(k), 16)
}
