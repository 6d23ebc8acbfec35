package chat

import (
	"context"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// A State says how far somebody is in a room.
type State uint8

// The states, in the order in which they follow each other. Numbers are in the database.
//
//	offered --> joining --> inside --> leaving --> left
const (
	offered State = iota + 1
	Joining       // nobody has let us in yet
	Inside
	Leaving // nobody has been told yet
	Left    // what was there can still be read
)

const inside = Inside

func (s State) String() string {
	if s > Left {
		return "unknown"
	}
	return [...]string{"unknown", "offered", "joining", "inside", "leaving", "left"}[s]
}

// A place is what is kept of a room that is not in its events.
type place struct {
	room     event.ID
	state    State
	secret   [32]byte // by which members meet; zeros: not known yet
	seed     [32]byte // of the key of the invite; zeros: there is none
	via      event.ID // by which we may enter; zeros: not known yet
	hosts    []peer.ID
	name     string
	inviter  event.Identity
	receipts bool // others are told how far we have read
}

func (p place) offer() Offer { return Offer{p.room, p.name, p.inviter, p.hosts} }

func (v *vault) put(ctx context.Context, p place) error {
	var hosts []byte
	for _, h := range p.hosts {
		hosts = append(hosts, h.Bytes()...)
	}
	receipts := 0
	if p.receipts {
		receipts = 1
	}
	return v.exec(ctx, `INSERT OR REPLACE INTO chat_places VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, p.room[:], int64(p.state),
		v.seal(slices.Concat(p.secret[:], p.seed[:]), p.room[:]), p.via[:], append([]byte{}, hosts...), p.name, p.inviter[:], receipts)
}

func (v *vault) places(ctx context.Context) (all []place, err error) {
	err = v.each(ctx, `SELECT room, state, secrets, via, hosts, name, inviter, receipts FROM chat_places`, func(scan func(...any) error) error {
		var p place
		var room, sealed, via, hosts, inviter []byte
		if err := scan(&room, &p.state, &sealed, &via, &hosts, &p.name, &inviter, &p.receipts); err != nil {
			return err
		}
		plain, err := v.unseal(sealed, room)
		if err != nil {
			return err
		}
		copy(p.room[:], room)
		copy(p.secret[:], plain)
		copy(p.seed[:], plain[32:])
		copy(p.via[:], via)
		copy(p.inviter[:], inviter)
		for h := range slices.Chunk(hosts, 32) {
			id, err := peer.NewID(h)
			if err != nil {
				return err
			}
			p.hosts = append(p.hosts, id)
		}
		all = append(all, p)
		return nil
	})
	return all, err
}

func (v *vault) forget(ctx context.Context, room event.ID) error {
	for _, table := range []string{"chat_places", "chat_secrets", "chat_calls"} {
		if err := v.exec(ctx, `DELETE FROM `+table+` WHERE room = ?`, room[:]); err != nil {
			return err
		}
	}
	return nil
}
