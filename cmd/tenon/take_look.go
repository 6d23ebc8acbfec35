//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/gift"
)

// A look is what an open file turns out to be. The giver is not asked.
type look struct {
	sort                string // for people
	listens, regular    bool
	readOnly, writeOnly bool
}

func lookAt(f *os.File) (l look, err error) {
	info, err := f.Stat()
	if err != nil {
		return l, err
	}
	err = onDescriptor(f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		l.readOnly = flags&unix.O_ACCMODE == unix.O_RDONLY
		l.writeOnly = flags&unix.O_ACCMODE == unix.O_WRONLY
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && on != 0 {
			l.listens = true
		}
		return err
	})
	switch m := info.Mode(); {
	case l.listens:
		l.sort = "listening socket"
	case m&fs.ModeSocket != 0:
		l.sort = "socket"
	case m&fs.ModeNamedPipe != 0:
		l.sort = "pipe"
	case m&fs.ModeDevice != 0:
		l.sort = "device"
	case m.IsDir():
		l.sort = "directory"
	default:
		l.sort, l.regular = "file", m.IsRegular()
	}
	return l, err
}

func onDescriptor(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = do(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// fitsStdio tells whether a program can have what is given as standard input and
// output.
func fitsStdio(gifts []gift.Gift) error {
	if len(gifts) != 1 {
		return usageError(fmt.Sprintf("--stdio is for one descriptor, and here are %d", len(gifts)), "without it the program has all of them, from 3 on")
	}
	l, err := lookAt(gifts[0].File)
	if err == nil && l.listens {
		err = usageError("--stdio is for a connection or a file, and here is a listening socket", "without it the program has it as descriptor 3")
	}
	return err
}

// fitsJoint tells whether what is given can be one end of a joint.
func fitsJoint(gifts []gift.Gift) error {
	for _, g := range gifts {
		l, err := lookAt(g.File)
		if err != nil {
			return err
		}
		if len(gifts) > 1 && !l.listens {
			return usageError(fmt.Sprintf("there are %d descriptors, and only listening sockets can be joined together", len(gifts)), "a program can have all of them: tenon take ... -- PROGRAM")
		}
	}
	return nil
}

// jointEnds returns the addresses of the two ends: that of what is given, and the
// other one, which is only standard input or output where more makes no sense. The
// descriptors in the address are duplicates, which the end will own.
func jointEnds(gifts []gift.Gift, other string) (mine, otherEnd string, oneWay bool, err error) {
	var numbers []string
	for _, g := range gifts {
		err := onDescriptor(g.File, func(fd int) error {
			// Not closed on exec: the kind fd takes over what was inherited, and
			// closes it on exec itself.
			dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, firstPassed)
			numbers = append(numbers, fmt.Sprint(dup))
			return err
		})
		if err != nil {
			return "", "", false, err
		}
	}
	l, err := lookAt(gifts[0].File)
	switch {
	case err != nil:
		return "", "", false, err
	case l.listens:
		return "accept-fd:" + strings.Join(numbers, "+"), other, false, nil
	}
	mine = "fd:" + numbers[0]
	switch {
	case other != address.Stdio:
		return mine, other, false, nil
	case l.readOnly || l.regular && !l.writeOnly:
		return mine, "stdout:", true, nil
	case l.writeOnly:
		return "stdin:", mine, true, nil
	}
	return address.Stdio, mine, false, nil
}

// report tells what was taken, and what becomes of each.
func (t *taker) report(gifts []gift.Gift, where func(i int) string) {
	for i, g := range gifts {
		l, err := lookAt(g.File)
		if err != nil {
			l.sort = err.Error()
		}
		switch {
		case t.global.json:
			_ = t.stderr.json(map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "event": "taken",
				"end": g.What, "name": g.Name, "sort": l.sort, "as": where(i)})
		case t.global.verbose:
			t.stderr.linef("tenon: took %s, %s (%s): %s", g.Name, g.What, l.sort, where(i))
		}
	}
}
