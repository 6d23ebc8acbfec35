package chat

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// Errors about the user's devices. Test for them with [errors.Is].
var (
	ErrDevice  = errors.New("that is no other device of yours")
	ErrKey     = errors.New("this device was linked, and has not the key of your identity")
	ErrRemoved = errors.New("that device was removed: its key is of no use in rooms any more")
	ErrCert    = errors.New("the certificate is not one for this device")
	ErrHasRoom = errors.New("this device is in rooms already, or some are offered to it")
)

// A Device is one of the user's.
type Device struct {
	ID      peer.ID
	This    bool
	Removed bool // only This: others that were removed are not listed
	Key     bool // only This: it has the key of the identity, and can link and remove others
	Rooms   int  // in how many rooms it is, of those that this device is in
}

// Devices returns the user's devices: this one first, and those that were linked, or are in a room.
func (c *Chat) Devices() []Device {
	all := map[event.Device]*Device{}
	for d, gone := range c.others() {
		if !gone {
			all[d] = &Device{}
		}
	}
	for _, r := range c.Rooms() {
		for d, who := range r.now.Load().devices {
			if who != c.me {
				continue
			}
			if all[d] == nil {
				all[d] = &Device{}
			}
			all[d].Rooms++
		}
	}
	this := Device{ID: c.Network.Self(), This: true, Removed: c.gone(c.self), Key: c.key != nil}
	if x := all[c.self]; x != nil {
		this.Rooms = x.Rooms
		delete(all, c.self)
	}
	list := []Device{this}
	for d, x := range all {
		if id, err := peer.NewID(d[:]); err == nil {
			x.ID = id
			list = append(list, *x)
		}
	}
	slices.SortFunc(list[1:], func(a, b Device) int { return bytes.Compare(a.ID.Bytes(), b.ID.Bytes()) })
	return list
}

// Outdated tells whether the key of this device is to be replaced: it has signed two events for one place, since an old copy of the
// database was put back or somebody has a copy, or it was removed as an earlier key of a device that goes on. With the
// next key, and this one among those of [Config.Earlier], all goes on, and nothing that was said on either copy by then is
// lost. A device that was linked has to be linked again then.
func (c *Chat) Outdated() bool {
	if c.gone(c.self) {
		return c.key != nil
	}
	for _, r := range c.Rooms() {
		if r.now.Load().forked[c.self] {
			return true
		}
	}
	return false
}

// MayLink tells whether this device can link and remove others; otherwise the error is [ErrKey].
func (c *Chat) MayLink() error {
	if c.key == nil {
		return ErrKey
	}
	return nil
}

// Link makes a device one of the user's, and returns its certificate, for its Adopt. It is offered all rooms that this one is in, now
// and later, and can read there what the user can. The key of the identity stays here: the other device
// can talk for the user, and neither link further ones nor remove any. The errors are [ErrKey], [ErrDevice] and
// [ErrRemoved].
func (c *Chat) Link(ctx context.Context, device peer.ID) ([]byte, error) {
	d := event.Device(device.Bytes())
	switch {
	case c.key == nil:
		return nil, ErrKey
	case d == c.self:
		return nil, ErrDevice
	case c.gone(d):
		return nil, ErrRemoved
	}
	// Whatever becomes of the certificate, it is known here that there is one.
	if err := c.note(ctx, d, false); err != nil {
		return nil, err
	}
	for was, gone := range c.others() {
		if id, err := peer.NewID(was[:]); err == nil && !gone && was != d && c.heir(id) == device {
			if err := c.note(ctx, was, true); err != nil {
				return nil, err
			}
		}
	}
	return appendCert(nil, event.Certify(c.key, d)), nil
}

// MayAdopt tells whether this device can become one of somebody's: not while it is in rooms, or is offered some, which
// it would have to leave. Then the error is [ErrHasRoom]. One that was linked may be linked again by the same user.
func (c *Chat) MayAdopt() error {
	if c.key == nil {
		return nil
	}
	return c.mayAdopt(event.Identity{})
}

