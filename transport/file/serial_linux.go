package file

import (
	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

// setSpeed sets any speed, not only those that have a constant (termios(3), BOTHER).
func setSpeed(s *term.State, baud int) {
	s.Cflag = s.Cflag&^unix.CBAUD | unix.BOTHER
	s.Ispeed, s.Ospeed = uint32(baud), uint32(baud)
}

func setModem(fd int, req uint, bit int) error { return unix.IoctlSetPointerInt(fd, req, bit) }
