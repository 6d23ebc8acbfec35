package shares

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/page"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/internal/site"
	"github.com/tenon-net/tenon/transport"
)

var (
	errUnshared = errors.New("it is not shared any more")
	errLeft     = errors.New("nobody waits for it any more")
	errExpired  = errors.New("its time has run out")
	errAnew     = errors.New("it has changed, and is shared anew")
)

// A sharing is a share of this node that goes on.
type sharing struct {
	of       *Shares
	id       share.ID
	record   *record // mu guards Fetched, Users, and Message
	subjects []peer.Subject
	self     peer.ID
	scan     *scan.Scan
	share    *share.Share
	ctx      context.Context
	stop     context.CancelCauseFunc
	drop     func()        // has nobody find the share
	web      *site.Server  // nil = it is not shown to browsers
	hashed   chan struct{} // closed when the first look at the files has ended, well or not
	done     chan struct{}
	anew     chan struct{} // closed when it has begun anew, or cannot
	since    time.Time
	begins   sync.Once // to begin anew

	holding sync.WaitGroup // those that bring it to holders
	saving  sync.Mutex     // is held while the record is written, so that what is newer is written later

	mu      sync.Mutex // guards what follows
	holders []api.ShareHolder
	notes   []api.ShareNote
	unsent  []api.ShareNote
	changed *record // what it begins anew as, if not as it was
	state   string
	err     error
}

// maxNotes is how many notes of a share are kept, and how many of what is not sent.
const maxNotes = 20

// Share begins to share files. It returns at once: they are hashed while they are fetched.
func (s *Shares) Share(ctx context.Context, r api.ShareRequest) (api.Share, error) {
	made, err := s.newRecord(r)
	if err != nil {
		return api.Share{}, err
	}
	records, err := s.load(ctx)
	if err != nil {
		return api.Share{}, err
	}
	was := again(records, made)
	if was != nil {
		made = was
	} else if len(records) >= maxShares {
		return api.Share{}, errMany(len(records))
	}
	made.Kept = made.Kept || !s.Passing
	s.meet(ctx, made)
	s.mu.Lock()
	x := s.sharing[made.ID]
	s.mu.Unlock()
	if x, err = x.latest(ctx); err != nil {
		return api.Share{}, err
	}
	if x != nil { // it goes on already
		if state, err := x.outcome(); err == nil {
			switch is := x.record.Request; {
			case is.Up != made.Request.Up || is.Check != made.Request.Check:
				if err := x.change(ctx, made.Request); err != nil {
					return api.Share{}, err
				}
			case state == api.ShareReady && x.unready():
				s.task(x.refresh)
			}
			s.awaited(x, true)
			return x.describe(), nil
		}
		x.stop(errDown) // it has failed, and begins again
		<-x.done
	}
	if x, err = s.begun(ctx, made, was == nil); err != nil {
		return api.Share{}, err
	}
	s.awaited(x, false)
	return x.describe(), nil
}

func errMany(n int) error {
	return transport.WithHint(fmt.Errorf("%d shares are on record already", n), "tenon unshare ends one")
}

// begun puts a share on record and starts it. A fresh one that cannot be started is not kept.
func (s *Shares) begun(ctx context.Context, r *record, fresh bool) (*sharing, error) {
	if err := s.put(ctx, r); err != nil { // before: then others change it
		return nil, err
	}
	x, err := s.start(r)
	if err != nil && fresh {
		err = errors.Join(err, s.drop(context.WithoutCancel(ctx), r.ID))
	}
	return x, err
}

