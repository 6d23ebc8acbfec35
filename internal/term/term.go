//go:build unix

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// A State is all the settings of a terminal.
type State = unix.Termios

// Get returns the settings of the terminal f. The error of what is no terminal
// matches [unix.ENOTTY].
func Get(f *os.File) (s *State, err error) {
	err = Control(f, func(fd int) (err error) { s, err = unix.IoctlGetTermios(fd, getTermios); return err })
	return s, err
}

// Set makes s the settings of the terminal f, at once.
func Set(f *os.File, s *State) error {
	return Control(f, func(fd int) error { return unix.IoctlSetTermios(fd, setTermios, s) })
}

// Change applies change to the settings of the terminal f and returns what they
// were before.
func Change(f *os.File, change func(*State)) (before *State, err error) {
	before, err = Get(f)
	if err != nil {
		return nil, err
	}
	after := *before
	change(&after)
	return before, Set(f, &after)
}

// Raw turns off all that a terminal does to bytes, as cfmakeraw(3).
func Raw(s *State) {
	s.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	s.Oflag &^= unix.OPOST
	s.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	s.Cflag = s.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	s.Cc[unix.VMIN], s.Cc[unix.VTIME] = 1, 0
}

// Echo turns on or off that the terminal shows what is typed.
func Echo(s *State, on bool) {
	if on {
		s.Lflag |= unix.ECHO | unix.ECHOE | unix.ECHOK
	} else {
		s.Lflag &^= unix.ECHO | unix.ECHONL
	}
}

// EndOfFile returns the character that ends the input of the terminal f; ok is
// false where there is none, as in raw mode.
func EndOfFile(f *os.File) (char byte, ok bool) {
	s, err := Get(f)
	if err != nil || s.Lflag&unix.ICANON == 0 || s.Cc[unix.VEOF] == disabled {
		return 0, false
	}
	return s.Cc[unix.VEOF], true
}

// IsTerminal tells whether the descriptor is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, getTermios)
	return err == nil
}

// Control calls do with the descriptor of f, which cannot be closed meanwhile.
func Control(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}
