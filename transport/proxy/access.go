package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

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
	User         string     // one client's
	Password     opt.Secret // User's; both or neither
	Users        string     // name of a file with a line NAME:PASSWORD for each client; changes count at once
	AllowTarget  []Pattern  // if there are any, other targets are refused
	DenyTarget   []Pattern  // these are refused in any case
	AllowPrivate bool

	known atomic.Pointer[users] // what was in the file of Users when it was last good; nil if not read yet
}

// Bind binds the options.
func (a *Access) Bind(s *opt.Set) {
	s.Group("proxy clients")
	user := s.Func("proxy-user", "name", "user name that clients must give", func(v string) error {
		a.User = v
		return notEmpty(v)
	})
	user.Multi, user.Mask = false, opt.MaskPassword
	s.Secret(&a.Password, "proxy-password", "password that clients must give")
	users := s.Func("users", "@FILE", "file with a line NAME:PASSWORD for each client", func(v string) error {
		name, isFile := strings.CutPrefix(v, "@")
		if !isFile && strings.Contains(v, ":") {
			return &opt.ValueError{Msg: "is written @FILE, and the file has a line NAME:PASSWORD for each client"}
		}
		a.Users = name
		return notEmpty(name)
	})
	users.Multi, users.Mask = false, opt.MaskPassword
	bindPatterns(s, &a.AllowTarget, "allow-target", "targets that clients may reach, and no others: HOST, *.DOMAIN, address or network, with :PORT")
	bindPatterns(s, &a.DenyTarget, "deny-target", "targets that clients may not reach")
	s.Bool(&a.AllowPrivate, "allow-private", "let clients reach this machine and private networks")
}

// notEmpty refuses the value that an unset variable leaves: it must not turn
// authentication off.
func notEmpty(v string) error {
	if v == "" {
		return &opt.ValueError{Msg: "must not be empty"}
	}
	return nil
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
	case (a.User == "") != a.Password.IsZero():
		return usage("a user name and a password for clients come together")
	case strings.Contains(a.User, ":"):
		return usage("a user name for clients has no colon")
	case a.Users == "":
		return nil
	}
	known, err := loadUsers(a.Users, a.known.Load())
	if err == nil {
		a.known.Store(known)
	}
	return err
}

// Authenticates tells whether clients must prove who they are.
func (a *Access) Authenticates() bool { return a.User != "" || !a.Password.IsZero() || a.Users != "" }

// NeedsAuth is true: whoever can reach a proxy speaks with our address, so one
// that can be reached from other machines should let in only clients that
// authenticate.
func (a *Access) NeedsAuth() bool { return true }

// login returns nil if there is a client of that name and password. Otherwise the
// error matches [transport.ErrDenied], or is about the file of users. How long it takes
// depends on how many clients there are, not on what was sent.
func (a *Access) login(user, password string) error {
	given := credential(user, password)
	ok := 0
	if a.User != "" && !a.Password.IsZero() {
		ok = given.equal(credential(a.User, a.Password.Text()))
	}
	var stale error
	if a.Users != "" {
		var known *users
		if known, stale = a.users(); known == nil {
			return stale
		}
		for _, k := range known.credentials {
			ok |= given.equal(k)
		}
	}
	switch {
	case ok == 1:
		return nil
	case stale != nil:
		return fmt.Errorf("%w; the file of users has changed and is not used: %w", errUnknownClient, stale)
	}
	return errUnknownClient
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