// newRecord checks what is asked for.
func (s *Shares) newRecord(r api.ShareRequest) (_ *record, err error) {
	made := &record{Made: time.Now(), Request: r}
	if len(r.Paths) == 0 {
		return nil, transport.Usage(errors.New("there is nothing to share"))
	}
	for _, path := range r.Paths {
		if !filepath.IsAbs(path) {
			return nil, transport.Usage(fmt.Errorf("%q does not begin at the root", path))
		}
	}
	if r.Public && len(r.To) > 0 {
		return nil, transport.Usage(errors.New("what is public is for everybody, and not for some"))
	}
	if r.Expires < 0 || r.Uses < 0 || r.Up < 0 {
		return nil, transport.Usage(errors.New("a limit cannot be less than nothing"))
	}
	if r.Expires > 0 {
		made.NotAfter = made.Made.Add(time.Duration(r.Expires) + time.Second - 1).Truncate(time.Second)
	}
	for _, text := range r.To {
		subject, err := s.Host.Subject(text)
		if err != nil {
			return nil, err
		}
		made.To = append(made.To, subject.String())
	}
	slices.Sort(made.To)
	made.To = slices.Compact(made.To)
	rand.Read(made.ID[:]) //nolint:errcheck // it does not fail
	if r.Web != "" {
		if err := (site.Config{At: r.Web, Cert: r.Cert, Key: r.Key}).Check(); err != nil {
			return nil, transport.Usage(err)
		}
		made.Link = page.Token()
	}
	if made.Holders, err = s.holdersOf(r); err != nil {
		return nil, err
	}
	if !r.Public {
		made.Secret = make([]byte, 32)
		rand.Read(made.Secret) //nolint:errcheck // it does not fail
	}
	return made, nil
}

// start shares what a record says.
func (s *Shares) start(r *record) (*sharing, error) {
	x := &sharing{of: s, id: r.ID, record: r, subjects: r.subjects(), self: s.Host.Key().ID(),
		hashed: make(chan struct{}), done: make(chan struct{}), anew: make(chan struct{}), since: time.Now(), state: api.ShareHashing}
	for _, id := range r.Holders {
		x.holders = append(x.holders, api.ShareHolder{ID: id.String()})
	}
	x.ctx, x.stop = context.WithCancelCause(s.life)
	x.share = share.New(share.Config{Self: x.self, ID: r.ID, Secret: r.Secret, Sharer: x.self, Store: (*files)(x), Admit: x.admits, Use: x.use, Events: x.event,
		Own: s.Host.Places, Learnt: s.Host.Learnt, Up: r.Request.Up})
	var err error
	if x.scan, err = x.newScan(x.note, func(p []byte, final bool) error { return x.share.Add(p, final, s.Host.Key().SignAs) }); err != nil {
		x.stop(err)
		return nil, err
	}
	if err := x.show(); err != nil {
		x.stop(err)
		return nil, errors.Join(err, x.scan.Close())
	}
	s.mu.Lock()
	s.sharing[x.id] = x
	s.mu.Unlock()
	x.drop = s.hub.Put(x.share) // before anybody can ask for it
	if !s.task(x.run) {
		x.drop()
		s.forget(x)
		x.stop(errDown)
		x.hide()
		return nil, errors.Join(errDown, x.scan.Close())
	}
	s.Host.Expect()
	return x, nil
}

// forget takes a share from the list, unless it has begun anew meanwhile.
func (s *Shares) forget(x *sharing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sharing[x.id] == x {
		delete(s.sharing, x.id)
		delete(s.waiting, x.id)
	}
}

// run shares until the share or the node ends.
func (x *sharing) run() {
	defer close(x.done)
	if !x.record.NotAfter.IsZero() {
		defer time.AfterFunc(time.Until(x.record.NotAfter), func() { x.stop(errExpired) }).Stop()
	}
	err := x.scan.Run(x.ctx)
	switch {
	case err == nil:
		x.set(api.ShareReady, nil)
		x.hold()
	case x.ctx.Err() == nil:
		x.set(api.ShareFailed, err)
		x.of.Host.Tell(api.Event{Type: "warning", Text: "the share " + x.record.name() + " has failed: " + err.Error()})
		x.drop()
	}
	close(x.hashed)
	<-x.ctx.Done()
	x.holding.Wait()
	x.hide()
	x.bury(context.Cause(x.ctx))
	x.share.Close() //nolint:errcheck // it returns nil
	x.drop()        // now: those who are told that there is no such share do not ask again
	x.scan.Close()  //nolint:errcheck // only what makes the next start slower is lost
	if cause := context.Cause(x.ctx); errors.Is(cause, errAnew) {
		x.set(api.ShareHashing, cause) // it stays on the list until it has begun anew
	} else {
		x.set(api.ShareOver, cause)
		x.of.forget(x)
	}
	if errors.Is(context.Cause(x.ctx), errExpired) {
		if err := x.of.drop(context.WithoutCancel(x.ctx), x.id); err != nil {
			x.of.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
		}
	}
	x.of.Host.Expect()
}

