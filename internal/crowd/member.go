package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/swarm"
	"github.com/tenon-net/tenon/internal/store"
)

// A member is somebody with a device.
type member struct {
	*chat.Chat
	config chat.Config
	net    *swarm.Network
	db     *store.DB
}

// database is like that of a node, see rooms.MaxSize.
const database = 64 << 30

// newMember makes the i-th member, whose keys follow from that, so that it is the same one when it comes back. It knows where
// others are.
func newMember(ctx context.Context, dir string, i int, others ...*member) (*member, error) {
	return newMemberIn(ctx, place(dir, fmt.Sprint("member", i)), i, others...)
}

func place(dir, name string) string { return filepath.Join(dir, name) }

// newMemberIn is newMember with what it keeps in a directory of its own.
func newMemberIn(ctx context.Context, place string, i int, others ...*member) (*member, error) {
	key := func(what string) *peer.Key {
		var seed [32]byte
		copy(seed[:], fmt.Sprintf("crowd %s %d", what, i))
		return peer.KeyFromSeed(seed)
	}
	m := &member{}
	device := key("device")
	var err error
	m.net, err = swarm.New(ctx, swarm.Config{Key: device, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, LANOnly: true, NoPunch: true,
		Admit: func(peer.ID) peer.Admission { return peer.Known }})
	if err != nil {
		return nil, err
	}
	for _, x := range others {
		m.net.AddAddrs(x.net.Self(), x.net.Addrs()...)
		x.net.AddAddrs(m.net.Self(), m.net.Addrs()...)
	}
	if err := os.MkdirAll(place, 0o700); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.db, err = store.OpenFile(ctx, filepath.Join(place, "rooms.db"), database); err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.config = chat.Config{Network: m.net, DB: m.db, Identity: key("identity"), Device: device, Rate: math.MaxInt,
		Welcome: func(chat.Offer) bool { return true }}
	if m.Chat, err = chat.Open(ctx, m.config); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *member) close() error {
	if m.Chat != nil {
		m.Chat.Close()
	}
	err := m.net.Close()
	if m.db != nil {
		err = errors.Join(err, m.db.Close())
	}
	return err
}

// room makes a room of the first member, and waits until the others are in it and connected.
func room(ctx context.Context, all ...*member) (*chat.Room, error) {
	r, err := all[0].Create(ctx, chat.Draft{Name: "crowd"})
	if err != nil {
		return nil, err
	}
	for _, m := range all[1:] {
		if err := r.Add(ctx, m.Me(), event.Member, m.net.Self()); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		if err := until(ctx, func() bool { return m.inside(r.ID(), len(all)) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (m *member) inside(id event.ID, members int) bool {
	r, err := m.Room(id)
	if err != nil {
		return false
	}
	i, devices := r.Info(), 0
	for _, x := range i.Members {
		devices += len(x.Devices)
	}
	return i.State == chat.Inside && devices == members && (len(r.Connected()) > 0 || members == 1)
}

// until waits until something is so.
func until(ctx context.Context, is func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
