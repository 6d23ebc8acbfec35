//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/tenon-net/tenon/internal/gift"
	"github.com/tenon-net/tenon/transport"
)

// firstPassed is the number of the first descriptor that is passed to a program:
// SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstPassed = 3

// A place is the number that a descriptor will have in the program.
type place struct {
	file *os.File
	at   int
}

// findProgram returns the path of the program.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrDot):
		err = transport.WithHint(fmt.Errorf("%s: %w", name, exec.ErrDot), "write ./"+name+" to run the one in this directory")
	case errors.Is(err, exec.ErrNotFound):
		err = transport.WithHint(fmt.Errorf("%s: %w", name, exec.ErrNotFound), "nothing was taken")
	}
	return path, err
}

// stdioPlaces puts a file where its direction says.
func stdioPlaces(f *os.File) (places []place, err error) {
	l, err := lookAt(f)
	if !l.writeOnly {
		places = append(places, place{f, 0})
	}
	if !l.readOnly {
		places = append(places, place{f, 1})
	}
	return places, err
}

// listenEnv returns env with the variables of sd_listen_fds(3). The process stays
// the same, and so its number.
func listenEnv(env []string, gifts []gift.Gift) []string {
	out := make([]string, 0, len(env)+3)
	for _, v := range env {
		if name, _, _ := strings.Cut(v, "="); name != "LISTEN_FDS" && name != "LISTEN_PID" && name != "LISTEN_FDNAMES" && name != "LISTEN_PIDFDID" {
			out = append(out, v)
		}
	}
	var names []string
	for _, g := range gifts {
		names = append(names, g.Name)
	}
	return append(out, fmt.Sprintf("LISTEN_FDS=%d", len(gifts)), fmt.Sprintf("LISTEN_PID=%d", os.Getpid()), "LISTEN_FDNAMES="+strings.Join(names, ":"))
}