// bury tells all who take part that the share has ended, if it has ended for good.
func (x *sharing) bury(cause error) {
	why := share.Withdrawn
	switch {
	case errors.Is(cause, errExpired):
		why = share.Expired
	case !errors.Is(cause, errUnshared):
		return
	}
	if _, err := x.share.Unshare(why, x.of.Host.Key().SignAs); err != nil {
		x.of.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
	}
}

func (x *sharing) set(state string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state, x.err = state, err
}

// outcome tells how the share is, and why it has failed or ended.
func (x *sharing) outcome() (state string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state, x.err
}

// note keeps what a person should know of the files.
func (x *sharing) note(n scan.Note) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.notes) < maxNotes {
		x.notes = append(x.notes, api.ShareNote{Path: neutral.Line(n.Path), Text: neutral.Line(n.Text), Left: n.Left})
	}
}

// event tells what happens between peers.
func (x *sharing) event(e share.Event) {
	report(x.of.Host, x.record.name(), e)
	if e.Kind == share.Unsent {
		x.refuse(e.File, e.Err)
	}
	if e.Kind != share.Finished {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if slices.Contains(x.record.Fetched, e.Peer) {
		return
	}
	x.record.Fetched = append(x.record.Fetched, e.Peer)
	x.record.use(e.Peer)
	x.saveSoon()
}

// saveSoon writes the record, as it is by then. Whoever calls it holds mu, and does not wait.
func (x *sharing) saveSoon() {
	x.of.task(func() {
		x.saving.Lock()
		defer x.saving.Unlock()
		x.mu.Lock()
		kept := x.record.clone()
		if x.changed != nil {
			kept.Request = x.changed.Request
		}
		x.mu.Unlock()
		x.of.save(kept)
	})
}

// refuse keeps that a file was asked for and is not sent.
func (x *sharing) refuse(path string, err error) {
	note := api.ShareNote{Path: neutral.Line(path), Text: neutral.Line(err.Error())}
	if errors.Is(err, tree.ErrChanged) {
		note.Text = "it has changed since it was hashed, and is not sent"
		if x.record.Room == "" {
			note.Text += ": the same tenon share shares it as it is now"
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.unsent) < maxNotes && !slices.Contains(x.unsent, note) {
		x.unsent = append(x.unsent, note)
	}
}

// report puts it on record what happens in a share.
func report(h Host, name string, e share.Event) {
	v := api.Event{Type: "share", Text: words(e)}
	if !e.Peer.IsZero() {
		v.Peer = e.Peer.String()
		v.Text = h.Called(e.Peer) + " " + v.Text
	}
	v.Text = name + ": " + v.Text
	h.Tell(v)
}

// words says what has happened, in a line that is harmless.
func words(e share.Event) string {
	text := e.Text
	if e.File != "" {
		text += fmt.Sprintf(": %s, at byte %d", e.File, e.Offset)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return neutral.Line(text)
}

// Watch tells how a share is, whenever that has changed, until it is over.
func (s *Shares) Watch(ctx context.Context, text string, tell func(api.Share)) error {
	x, err := s.find(text)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		d := x.describe()
		_, err := x.outcome()
		if errors.Is(err, errAnew) {
			if x = x.next(ctx); x != nil {
				continue
			}
			return err
		}
		tell(d)
		if d.State == api.ShareOver || d.State == api.ShareFailed {
			return err
		}
		select {
		case <-time.After(interval):
		case <-x.done:
		case <-ctx.Done():
		}
	}
	return nil
}

// interval is how often it is told how a share is.
const interval = 250 * time.Millisecond
