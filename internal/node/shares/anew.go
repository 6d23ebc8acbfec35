package shares

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// newScan makes a Scan of what is shared.
func (x *sharing) newScan(note func(scan.Note), add func(p []byte, final bool) error) (*scan.Scan, error) {
	r := &x.record.Request
	choice, err := glob.ParseChoice(r.Only, r.Exclude)
	if err != nil {
		return nil, transport.Usage(err)
	}
	return scan.New(scan.Config{Paths: r.Paths, Cache: x.of.Dir, Exclude: choice.Exclude, Only: choice.Only, GitIgnore: r.GitIgnore, Check: r.Check, Note: note, Add: add})
}

// refresh looks whether what is shared has changed since, because somebody shares it again. If it
// has, the share begins anew: with the same ID, so that tickets are good that were given out. Those
// who were fetching it keep what is the same.
func (x *sharing) refresh() {
	same, err := x.same()
	switch {
	case x.ctx.Err() != nil: // it has ended, or is about to
	case err != nil:
		x.of.Host.Tell(api.Event{Type: "warning", Text: "the share " + x.record.name() + " cannot be looked at again: " + err.Error()})
		x.looked()
	case same:
		x.looked()
	default:
		x.begin()
	}
}

// looked notes that what is shared is known again.
func (x *sharing) looked() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state == api.ShareHashing {
		x.state = api.ShareReady
	}
}

// unready notes that what is shared is looked at again, unless somebody does that already.
func (x *sharing) unready() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state != api.ShareReady {
		return false
	}
	x.state = api.ShareHashing
	return true
}

// change has the share begin anew as it is asked for now.
func (x *sharing) change(ctx context.Context, r api.ShareRequest) error {
	x.mu.Lock()
	changed := x.record.clone()
	changed.Request = r
	x.changed, x.state = changed, api.ShareHashing
	x.mu.Unlock()
	if err := x.of.put(ctx, changed); err != nil {
		x.looked()
		return err
	}
	x.of.task(x.begin)
	return nil
}

// begin begins the share anew, unless it ends. It does so once.
func (x *sharing) begin() { x.begins.Do(x.beginAnew) }

func (x *sharing) beginAnew() {
	defer close(x.anew)
	x.stop(errAnew)
	<-x.done
	if !errors.Is(context.Cause(x.ctx), errAnew) {
		return
	}
	x.mu.Lock()
	r := x.record
	if x.changed != nil {
		x.changed.Fetched, x.changed.Users = r.Fetched, r.Users
		r = x.changed
	}
	x.mu.Unlock()
	if _, err := x.of.start(r); err != nil {
		x.of.forget(x)
		x.of.Host.Tell(api.Event{Type: "warning", Text: x.record.name() + " cannot be shared: " + err.Error()})
	}
}

// next waits for what a share has begun anew as, and returns it, or nil if there is nothing.
func (x *sharing) next(ctx context.Context) *sharing {
	select {
	case <-x.anew:
	case <-ctx.Done():
		return nil
	}
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	return x.of.sharing[x.id]
}

// latest is x, or what it has begun anew as, if it has ended for that; nil if there is nothing.
func (x *sharing) latest(ctx context.Context) (*sharing, error) {
	for x != nil {
		if _, err := x.outcome(); !errors.Is(err, errAnew) {
			return x, nil
		}
		x = x.next(ctx)
	}
	return nil, context.Cause(ctx)
}

// same tells whether what is shared is what it was. What is new is hashed then, and known to
// who shares it anew.
func (x *sharing) same() (bool, error) {
	var h tree.Hasher
	s, err := x.newScan(nil, func(p []byte, _ bool) error {
		_, err := h.Write(p)
		return err
	})
	if err != nil {
		return false, err
	}
	err = s.Run(x.ctx)
	root, err2 := h.Sum()
	return root == x.share.Status().Root, errors.Join(err, err2, s.Close())
}
