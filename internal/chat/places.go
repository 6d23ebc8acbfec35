package chat

import (
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/peer"
)

// A whereabouts is a room as package meet wants it for telling members where others are.
type whereabouts struct{ *Room }

var _ meet.Places = whereabouts{}

func (w whereabouts) Own() []string {
	if w.chat.Own == nil {
		return nil
	}
	return w.chat.Own()
}

// Admitted is false for everybody while this device is in the room no more, or not yet.
func (w whereabouts) Admitted(id peer.ID) bool {
	s := w.now.Load()
	who, in := s.devices[event.Device(id.Bytes())]
	return in && s.State == Inside && s.Role > event.Nobody && !w.chat.blocked(who)
}

func (w whereabouts) Learnt(from, id peer.ID, addrs []string) []string {
	if w.chat.Learnt == nil {
		return nil
	}
	return w.chat.Learnt(from, id, addrs)
}