// mayAdopt is MayAdopt for a user, who may have offered his rooms already.
func (c *Chat) mayAdopt(who event.Identity) error {
	if who == c.me {
		return nil
	}
	for _, o := range c.Offers() {
		if o.Inviter != who {
			return ErrHasRoom
		}
	}
	for _, r := range c.Rooms() {
		switch i := r.Info(); {
		case i.State == Left, i.State == Inside && i.Role == event.Nobody, i.State == Joining && i.Inviter == who:
		default:
			return ErrHasRoom
		}
	}
	return nil
}

// Adopt makes this device one of whoever has made the certificate, when the database is opened the next time, until the
// device has another key. By is the device that has given it. What this one was in before can still be read. The
// errors are [ErrCert] and [ErrHasRoom].
func (c *Chat) Adopt(ctx context.Context, by peer.ID, cert []byte) error {
	if len(cert) != certSize {
		return ErrCert
	}
	who, ok := readCert(cert, c.Network.Self())
	if !ok {
		return ErrCert
	}
	if err := c.mayAdopt(who.Identity); err != nil {
		return err
	}
	return c.vault.exec(ctx, `INSERT OR REPLACE INTO chat_devices VALUES (?, ?, 0), (?, x'', 0)`, c.self[:], cert, by.Bytes())
}

// RemoveDevice removes another device of the user's from all rooms, for good: what is said from then on it cannot
// read, and where it comes up later it is removed again. The errors are [ErrKey] and [ErrDevice].
func (c *Chat) RemoveDevice(ctx context.Context, device peer.ID) error {
	if c.key == nil {
		return ErrKey
	}
	if !slices.ContainsFunc(c.Devices(), func(d Device) bool { return d.ID == device && !d.This }) {
		return ErrDevice
	}
	if err := c.note(ctx, event.Device(device.Bytes()), true); err != nil {
		return err
	}
	for _, r := range c.Rooms() {
		if err := r.oust(ctx); err != nil {
			return err // the room tries again by itself
		}
	}
	return nil
}

// note keeps that a device is the user's, or was removed, and has all rooms look at it.
func (c *Chat) note(ctx context.Context, d event.Device, gone bool) error {
	err := c.vault.exec(ctx, `INSERT INTO chat_devices VALUES (?, x'', ?) ON CONFLICT (device) DO UPDATE SET gone = excluded.gone`, d[:], gone)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.own[d] = gone
	c.mu.Unlock()
	c.tell(Notice{Kind: DevicesChanged})
	for _, r := range c.Rooms() {
		r.kin.Store(true)
		r.poke()
	}
	return nil
}

// readDevices reads what is kept of devices, and who the user is by it.
func (c *Chat) readDevices(ctx context.Context) error {
	err := c.vault.each(ctx, `SELECT device, cert, gone FROM chat_devices`, func(scan func(...any) error) error {
		var d, cert []byte
		var gone bool
		if err := scan(&d, &cert, &gone); err != nil {
			return err
		}
		c.own[event.Device(d)] = gone
		if event.Device(d) == c.self && len(cert) == certSize {
			var ok bool
			if c.cert, ok = readCert(cert, c.Network.Self()); !ok {
				return ErrCert
			}
			c.me = c.cert.Identity
		}
		return nil
	})
	if err == nil && c.me == (event.Identity{}) {
		c.key, c.me = c.Identity, event.Identity(c.Identity.ID().Bytes())
		c.cert = event.Certify(c.key, c.self)
	}
	return err
}

// others returns the user's other devices that were linked or removed, and which it was.
func (c *Chat) others() map[event.Device]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[event.Device]bool, len(c.own))
	for d, gone := range c.own {
		if d != c.self {
			all[d] = gone
		}
	}
	return all
}

// gone tells whether a device of the user's was removed.
func (c *Chat) gone(d event.Device) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own[d]
}
