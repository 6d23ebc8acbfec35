package chat

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/room"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	maxPartings = 64                  // devices of each room that are still let in, to be told that they were removed,
	partedFor   = 90 * 24 * time.Hour // and how long after that
)

// partings returns who is to be told, when he comes back, that others have removed him.
func (r *Room) partings() map[peer.ID]event.Key {
	all := r.state.Partings()
	slices.SortFunc(all, func(a, b room.Parting) int { return b.By.Compare(a.By) })
	parted := map[peer.ID]event.Key{}
	for _, x := range all[:min(len(all), maxPartings)] {
		if id, err := peer.NewID(x.Device[:]); err == nil {
			parted[id] = x.By
		}
	}
	return parted
}

// partedBy returns the event by which a device takes no part any more, if it may be told that.
func (r *Room) partedBy(id peer.ID) (by [32]byte, ok bool) {
	s := r.now.Load()
	k, ok := s.parted[id]
	return k.ID, ok && s.State == Inside && s.Role > event.Nobody && time.Since(event.Time(k.Time)) < partedFor
}
