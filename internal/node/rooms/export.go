package rooms

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tenon-net/tenon/internal/agefile"
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

// Import adds what is in a file that Export has written, and that was sealed with a password, if there is one.
func (r *Rooms) Import(ctx context.Context, path, password string) (in api.RoomImported, err error) {
	c, err := r.now()
	if err != nil {
		return in, err
	}
	f, err := os.Open(path)
	if err != nil {
		return in, transport.Usage(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	from, err := opened(f, password)
	if err != nil {
		return in, transport.Usage(fmt.Errorf("%s: %w", path, err))
	}
	room, ended, err := c.Import(ctx, from)
	switch {
	case errors.Is(err, log.ErrCut):
		return in, transport.WithHint(transport.Usage(fmt.Errorf("%s: %w", path, err)), `export it once more; if this is all there is, take "ends":true, out of its first line, and what is there comes in`)
	case errors.Is(err, log.ErrExport), errors.Is(err, agefile.ErrDamaged):
		return in, transport.Usage(fmt.Errorf("%s: %w", path, err))
	case err != nil:
		return in, explain(err)
	}
	in.Unended = !ended
	in.Room, err = r.describeWhole(ctx, room)
	return in, err
}

// opened returns what is in a file, which may need a password.
func opened(f *os.File, password string) (io.Reader, error) {
	from := bufio.NewReader(f)
	begin, err := from.Peek(agefile.PeekSize)
	switch {
	case err != nil && err != io.EOF: //nolint:errorlint // as readers have it
		return nil, err
	case !agefile.Is(begin):
		return from, nil
	case password == "":
		return nil, errors.New("it needs a password")
	}
	return agefile.Open(from, password)
}
