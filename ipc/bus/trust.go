//go:build linux

package bus

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/tenon-net/tenon/transport"
)

// trust tells whether the program that plays the hub may be a member at all.
func (c *Conn) trust(cred *transport.Cred) error {
	a := &c.bus.Access
	if cred == nil {
		return transport.Mark(errors.New("the system does not tell who plays the hub"), transport.ErrDenied)
	}
	if cred.UID == 0 || cred.UID == os.Geteuid() || slices.Contains(a.AllowUID, "*") || slices.Contains(a.AllowGID, "*") {
		return nil
	}
	uid, gid := strconv.Itoa(cred.UID), strconv.Itoa(cred.GID)
	for _, name := range a.AllowUID {
		if u, err := user.Lookup(name); name == uid || err == nil && u.Uid == uid {
			return nil
		}
	}
	for _, name := range a.AllowGID {
		if g, err := user.LookupGroup(name); name == gid || err == nil && g.Gid == gid {
			return nil
		}
	}
	return transport.WithHint(
		transport.Mark(fmt.Errorf("the hub is played by user %d (process %d), who is not allowed", cred.UID, cred.PID), transport.ErrDenied),
		"allow-uid= lets another user be a member, and play the hub")
}
