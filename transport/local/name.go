package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// The lengths in bytes of the longest names of a unix socket. Struct sockaddr_un has
// 108 bytes on Linux: a path ends with a zero, and an abstract name, whose length is
// told, begins with one (unix(7)).
const (
	maxName     = len(syscall.RawSockaddrUnix{}.Path) - 1
	maxAbstract = len(syscall.RawSockaddrUnix{}.Path) - 1
)

// hasAbstract tells whether the system has the abstract namespace.
const hasAbstract = runtime.GOOS == "linux"

// isAbstract tells whether name is in Linux's abstract namespace, as "@name" is
// (unix(7)). A file whose name begins so is written "./@name".
func isAbstract(name string) bool { return strings.HasPrefix(name, "@") }

// bindTarget binds a target that is the name of a socket. With abstract, the @ is
// implied.
func bindTarget(s *opt.Set, p *string, abstract bool) {
	syntax := nameSyntax
	if abstract {
		syntax = "NAME"
	}
	s.Target(opt.Text, syntax, func(t address.Target) error {
		*p = t.Text
		if abstract && !isAbstract(*p) {
			*p = "@" + *p
		}
		return checkName(*p)
	})
}

func checkName(name string) error {
	switch {
	case name == "" || name == "@":
		return usage("there is no path", "write the path of the socket, or @ and an abstract name")
	case strings.ContainsRune(name, 0):
		return usage("a path has no zero bytes", "")
	case isAbstract(name) && !hasAbstract:
		return transport.WithHint(fmt.Errorf("abstract names: %w on this system", errors.ErrUnsupported),
			"a file whose name begins with @ is written ./@name")
	case isAbstract(name) && len(name)-1 > maxAbstract:
		return usage(fmt.Sprintf("the abstract name has %d bytes, and may have %d", len(name)-1, maxAbstract), "")
	}
	return nil
}

// A place is a name taken apart: an abstract name, or a directory and what is in
// it. A directory that is held open cannot be exchanged for another one while the
// socket in it is looked at, and its path may be longer than a socket's name.
type place struct {
	name string   // as the user wrote it
	dir  *os.File // nil for an abstract name
	base string
}

func openPlace(name string) (*place, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	p := &place{name: name, base: filepath.Base(name)}
	if isAbstract(name) {
		return p, nil
	}
	if strings.HasSuffix(name, "/") || p.base == ".." || p.base == "." {
		return nil, usage(name+" is a directory", "write the path of the socket in it")
	}
	var err error
	p.dir, err = os.Open(filepath.Dir(name)) // for reading, or it could not be locked
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *place) close() {
	if p.dir != nil {
		p.dir.Close()
	}
}

// sockName is the name by which bind(2) and connect(2) find base in the place.
func (p *place) sockName(base string) (string, error) {
	if p.dir == nil {
		return p.name, nil
	}
	name := filepath.Join(filepath.Dir(p.name), base)
	switch {
	case len(name) <= maxName:
		return inFileSystem(name), nil
	case runtime.GOOS != "linux":
		return "", usage(fmt.Sprintf("the path is too long for a socket: %s has %d bytes, and may have %d", name, len(name), maxName), "")
	}
	name = "/proc/self/fd/" + strconv.Itoa(int(p.dir.Fd())) + "/" + base
	if len(name) > maxName {
		return "", usage(fmt.Sprintf("the path is too long for a socket: its last part has %d bytes, and may have %d",
			len(base), len(base)-len(name)+maxName), "")
	}
	return name, nil
}

// inFileSystem keeps package net from taking the name for an abstract one.
func inFileSystem(name string) string {
	if isAbstract(name) {
		return "./" + name
	}
	return name
}

func unixAddr(network, name string) *net.UnixAddr { return &net.UnixAddr{Net: network, Name: name} }

// named returns a, or an address that says that the socket has no name, and which
// process the kernel knows behind it, if cred is not nil.
func named(a net.Addr, cred *transport.Cred) net.Addr {
	if u, ok := a.(*net.UnixAddr); !ok || u != nil && u.Name != "" && u.Name != "@" { // "@" is how package net writes it
		return a
	}
	name := "unnamed"
	switch {
	case cred == nil:
	case cred.PID != 0:
		name = fmt.Sprintf("unnamed (pid %d, uid %d)", cred.PID, cred.UID)
	default:
		name = fmt.Sprintf("unnamed (uid %d)", cred.UID)
	}
	return transport.Addr{Net: a.Network(), Name: name}
}

// renamed returns err with these addresses, if it has some.
func renamed(err error, local, remote net.Addr) error {
	if err == nil {
		return nil
	}
	op, ok := err.(*net.OpError)
	if !ok {
		return err
	}
	return &net.OpError{Op: op.Op, Net: op.Net, Source: local, Addr: remote, Err: op.Err}
}

func usage(text, hint string) error {
	return transport.WithHint(transport.Mark(errors.New(text), transport.ErrUsage), hint)
}
