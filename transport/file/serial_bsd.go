//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package file

import (
	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

const (
	getLine = unix.TIOCGETA
	setLine = unix.TIOCSETA
)

// setSpeed sets any speed: here the constants are the numbers.
func setSpeed(s *term.State, baud int) { setSpeeds(&s.Ispeed, &s.Ospeed, baud) }

func setSpeeds[T ~int32 | ~uint32 | ~uint64](in, out *T, baud int) { *in, *out = T(baud), T(baud) }

func setModem(fd int, req uint, bit int) error { return unix.IoctlSetPointerInt(fd, req, bit) }
