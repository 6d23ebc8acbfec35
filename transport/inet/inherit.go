package inet

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Inherit accepts from listening sockets that the process was started with: of
// TCP or of the file system. The sockets themselves stay open when the acceptor
// is closed, as they do in a service manager, so that what connects in between
// waits; opening them again is possible.
type Inherit struct {
	// Socket says which: the number of a descriptor, or several as in "3+4";
	// "" or "systemd" for all sockets that a service manager passed, as
	// sd_listen_fds(3) describes; or the name that it gave one or more of them.
	Socket string
}

var (
	_ transport.Listener  = (*Inherit)(nil)
	_ transport.Validator = (*Inherit)(nil)
)

const (
	inheritKind   = "accept-fd"
	firstPassedFD = 3       // SD_LISTEN_FDS_START
	maxPassedFDs  = 1 << 10 // as many as a process can have open by default
	inheritHint   = "a unit with Accept=no passes sockets, and so does systemd-socket-activate"
)

// Bind binds the target.
func (i *Inherit) Bind(s *opt.Set) {
	s.Target(opt.Text, "N[+N...]|NAME|systemd", func(t address.Target) error {
		i.Socket = t.Text
		return nil
	})
}

// Validate refuses what can be neither a number nor a name.
func (i *Inherit) Validate() error {
	fds, numbers := i.numbers()
	if numbers && slices.Min(fds) < 0 || strings.Contains(i.Socket, ":") {
		return usage(fmt.Sprintf("%q is neither the number of a descriptor nor the name of a socket", i.Socket), "write accept-fd:3, accept-fd:NAME or accept-fd:systemd")
	}
	return nil
}

// Listen finds the sockets. Its Conns are of type [*Conn]; their Info has a Cred
// if they came in by a unix socket.
func (i *Inherit) Listen(ctx context.Context) (transport.Acceptor, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	if err := i.Validate(); err != nil {
		return nil, err
	}
	fds, err := i.descriptors()
	if err != nil {
		return nil, err
	}
	var lns []net.Listener
	for _, fd := range fds {
		ln, err := inherited(fd)
		if err != nil {
			closeListeners(lns)
			return nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
		lns = append(lns, ln)
	}
	return newAcceptor(lns, inheritKind)
}

// numbers returns the descriptors if i.Socket has their numbers; ok is false if it
// is a name.
func (i *Inherit) numbers() (fds []int, ok bool) {
	for word := range strings.SplitSeq(i.Socket, "+") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, false
		}
		fds = append(fds, n)
	}
	return fds, true
}

// descriptors returns the numbers that i.Socket stands for; at least one.
func (i *Inherit) descriptors() ([]int, error) {
	if fds, ok := i.numbers(); ok {
		return fds, nil
	}
	passed, err := passedNames(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"))
	if err != nil {
		return nil, err
	}
	var fds []int
	for n, name := range passed {
		if i.Socket == "" || i.Socket == "systemd" || i.Socket == name {
			fds = append(fds, firstPassedFD+n)
		}
	}
	if len(fds) == 0 {
		return nil, usage(fmt.Sprintf("no socket named %q was passed to this process", i.Socket), "it was passed: "+strings.Join(passed, ", "))
	}
	return fds, nil
}

// passedNames returns the names of the sockets that were passed to this process,
// in the order of their descriptors; see sd_listen_fds(3). There is at least one.
func passedNames(pid, count, names string) ([]string, error) {
	if count == "" {
		return nil, usage("no sockets were passed to this process: LISTEN_FDS is not set", inheritHint)
	}
	if p, err := strconv.Atoi(pid); err != nil || p != os.Getpid() {
		return nil, usage(fmt.Sprintf("the sockets were passed to process %q and not to this one, %d", pid, os.Getpid()), inheritHint)
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxPassedFDs {
		return nil, usage(fmt.Sprintf("LISTEN_FDS is %q, which is not a number of sockets", count), inheritHint)
	}
	passed := make([]string, n)
	given := strings.Split(names, ":")
	for i := range passed {
		passed[i] = "unknown"
		if i < len(given) && given[i] != "" {
			passed[i] = given[i]
		}
	}
	return passed, nil
}
