//go:build !linux

package inet

import "errors"

// joinGroup refuses: only Linux has been taught groups so far.
func joinGroup(int, group) error { return errors.ErrUnsupported }

// setMulticast refuses the options that only Linux has been taught so far. Package
// net allows broadcasts, and the systems send to groups with a hop limit of one.
func (u *UDPDatagram) setMulticast(int, bool) error {
	for name, given := range map[string]bool{
		"broadcast=no": !u.Broadcast.Or(true), "multicast-ttl": u.HopLimit > 1,
		"multicast-loop=no": !u.Loop.Or(true), "multicast-if": u.OutIf != "",
	} {
		if given {
			return unsupported(name)
		}
	}
	return nil
}
