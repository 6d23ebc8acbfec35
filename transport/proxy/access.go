package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Access says who may use a proxy server and where its clients may go. The zero
// value lets everybody in who can connect, and to the public Internet only.
//
// Private targets are refused by default: the machine itself and each of its
// addresses, the networks that are not public, link-local addresses with the
// metadata of clouds among them, multicast, and all of these in the IPv6 forms of
// an IPv4 address. They are allowed to
//
//   - every client, with AllowPrivate;
//   - every client, if an address or a network in AllowTarget covers them; a name
//     there is not enough, for its owner decides where it points;
//   - a client on this machine that came over the loopback interface or a unix
//     socket, which could connect by itself. A relay on this machine that brings
//     clients from elsewhere makes them look like that: give it AcceptHeader.
type Access struct {
	User, Password string    // one client's; both or neither
	Users          string    // name of a file with a line NAME:PASSWORD for each client
	AllowTarget    []Pattern // if there are any, other targets are refused
	DenyTarget     []Pattern // these are refused in any case
	AllowPrivate   bool
}

// maxUsers is the size in bytes of the longest file of users that is read.
const maxUsers = 1 << 20

// Bind binds the options.
func (a *Access) Bind(s *opt.Set) {
	s.Group("proxy clients")
	s.String(&a.User, "proxy-user", "name", "user name that clients must give")
	s.Secret(&a.Password, "proxy-password", "password that clients must give")
	s.Func("users", "@FILE", "file with a line NAME:PASSWORD for each client", func(v string) error {
		a.Users = strings.TrimPrefix(v, "@")
		return nil
	}).Multi = false
	bindPatterns(s, &a.AllowTarget, "allow-target", "targets that clients may reach, and no others: HOST, *.DOMAIN, address or network, with :PORT")
	bindPatterns(s, &a.DenyTarget, "deny-target", "targets that clients may not reach")
	s.Bool(&a.AllowPrivate, "allow-private", "let clients reach this machine and private networks")
}

func bindPatterns(s *opt.Set, p *[]Pattern, name, usage string) {
	s.Func(name, "HOST[:PORT]", usage, func(v string) error {
		var one Pattern
		if err := one.UnmarshalText([]byte(v)); err != nil {
			return &opt.ValueError{Msg: err.Error()}
		}
		*p = append(*p, one)
		return nil
	})
}

// Validate finds a user without a password and a bad file of users.
func (a *Access) Validate() error {
	switch {
	case (a.User == "") != (a.Password == ""):
		return usage("a user name and a password for clients come together")
	case strings.Contains(a.User, ":"):
		return usage("a user name for clients has no colon")
	case a.Users == "":
		return nil
	}
	_, err := a.check("", "")
	return err
}

// Authenticates tells whether clients must prove who they are.
func (a *Access) Authenticates() bool { return a.User != "" || a.Password != "" || a.Users != "" }

// NeedsAuth is true: whoever can reach a proxy speaks with our address, so one
// that can be reached from other machines should let in only clients that
// authenticate.
func (a *Access) NeedsAuth() bool { return true }

// check tells whether a client has that name and password. How long it takes
// depends on the file, not on what the client sent. The file is read every time,
// so that it can be changed while the proxy runs.
func (a *Access) check(user, password string) (bool, error) {
	given := credential(user, password)
	ok := 0
	if a.User != "" && a.Password != "" {
		ok = given.equal(credential(a.User, a.Password))
	}
	if a.Users == "" {
		return ok == 1, nil
	}
	data, err := readUsers(a.Users)
	if err != nil {
		return false, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxUsers)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		name, pass, found := strings.Cut(line, ":")
		if !found || name == "" || pass == "" {
			return false, usage(fmt.Sprintf("%s: line %d is not NAME:PASSWORD", a.Users, n))
		}
		ok |= given.equal(credential(name, pass))
	}
	return ok == 1, lines.Err()
}

func readUsers(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxUsers+1))
	if err == nil && len(data) > maxUsers {
		err = errors.New(name + " is longer than a megabyte")
	}
	return data, err
}

// A hash stands for a name and a password, in one length for all.
type hash [sha256.Size]byte

// credential keeps "a", "b:c" and "a:b", "c" apart by hashing the name first.
func credential(user, password string) hash {
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return sha256.Sum256(append(u[:], p[:]...))
}

func (h hash) equal(other hash) int { return subtle.ConstantTimeCompare(h[:], other[:]) }

// errUnknownClient is a client that did not prove who it is.
var errUnknownClient = transport.Mark(errors.New("the client's user name and password are not known"), transport.ErrDenied)
