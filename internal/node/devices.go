package node

import (
	"context"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/rooms"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
)

// linking begins a pairing for which a code is good that links devices, and no other, if that may be.
func (n *Node) linking(r api.PairRequest, tell func(api.PairEvent), may func(*rooms.Rooms) error) (all *rooms.Rooms, p pairing, err error) {
	if all, err = n.theRooms(); err == nil {
		err = may(all)
	}
	if err == nil {
		p, err = n.pairing(r, tell)
	}
	p.side.For = pair.Linking
	return all, p, err
}

// LinkDevice shows a code, and makes who uses it a device of the user's.
func (n *Node) LinkDevice(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	all, p, err := n.linking(r, tell, (*rooms.Rooms).MayLink)
	if err != nil {
		return err
	}
	p.side.Give = func(id peer.ID) ([]byte, error) {
		if n.access.Load().Blocked[id] {
			return nil, peer.Blocked
		}
		cert, err := all.Link(context.WithoutCancel(ctx), id)
		if err == nil {
			n.audit.add(entry{event: "link", peer: id.String()})
		}
		return cert, err
	}
	result, err := p.show(ctx)
	if err != nil {
		return err
	}
	return p.done(ctx, result)
}

// JoinDevice uses a code that a device of the user's shows: this one is another of them then.
func (n *Node) JoinDevice(ctx context.Context, r api.PairRequest, tell func(api.PairEvent)) error {
	_, p, err := n.linking(r, tell, (*rooms.Rooms).MayAdopt)
	if err != nil {
		return err
	}
	result, err := p.use(ctx, r.Code)
	if err != nil {
		return err
	}
	if err := n.adopt(context.WithoutCancel(ctx), result.Peer, []byte(result.Given)); err != nil {
		return err
	}
	return p.done(ctx, result)
}

// adopt has the rooms met in as a device of the user's of a peer that has given a certificate.
func (n *Node) adopt(ctx context.Context, by peer.ID, cert []byte) error {
	n.rotating.Lock()
	defer n.rotating.Unlock()
	all, err := n.theRooms()
	if err != nil {
		return err
	}
	if err := all.Adopt(ctx, by, cert); err != nil {
		return err
	}
	n.endRooms()
	return n.beginRooms(ctx)
}

// RemoveDevice removes another device of the user's from all rooms.
func (n *Node) RemoveDevice(ctx context.Context, text string) (api.Device, error) {
	all, err := n.theRooms()
	if err != nil {
		return api.Device{}, err
	}
	d, err := all.RemoveDevice(ctx, text)
	if err == nil {
		n.audit.add(entry{event: "unlink", peer: d.ID, name: d.Name})
	}
	return d, err
}
