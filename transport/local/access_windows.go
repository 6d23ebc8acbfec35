package local

import (
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/transport"
)

// hasOwners tells whether socket files have owners and permissions.
const hasOwners = false

// whoMay says who may connect to a listener.
const whoMay = "which whoever has access to the file may use"

// supported refuses what would decide about who may connect.
func (a *Access) supported() error {
	for name, given := range map[string]bool{
		"mode": a.Mode != 0, "user": a.User != "", "group": a.Group != "",
		"allow-uid": len(a.AllowUID) > 0, "allow-gid": len(a.AllowGID) > 0,
	} {
		if given {
			return transport.WithHint(fmt.Errorf("%s: %w on this system", name, errors.ErrUnsupported),
				"the permissions of the directory decide who may connect")
		}
	}
	return nil
}
