package chat

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// An addressBook is a network on which only those are found of whom it is known where they are: there is no LAN, and no DHT.
type addressBook struct {
	peer.Network
	mu    sync.Mutex // guards what follows
	known map[peer.ID][]string
	own   string
	told  int // of others, by others
}

func (b *addressBook) Open(ctx context.Context, to peer.ID, proto string) (transport.Stream, error) {
	b.mu.Lock()
	known := b.known[to] != nil
	b.mu.Unlock()
	for l := range b.Links() {
		known = known || l.Peer == to
	}
	if !known {
		return nil, peer.ErrUnreachable
	}
	return b.Network.Open(ctx, to, proto)
}

func (b *addressBook) Own() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []string{b.own}
}

func (b *addressBook) Learnt(from, id peer.ID, addrs []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[id] = addrs
	if from != id {
		b.told++
	}
	return addrs
}

func (b *addressBook) moves(to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own = to
}

func (b *addressBook) knows(id peer.ID) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[id]
}

// found begins the Chat of somebody who is found only by those who have been told where.
func (w *world) found(name string, config ...func(*Config)) (*person, *addressBook) {
	b := &addressBook{known: map[peer.ID][]string{}, own: name + ":1"}
	return w.person(name, append(config, func(c *Config) {
		b.Network, c.Network = c.Network, b
		c.Own, c.Learnt = b.Own, b.Learnt
	})...), b
}

func (p *person) isWith(r *Room, other *person) bool {
	return slices.ContainsFunc(p.connected(r), func(id peer.ID) bool { return id == other.node.Self() })
}

func (p *person) connected(r *Room) (ids []peer.ID) {
	for _, x := range p.in(r).Connected() {
		ids = append(ids, x.ID)
	}
	return ids
}

// within waits until something is so, and fails if that takes longer.
func (w *world) within(d time.Duration, what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(d); ; time.Sleep(d / 100) {
		synctest.Wait()
		if is() {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("after %v it is not so: %s", d, what)
		}
	}
}

// Two who came by the same ticket, which says where one member is, find each other by him, and stay in touch when he
// goes. Who is removed is told nothing more, and nobody is told of it.
func TestFoundByMembers(t *testing.T) {
	virtually(t, func(w *world) {
		anna, _ := w.found("anna")
		ben, ofBen := w.found("ben")
		carla, ofCarla := w.found("carla")
		room := must[*Room](w)(anna.Create(w.Context(), Draft{Name: "here"}))
		i := must[Invite](w)(room.Invite(w.Context(), Terms{}))
		for p, book := range map[*person]*addressBook{ben: ofBen, carla: ofCarla} {
			book.Learnt(anna.node.Self(), anna.node.Self(), []string{"anna:1"}) // the ticket says it
			must[*Room](w)(p.Join(w.Context(), i))
		}
		w.inside(room, ben, carla)
		w.within(30*time.Second, "ben and carla are connected", func() bool { return ben.isWith(room, carla) })
		w.same(room, anna, ben, carla)
		anna.stop()
		ben.say(room, "is she gone?")
		carla.hears(room, "is she gone?")

		anna.start()
		w.within(10*time.Minute, "all are connected", func() bool { return anna.isWith(room, ben) && anna.isWith(room, carla) })
		w.do(anna.in(room).Remove(w.Context(), carla.Me()))
		w.within(10*time.Minute, "carla is alone", func() bool { return len(carla.connected(room)) == 0 && !ben.isWith(room, carla) })
		before := ofCarla.knows(ben.node.Self())
		ofCarla.mu.Lock()
		told := ofCarla.told
		ofCarla.mu.Unlock()
		ofBen.moves("ben:2")
		ofCarla.moves("carla:2")
		time.Sleep(time.Hour)
		synctest.Wait()
		ofCarla.mu.Lock()
		if ofCarla.told != told {
			w.Errorf("carla was told %d times more", ofCarla.told-told)
		}
		ofCarla.mu.Unlock()
		if now := ofCarla.knows(ben.node.Self()); !slices.Equal(now, before) {
			w.Errorf("carla knows that ben is at %q", now)
		}
		if at := ofBen.knows(carla.node.Self()); slices.Equal(at, []string{"carla:2"}) {
			w.Errorf("ben knows that carla is at %q", at)
		}
	})
}

// Nobody is told where somebody is with whom the user wants nothing to do, and that one not where others are.
func TestBlockedIsNotFound(t *testing.T) {
	virtually(t, func(w *world) {
		ben, ofBen := w.found("ben")
		carla, ofCarla := w.found("carla")
		anna, _ := w.found("anna", func(c *Config) {
			c.Blocked = func(who event.Identity) bool { return who == carla.Me() }
		})
		room := must[*Room](w)(anna.Create(w.Context(), Draft{Name: "here"}))
		i := must[Invite](w)(room.Invite(w.Context(), Terms{}))
		for p, book := range map[*person]*addressBook{ben: ofBen, carla: ofCarla} {
			book.Learnt(anna.node.Self(), anna.node.Self(), []string{"anna:1"})
			must[*Room](w)(p.Join(w.Context(), i))
		}
		w.inside(room, ben, carla)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if at := ofBen.knows(carla.node.Self()); at != nil {
			w.Errorf("ben knows that carla is at %q", at)
		}
		if at := ofCarla.knows(ben.node.Self()); at != nil {
			w.Errorf("carla knows that ben is at %q", at)
		}
	})
}
