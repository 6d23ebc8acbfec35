//go:build unix

package file

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// DefaultBaud is the speed of a [Serial] line in bits a second.
const DefaultBaud = 115200

// Serial is a serial line, with all bytes passed unchanged. A line that is hung up, as
// one that is unplugged, ends both directions. Close gives the line its settings back.
// The settings are made directly, and not by a library, so that reads and writes have
// deadlines and wait in the poller like all others.
type Serial struct {
	Path      string
	Baud      int        // bits a second; 0 means DefaultBaud
	Parity    string     // "none", "odd", "even"; "" means none
	Data      int        // bits of a character, 5 to 8; 0 means 8
	Stop      int        // stop bits, 1 or 2; 0 means 1
	RTSCTS    bool       // flow control by wires
	XonXoff   bool       // flow control by characters, which then cannot be data
	DTR       opt.Switch // raise or drop the wire; the default leaves it to the system
	RTS       opt.Switch // likewise
	Exclusive opt.Switch // nobody else can open the line meanwhile; on
}

var (
	_ transport.Dialer    = (*Serial)(nil)
	_ transport.Validator = (*Serial)(nil)
)

// Bind binds the options, and the target as the path.
func (e *Serial) Bind(s *opt.Set) {
	s.Target(opt.Text, "DEVICE", pathTarget(&e.Path))
	s.Int(&e.Baud, "baud", DefaultBaud, 1, 100_000_000, "speed in bits a second").Alias("speed", "ispeed")
	s.Enum(&e.Parity, "parity", "a bit that makes the ones of each character even or odd", "none", "odd", "even")
	s.Int(&e.Data, "data", 8, 5, 8, "bits of each character")
	s.Int(&e.Stop, "stop", 1, 1, 2, "stop bits after each character")
	s.Bool(&e.RTSCTS, "rtscts", "the wires RTS and CTS say who may send").Alias("crtscts")
	s.Bool(&e.XonXoff, "xonxoff", "the characters ^S and ^Q say who may send, and cannot be sent themselves")
	s.Switch(&e.DTR, "dtr", true, "raise the wire DTR, or drop it; if this is not given, the system decides")
	s.Switch(&e.RTS, "rts", true, "raise the wire RTS, or drop it; if this is not given, the system decides")
	s.Switch(&e.Exclusive, "exclusive", true, "keep other programs from opening the line meanwhile").Alias("tiocexcl")
}

// Validate finds fault with the path.
func (e *Serial) Validate() error {
	if e.Path == "" {
		return transport.Mark(errors.New("a device is missing, such as /dev/ttyUSB0"), transport.ErrUsage)
	}
	return nil
}

// Dial opens the line without waiting for a carrier.
func (e *Serial) Dial(ctx context.Context) (transport.Conn, error) {
	if err := errors.Join(ctx.Err(), e.Validate()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(e.Path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		err = bare(err)
		if errors.Is(err, unix.EBUSY) {
			err = transport.WithHint(err, "another program has the line")
		}
		return nil, err
	}
	before, err := e.setUp(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	s := newStream("serial", e.Path, f, fileOut{f, unsupported})
	return &line{ender: newEnder(s, always), f: f, before: before}, nil
}

// setUp changes the settings of the line and returns what they were.
func (e *Serial) setUp(f *os.File) (before *term.State, err error) {
	err = term.Control(f, func(fd int) error {
		before, err = unix.IoctlGetTermios(fd, getLine)
		if err != nil {
			return notATerminal(err)
		}
		if e.Exclusive.Or(true) {
			if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
				return os.NewSyscallError("TIOCEXCL", err)
			}
		}
		after := *before
		e.settings(&after)
		if err := unix.IoctlSetTermios(fd, setLine, &after); err != nil {
			return fmt.Errorf("settings of the line: %w", err)
		}
		return errors.Join(wire(fd, e.DTR, unix.TIOCM_DTR, "dtr"), wire(fd, e.RTS, unix.TIOCM_RTS, "rts"))
	})
	return before, err
}

// settings are those of a raw line.
func (e *Serial) settings(s *term.State) {
	term.Raw(s)
	s.Cflag &^= unix.CSIZE | unix.PARENB | unix.PARODD | unix.CSTOPB | unix.CRTSCTS
	s.Cflag |= unix.CREAD | unix.CLOCAL
	s.Iflag &^= unix.IXOFF | unix.INPCK
	switch e.Data {
	case 5:
		s.Cflag |= unix.CS5
	case 6:
		s.Cflag |= unix.CS6
	case 7:
		s.Cflag |= unix.CS7
	default:
		s.Cflag |= unix.CS8
	}
	switch e.Parity {
	case "odd":
		s.Cflag |= unix.PARENB | unix.PARODD
		s.Iflag |= unix.INPCK
	case "even":
		s.Cflag |= unix.PARENB
		s.Iflag |= unix.INPCK
	}
	if e.Stop == 2 {
		s.Cflag |= unix.CSTOPB
	}
	if e.RTSCTS {
		s.Cflag |= unix.CRTSCTS
	}
	if e.XonXoff {
		s.Iflag |= unix.IXON | unix.IXOFF
	}
	baud := e.Baud
	if baud == 0 {
		baud = DefaultBaud
	}
	setSpeed(s, baud)
}

// wire raises or drops a modem wire.
func wire(fd int, v opt.Switch, bit int, name string) error {
	req := uint(unix.TIOCMBIS)
	switch v {
	case opt.Default:
		return nil
	case opt.Off:
		req = unix.TIOCMBIC
	}
	if err := setModem(fd, req, bit); err != nil {
		return transport.WithHint(fmt.Errorf("%s: %w", name, err), "the line may have no such wire")
	}
	return nil
}

// A line is an open serial line.
type line struct {
	*ender
	f      *os.File
	before *term.State
}

var _ transport.Stream = (*line)(nil)

// Close gives the line its settings back, and closes it. A line that has been
// unplugged needs no settings.
func (l *line) Close() error {
	if !l.closed.Load() {
		_ = term.Control(l.f, func(fd int) error {
			_ = unix.IoctlSetInt(fd, unix.TIOCNXCL, 0)
			return unix.IoctlSetTermios(fd, setLine, l.before)
		})
	}
	return l.stream.Close()
}
