package rooms

import (
	"context"
	"fmt"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Devices lists the devices of the user's, this one first.
func (r *Rooms) Devices() ([]api.Device, error) {
	c, err := r.now()
	if err != nil {
		return nil, err
	}
	var all []api.Device
	for _, d := range c.Devices() {
		all = append(all, r.describeDevice(d))
	}
	return all, nil
}

func (r *Rooms) describeDevice(d chat.Device) api.Device {
	x := api.Device{ID: d.ID.String(), Short: d.ID.Short(), This: d.This, Key: d.Key, Removed: d.Removed, Rooms: d.Rooms}
	if x.Name, _ = r.Host.Called(d.ID); d.This {
		x.Name = r.Host.Self()
	}
	return x
}

// MayLink tells whether this device can make others the user's, and MayAdopt whether it can become another one's.
func (r *Rooms) MayLink() error {
	c, err := r.now()
	if err != nil {
		return err
	}
	return explain(c.MayLink())
}

// MayAdopt is explained at MayLink.
func (r *Rooms) MayAdopt() error {
	c, err := r.now()
	if err != nil {
		return err
	}
	return explain(c.MayAdopt())
}

// Link makes a device one of the user's, and returns what it needs for that.
func (r *Rooms) Link(ctx context.Context, id peer.ID) ([]byte, error) {
	c, err := r.now()
	if err != nil {
		return nil, err
	}
	cert, err := c.Link(ctx, id)
	if err == nil {
		r.Host.Expect()
	}
	return cert, explain(err)
}

// Adopt makes this device one of the user's of a peer that has given what Link returns, at the next Begin.
func (r *Rooms) Adopt(ctx context.Context, by peer.ID, cert []byte) error {
	c, err := r.now()
	if err != nil {
		return err
	}
	return explain(c.Adopt(ctx, by, cert))
}

// Linked tells whether this device was linked by another one.
func (r *Rooms) Linked() bool {
	c, err := r.now()
	return err == nil && c.MayLink() != nil
}

// RemoveDevice removes another device of the user's, named like a peer, or by its ID, the beginning of that, or the short form of
// it, from all rooms. Nobody but the user can put a key on this list, so a short form is enough here.
func (r *Rooms) RemoveDevice(ctx context.Context, text string) (api.Device, error) {
	c, err := r.now()
	if err != nil {
		return api.Device{}, err
	}
	named, err := r.Host.Find(text)
	if err != nil {
		named = peer.ID{}
	}
	var found []chat.Device
	for _, d := range c.Devices() {
		if d.ID == named || begins(d.ID.String(), text) || same(d.ID.Short(), text) || same(r.describeDevice(d).Name, text) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) > 1:
		return api.Device{}, transport.WithHint(transport.Usage(fmt.Errorf("%d devices may be meant by %q", len(found), text)), "tenon device lists their IDs")
	case len(found) == 0:
		return api.Device{}, transport.WithHint(transport.Mark(fmt.Errorf("you have no device %q", text), api.ErrNotFound), "tenon device lists them")
	}
	return r.describeDevice(found[0]), explain(c.RemoveDevice(ctx, found[0].ID))
}
