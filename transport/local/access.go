package local

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// DefaultMode is who may connect to a socket file: its owner.
const DefaultMode = Mode(0o600)

// A Mode is the permissions of a socket file, written in octal. To connect takes
// the permission to write.
type Mode uint32

// UnmarshalText reads an octal number.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return &opt.ValueError{Msg: "must be permissions in octal, such as 600 or 660"}
	}
	*m = Mode(n)
	return nil
}

// Access is who may connect to a listener. The zero value is its own user and
// root: by the permissions of the socket file, or, since abstract names have none,
// by asking the kernel who has connected.
type Access struct {
	Mode        Mode       // of the socket file; 0 is DefaultMode
	User, Group string     // owner of the socket file, by name or number; "" is this process's
	Unlink      opt.Switch // remove the socket file on Close; on

	// AllowUID and AllowGID are users and groups, by name or number, of which
	// a client must be or have one. "*" is anybody. If both are empty, the
	// permissions of the file decide.
	AllowUID, AllowGID []string
}

// Bind binds the options.
func (a *Access) Bind(s *opt.Set) { a.bind(s, false) }

// bind binds the options. An abstract name has no file, and so fewer of them.
func (a *Access) bind(s *opt.Set, abstract bool) {
	s.Group("access")
	if !abstract {
		a.bindFile(s)
	}
	s.Strings(&a.AllowUID, "allow-uid", "user", "let this user in, and others only if allowed too; may be given again")
	s.Strings(&a.AllowGID, "allow-gid", "group", "let the members of this group in, and others only if allowed too; may be given again")
	s.Group("")
}

// bindFile binds the options of the socket file.
func (a *Access) bindFile(s *opt.Set) {
	s.Text(&a.Mode, "mode", "octal", "permissions of the socket file; to connect takes the one to write", func() string {
		if a.Mode == 0 {
			return ""
		}
		return strconv.FormatUint(uint64(a.Mode), 8)
	}).Alias("perm").Default = "600"
	s.String(&a.User, "user", "user", "owner of the socket file").Alias("uid", "owner")
	s.String(&a.Group, "group", "group", "group of the socket file").Alias("gid")
	s.Switch(&a.Unlink, "unlink-close", true, "remove the socket file at the end")
}

// validate refuses what would do nothing for a socket of that name, and looks the
// users and groups up.
func (a *Access) validate(name string) error {
	if isAbstract(name) && (a.Mode != 0 || a.User != "" || a.Group != "" || a.Unlink != opt.Default) {
		return usage("mode, user, group and unlink-close are for sockets in the file system, and an abstract name is in none",
			"allow-uid and allow-gid say who may connect")
	}
	return a.Validate()
}

// Validate looks the users and groups up.
func (a *Access) Validate() error {
	if err := a.supported(); err != nil {
		return err
	}
	if _, _, err := a.owner(); err != nil {
		return err
	}
	_, err := a.guard("")
	return err
}

// Authenticates tells whether the kernel vouches for every client: a list says who
// may come in, or the permissions of the socket file do. It implements
// [transport.Guard] for the listeners.
func (a *Access) authenticates(name string) bool {
	if !hasOwners || slices.Contains(a.AllowUID, anybody) || slices.Contains(a.AllowGID, anybody) {
		return false
	}
	return len(a.AllowUID)+len(a.AllowGID) > 0 || isAbstract(name) || a.mode()&0o002 == 0
}

const anybody = "*"

func (a *Access) mode() Mode {
	if a.Mode == 0 {
		return DefaultMode
	}
	return a.Mode
}

// owner returns the numbers for chown(2); -1 leaves it.
func (a *Access) owner() (uid, gid int, err error) {
	uid, gid = -1, -1
	if a.User != "" {
		if uid, err = lookupUser(a.User); err != nil {
			return uid, gid, err
		}
	}
	if a.Group != "" {
		gid, err = lookupGroup(a.Group)
	}
	return uid, gid, err
}

// A guard is the lists of an Access with names looked up.
type guard struct {
	all        bool
	uids, gids []int
}

// guard returns what decides about clients of the socket of that name.
func (a *Access) guard(name string) (*guard, error) {
	if err := a.supported(); err != nil {
		return nil, err
	}
	g := &guard{all: len(a.AllowUID)+len(a.AllowGID) == 0 && !isAbstract(name)}
	if !g.all && len(a.AllowUID)+len(a.AllowGID) == 0 {
		g.uids = []int{os.Geteuid(), 0}
	}
	for _, u := range a.AllowUID {
		if u == anybody {
			g.all = true
			continue
		}
		uid, err := lookupUser(u)
		if err != nil {
			return nil, err
		}
		g.uids = append(g.uids, uid)
	}
	for _, name := range a.AllowGID {
		if name == anybody {
			g.all = true
			continue
		}
		gid, err := lookupGroup(name)
		if err != nil {
			return nil, err
		}
		g.gids = append(g.gids, gid)
	}
	return g, nil
}

// admit returns an error that matches [transport.ErrDenied] unless the client may
// come in. The socket, if there is one of its own, tells the client's groups.
func (g *guard) admit(cred *transport.Cred, c syscall.Conn) error {
	if g.all {
		return nil
	}
	if cred == nil {
		return transport.Mark(fmt.Errorf("the system does not tell who connected"), transport.ErrDenied)
	}
	if slices.Contains(g.uids, cred.UID) || slices.Contains(g.gids, cred.GID) {
		return nil
	}
	if len(g.gids) > 0 && c != nil {
		for _, gid := range peerGroups(c) {
			if slices.Contains(g.gids, gid) {
				return nil
			}
		}
	}
	return transport.Mark(fmt.Errorf("user %d, group %d (process %d) is not allowed", cred.UID, cred.GID, cred.PID), transport.ErrDenied)
}

// Admit returns an error that matches [transport.ErrDenied] unless the lists, or
// without any this process's user and root, have the one at the other side of c: the
// client of a listener, or the listener that was dialed.
func (a *Access) Admit(c transport.Conn) error {
	g, err := a.guard("@") // permissions have nothing to say
	if err != nil {
		return err
	}
	sc, _ := transport.As[syscall.Conn](c)
	return g.admit(c.Info().Cred, sc)
}

func lookupUser(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return -1, usage("there is no user "+name, "")
	}
	return strconv.Atoi(u.Uid)
}

func lookupGroup(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, usage("there is no group "+name, "")
	}
	return strconv.Atoi(g.Gid)
}
