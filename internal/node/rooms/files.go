package rooms

import (
	"context"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// maxFiles is how many of the last files of a room are listed.
const maxFiles = 500

// Files lists the files that were said in a room and can still be asked for. Nobody is asked: who has one is what is known here.
func (r *Rooms) Files(ctx context.Context, name string) ([]api.RoomFileSaid, error) {
	_, room, err := r.find(name)
	if err != nil {
		return nil, err
	}
	entries, err := room.Files(ctx, maxFiles)
	if err != nil {
		return nil, explain(err)
	}
	t := r.teller(room)
	messages, err := t.tell(ctx, entries)
	if err != nil {
		return nil, explain(err)
	}
	here := r.connected(room)
	all := make([]api.RoomFileSaid, 0, len(messages))
	for i, m := range messages {
		f := entries[i].Message.Body.(*event.File)
		x := api.RoomFileSaid{Message: m}
		paths, got := r.Host.Attached(f.Ticket)
		for _, p := range paths {
			x.Paths = append(x.Paths, neutral.Line(p))
		}
		if id, ok := sharerOf(f); ok {
			got = append(got, id)
		}
		for _, id := range got {
			if who, ok := here[r.heir(id)]; ok && !slices.Contains(x.At, t.names.call(who)) {
				x.At = append(x.At, t.names.call(who))
			}
		}
		all = append(all, x)
	}
	return all, nil
}
