package shares

import (
	"context"
	"errors"
	"io"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share/flow"
	"github.com/tenon-net/tenon/transport"
)

// Stream writes one file of a share to a writer: in order, as it is verified. Nothing of it is kept, nor
// handed on.
func (s *Shares) Stream(ctx context.Context, r api.FetchRequest, to io.Writer) error {
	r.List = true // there is no target
	f, err := s.newFetching(r, func(api.FetchEvent) {})
	if err != nil {
		return err
	}
	want, err := wanted(r)
	if err != nil {
		return err
	}
	ctx, done, err := s.begin(ctx, f)
	if err != nil {
		return err
	}
	defer done()
	if err := f.remember(ctx, r.Forgive); err != nil {
		return err
	}
	file := flow.New(flow.Config{To: to, Want: want})
	c := f.config(file)
	c.Passing, c.InOrder, c.Down = true, true, r.Down
	f.begin(c)
	defer f.share.Close() //nolint:errcheck // it returns nil
	leave := f.join(ctx)
	defer leave()
	if err = file.Run(ctx, f.share); err == nil {
		f.share.Part()
	}
	switch {
	case errors.Is(err, flow.ErrSeveral):
		return transport.WithHint(transport.Usage(err), "--only chooses one, such as --only /photos/a.jpg")
	case errors.Is(err, flow.ErrNone):
		return transport.Mark(err, api.ErrNotFound)
	}
	return f.explain(err)
}
