package shares

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/transport"
)

// Attach shares files with those who are in a room, and nobody else who has the ticket. It returns when all is hashed,
// so that the ticket says what is in the share, whoever hands it on and whatever becomes of the files. It is a share of its
// own, also if the same files are shared already.
func (s *Shares) Attach(ctx context.Context, r api.ShareRequest, room string) (api.Share, error) {
	made, err := s.newRecord(r)
	if err != nil {
		return api.Share{}, err
	}
	made.Room, made.Kept = room, !s.Passing
	records, err := s.load(ctx)
	if err != nil {
		return api.Share{}, err
	}
	if len(records) >= maxShares {
		return api.Share{}, errMany(len(records))
	}
	x, err := s.begun(ctx, made, true)
	if err != nil {
		return api.Share{}, err
	}
	d, err := x.attached(ctx)
	if err != nil {
		err = errors.Join(err, s.end(context.WithoutCancel(ctx), x))
	}
	return d, err
}

// attached waits until all is hashed.
func (x *sharing) attached(ctx context.Context) (api.Share, error) {
	select {
	case <-x.hashed:
	case <-ctx.Done():
		return api.Share{}, context.Cause(ctx)
	}
	d := x.describe()
	d.Ticket = d.Fixed // what is said is what is in it now
	switch _, err := x.outcome(); {
	case err != nil:
		return d, err
	case x.ctx.Err() != nil:
		return d, context.Cause(x.ctx)
	case d.Left > 0 && d.Files == 0:
		return d, fmt.Errorf("%s cannot be shared: %s", d.Notes[0].Path, d.Notes[0].Text)
	}
	return d, nil
}

// Said notes by which message something was said that was attached: when that is gone, nobody gets it any more.
func (s *Shares) Said(_ context.Context, ticket, message string) error {
	t, err := share.ParseTicket(ticket)
	if err != nil {
		return err
	}
	s.mu.Lock()
	x := s.sharing[t.ID]
	s.mu.Unlock()
	if x == nil {
		return nil // it has ended meanwhile
	}
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	x.record.Message = message
	kept := x.record.clone()
	x.mu.Unlock()
	s.save(kept)
	return nil
}

// Detach ends what was shared with a room by this node, or is handed on by it: that of a ticket, or with an empty ticket all.
func (s *Shares) Detach(ctx context.Context, room, ticket string) error {
	var id share.ID
	if ticket != "" {
		t, err := share.ParseTicket(ticket)
		if err != nil {
			return nil //nolint:nilerr // it was never one of ours
		}
		id = t.ID
	}
	var all []*sharing
	var handed []*fetching
	s.mu.Lock()
	for _, x := range s.sharing {
		if x.record.Room == room && (ticket == "" || x.id == id) {
			all = append(all, x)
		}
	}
	for _, f := range s.handed {
		if f.attached.Room == room && (ticket == "" || f.ticket.ID == id) {
			handed = append(handed, f)
		}
	}
	s.mu.Unlock()
	var failed []error
	for _, x := range all {
		failed = append(failed, s.end(ctx, x))
	}
	for _, f := range handed {
		f.stop(errUnshared)
		<-f.gone
	}
	return errors.Join(failed...)
}

// Attached returns where on this computer is what has a ticket, if it is shared or handed on here, and who has got it from
// there.
func (s *Shares) Attached(ticket string) (paths []string, got []peer.ID) {
	t, err := share.ParseTicket(ticket)
	if err != nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sharing[t.ID]; x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.state == api.ShareFailed {
			return nil, nil
		}
		return slices.Clone(x.record.Request.Paths), slices.Clone(x.record.Fetched)
	}
	if f := s.fetching[t.ID]; f != nil && f.handing {
		return slices.Clone(f.paths), nil
	}
	return nil, nil
}

// An Attached is what was said of files in a room, and who may have them.
type Attached struct {
	Room    string // its ID
	Message string // the ID of that by which it was said
	Ticket  string
	Size    int64     // how many bytes are said to be in it; 0 = that was not said
	Peers   []peer.ID // who is asked besides the sharer, those first who are most likely to be there
}

// FetchAttached is Fetch for what was said in a room. What has names already at the target stays, and names that could mislead are
// changed. It is an error that there is more than was said, and that nobody is there who has it. What has come is
// handed on to those who are in the room, also by the next node, when FetchAttached has returned.
func (s *Shares) FetchAttached(ctx context.Context, r api.FetchRequest, a Attached, tell func(api.FetchEvent)) error {
	if r.Overwrite {
		return transport.Usage(errors.New("what was said in a room replaces nothing"))
	}
	r.Ticket, r.Rename = a.Ticket, true
	events := make(chan api.FetchEvent)
	heard := make(chan struct{}) // closed when nobody wants to hear more
	defer close(heard)
	f, err := s.newFetching(r, func(e api.FetchEvent) {
		select {
		case events <- e:
		case <-heard:
		}
	})
	if err != nil {
		return err
	}
	f.attached, f.stuck = &a, make(chan error, 1)
	life, stop := context.WithCancelCause(s.life)
	done := make(chan error, 1)
	if !s.task(func() {
		defer stop(nil)
		done <- s.run(life, f, r)
	}) {
		stop(nil)
		return errDown
	}
	for {
		select {
		case e := <-events:
			if tell(e); e.Type == api.FetchDone {
				return nil
			}
		case err := <-done:
			return err
		case <-ctx.Done():
			stop(context.Cause(ctx))
			for over := false; !over; {
				select {
				case <-events:
				case <-done:
					over = true
				}
			}
			return context.Cause(ctx)
		}
	}
}

// others are who is asked.
func (f *fetching) others() []peer.ID {
	all := append([]peer.ID{f.ticket.Sharer}, f.holders()...)
	if f.attached == nil {
		return all
	}
	for _, id := range f.attached.Peers {
		if a := f.of.Host.Access(); !a.Blocked[id] && !a.IsSelf(id) && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// holders returns those who hold sealed copies, as the ticket says.
func (f *fetching) holders() (all []peer.ID) {
	a := f.of.Host.Access()
	for _, c := range f.ticket.Holders {
		if !a.Blocked[c.ID] && !a.IsSelf(c.ID) && c.ID != f.ticket.Sharer {
			all = append(all, c.ID)
		}
	}
	return all
}

// eventInRoom tells whether an event is told in no other way. Most of those who are asked have never had it.
func (f *fetching) eventInRoom(e share.Event) bool {
	switch {
	case e.Kind == share.Stuck:
		err := fmt.Errorf("nobody is there who has it and can give it: %s", strings.ReplaceAll(e.Err.Error(), "\n", "; "))
		select {
		case f.stuck <- transport.WithHint(transport.Mark(err, api.ErrUnreachable), "who has shared it, or has got it in the same room, has to be there; then the same again goes on with it"):
		default:
		}
		return true
	case e.Kind == share.Unreachable:
		return e.Peer != f.ticket.Sharer
	}
	return false
}

// fits tells whether there is no more than was said.
func (f *fetching) fits() error {
	if f.attached == nil || f.attached.Size == 0 {
		return nil
	}
	if n := f.share.Index().Totals().Bytes; n > f.attached.Size {
		return transport.Mark(fmt.Errorf("it was said that it has %d bytes, and it has %d", f.attached.Size, n), transport.ErrDenied)
	}
	return nil
}
