package rooms

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// Export writes all that there is of a room: whoever has it can read what the user can.
func (r *Rooms) Export(ctx context.Context, name string, w io.Writer) error {
	_, room, err := r.find(name)
	if err != nil {
		return err
	}
	return explain(room.Export(ctx, w))
}

// Import adds what is in a file that Export has written.
func (r *Rooms) Import(ctx context.Context, path string) (api.Room, error) {
	c, err := r.now()
	if err != nil {
		return api.Room{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return api.Room{}, transport.Usage(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	room, err := c.Import(ctx, f)
	if errors.Is(err, log.ErrExport) {
		return api.Room{}, transport.Usage(err)
	}
	if err != nil {
		return api.Room{}, explain(err)
	}
	return r.describeWhole(ctx, room)
}
