package shares

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/scan"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// A fetching is a share of somebody else that is fetched.
type fetching struct {
	of     *Shares
	ticket share.Ticket
	target string
	since  time.Time
	share  *share.Share // is changed by one goroutine, with mu held
	tell   func(api.FetchEvent)
	news   chan api.FetchEvent // to be told
	ended  chan struct{}       // closed when nobody shall have the share any more
	banned []share.Ban         // who is not asked
	stop   context.CancelCauseFunc
	gone   chan struct{} // closed when nothing of it goes on any more
	stays  atomic.Bool   // all is there, and is handed on; not used for what was said in a room

	// Of what was said in a room; else nil.
	attached *Attached
	stuck    chan error // why nobody can be asked for what is missing
	unjoin   func()     // has nobody asked any more; those who come are answered
	handing  bool       // all is there, and is handed on; the mutex of the Shares guards it
	paths    []string   // where it is then; guarded as well

	want func(manifest.Entry) bool // nil = all

	mu     sync.Mutex       // guards what follows
	named  map[peer.ID]bool // of whom the sharer has told
	looked int              // entries that were looked at for files
	files  int              // of them that are wanted
}

// Fetch fetches a share, and tells how far it is. Tell is not called by two at a time.
func (s *Shares) Fetch(ctx context.Context, r api.FetchRequest, tell func(api.FetchEvent)) error {
	f, err := s.newFetching(r, tell)
	if err != nil {
		return err
	}
	return s.run(ctx, f, r)
}

// run fetches what was asked for.
func (s *Shares) run(ctx context.Context, f *fetching, r api.FetchRequest) error {
	ctx, done, err := s.begin(ctx, f)
	if err != nil {
		return err
	}
	defer done()
	if err := f.remember(ctx, r.Forgive); err != nil {
		return err
	}
	if r.List {
		return f.list(ctx, r)
	}
	return f.fetch(ctx, r)
}

// newFetching looks at what is asked for.
func (s *Shares) newFetching(r api.FetchRequest, tell func(api.FetchEvent)) (*fetching, error) {
	t, err := share.ParseTicket(r.Ticket)
	var kind *ticket.KindError
	switch {
	case errors.As(err, &kind):
		return nil, transport.WithHint(transport.Usage(err), kind.Hint())
	case err != nil:
		return nil, transport.Usage(err)
	case s.Host.Access().IsSelf(t.Sharer):
		return nil, transport.Usage(errors.New("this node has given out the ticket itself"))
	case s.Host.Access().Blocked[t.Sharer]:
		return nil, peer.Blocked
	case !t.NotAfter.IsZero() && time.Now().After(t.NotAfter):
		return nil, peer.TicketExpired
	case !filepath.IsAbs(r.Target) && !r.List:
		return nil, transport.Usage(fmt.Errorf("%q does not begin at the root", r.Target))
	case r.Overwrite && r.Rename:
		return nil, transport.Usage(errors.New("what is there already is replaced or stays: not both"))
	}
	return &fetching{of: s, ticket: t, gone: make(chan struct{}), target: r.Target, since: time.Now(), tell: tell, news: make(chan api.FetchEvent, 64), ended: make(chan struct{}), named: map[peer.ID]bool{}}, nil
}

// begin notes that something is fetched, until done is called, which Close waits for. The context ends
// with that of the caller, or the node.
func (s *Shares) begin(parent context.Context, f *fetching) (ctx context.Context, done func(), err error) {
	s.lockWithout(f.ticket.ID)
	switch {
	case s.closed:
		err = errDown
	case s.fetching[f.ticket.ID] != nil:
		err = transport.Mark(errors.New("this node fetches the share already"), api.ErrConflict)
	default:
		s.fetching[f.ticket.ID] = f
		s.all.Add(1)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	s.Host.Expect()
	s.Host.Reach(f.ticket)
	ctx, stop := context.WithCancelCause(parent)
	ended := context.AfterFunc(s.life, func() { stop(errDown) })
	f.stop = stop
	return ctx, func() {
		ended()
		stop(nil)
		s.mu.Lock()
		delete(s.fetching, f.ticket.ID)
		s.handed = slices.DeleteFunc(s.handed, func(x *fetching) bool { return x == f })
		s.mu.Unlock()
		close(f.gone)
		s.look()
		s.Host.Expect()
		s.all.Done()
	}, nil
}

// config is how the share is taken part in.
func (f *fetching) config(store share.Store) share.Config {
	return share.Config{Self: f.of.Host.Key().ID(), ID: f.ticket.ID, Secret: f.ticket.Secret, Root: f.ticket.Root, Sharer: f.ticket.Sharer,
		Holders: f.holders(), Store: store, Admit: f.admits, Events: f.event, Own: f.of.Host.Places, Learnt: f.learnt, Banned: f.banned}
}

// begin begins to take part, with nothing.
func (f *fetching) begin(c share.Config) {
	s := share.New(c)
	f.mu.Lock()
	f.share = s
	f.mu.Unlock()
	f.of.look()
}

// learnt hears where others are who take part.
func (f *fetching) learnt(from, id peer.ID, addrs []string) []string {
	if from == f.ticket.Sharer {
		f.mu.Lock()
		f.named[id] = true
		f.mu.Unlock()
	}
	return f.of.Host.Learnt(from, id, addrs)
}

func (f *fetching) event(e share.Event) {
	report(f.of.Host, f.name(), e)
	if e.Kind == share.Banned {
		f.of.task(func() { f.of.ban(f.ticket.ID, e) })
	}
	if e.Kind == share.Joined || e.Kind == share.Finished || e.Kind == share.Content || e.Kind == share.Left && e.Err == nil {
		return // those who take part are named with the progress
	}
	if f.attached != nil && f.eventInRoom(e) {
		return
	}
	v := api.FetchEvent{Type: api.FetchNote, Text: words(e)}
	if !e.Peer.IsZero() {
		v.Peer = f.of.Host.Called(e.Peer)
	}
	select {
	case f.news <- v:
	default: // somebody sends so many that nobody reads them
	}
	if e.Kind == share.Ended { // once
		close(f.ended)
	}
}

func (f *fetching) name() string {
	if f.ticket.Name != "" {
		return f.ticket.Name
	}
	return f.ticket.ID.String()[:8]
}

// fetch fetches the share to the target.
func (f *fetching) fetch(ctx context.Context, r api.FetchRequest) error {
	if err := os.MkdirAll(r.Target, 0o777); err != nil {
		return err
	}
	var err error
	if f.want, err = wanted(r); err != nil {
		return err
	}
	st, err := stage.New(stage.Config{Target: r.Target, ID: f.ticket.ID, Overwrite: r.Overwrite, Rename: r.Rename, SkipLinks: r.SkipLinks, Want: f.want, Plain: f.attached != nil})
	if err != nil {
		return f.explain(err)
	}
	defer func() { st.Close() }() //nolint:errcheck // what it has is fetched again at worst
	leave, err := f.all(ctx, r, st)
	for errors.Is(err, share.ErrChanged) {
		f.tell(api.FetchEvent{Type: api.FetchNote, Text: "what is shared has changed meanwhile; what is the same is not fetched again"})
		next, failed := st.Renew()
		if failed != nil {
			return f.explain(failed)
		}
		st = next
		leave, err = f.all(ctx, r, st)
	}
	if err != nil {
		return f.explain(err)
	}
	defer leave()
	if err := f.fits(); err != nil {
		return err
	}
	if len(r.Only) > 0 && !f.chooses() {
		return errors.Join(errNothing, st.Discard())
	}
	if err := st.Finish(); err != nil {
		return f.explain(err)
	}
	st.Have(f.share.Had) // what was there twice and came once
	f.of.look()          // for this no others are looked for any more
	d := f.describe()
	done := api.FetchEvent{Type: api.FetchDone, Share: &d}
	for _, name := range st.Tops() {
		done.Paths = append(done.Paths, filepath.Join(r.Target, name))
	}
	if f.attached != nil {
		err = f.keep(ctx, st) // before others fetch it again
		f.handOn(done.Paths)
	}
	f.tell(done)
	if err := errors.Join(err, f.note(st)); err != nil {
		f.of.Host.Tell(api.Event{Type: "warning", Text: f.name() + ": " + err.Error()})
	}
	switch {
	case f.attached != nil:
		f.serve(ctx)
		if f.of.life.Err() == nil { // else the next node goes on
			f.of.unkeep(f.ticket.ID.String())
		}
	case r.Stay:
		f.stays.Store(true)
		f.of.Host.Expect()         // others may be told
		f.await(ctx, f.ended, nil) //nolint:errcheck // it returns why nothing is handed on any more
	default:
		f.share.Linger(ctx, lingerFor)
	}
	f.share.Part()
	return nil
}

var errNothing = transport.WithHint(errors.New("nothing in the share is what --only chooses"), "tenon get --list lists what there is")

// chooses tells whether anything in the share is wanted.
func (f *fetching) chooses() bool {
	for _, e := range f.share.Index().From(0) {
		if f.want(e) {
			return true
		}
	}
	return false
}

// note keeps what is known of the files that have come, so that nobody who shares them has to hash
// them.
func (f *fetching) note(st *stage.Stage) error {
	return scan.Seed(f.of.Dir, f.target, func(yield func(scan.Known) bool) {
		for k := range st.Known() {
			if !yield(scan.Known{Path: k.Path, Size: k.Size, ModTime: k.ModTime, Root: k.Root, Holes: k.Holes, Nodes: k.Nodes}) {
				return
			}
		}
	})
}

// all takes part until all is there, or that fails; then until leave is called.
func (f *fetching) all(ctx context.Context, r api.FetchRequest, st *stage.Stage) (leave func(), err error) {
	c := f.config(st)
	c.Up, c.Down = r.Up, r.Down
	f.begin(c)
	leave = func() { f.share.Close() } //nolint:errcheck // it returns nil
	if err = f.resume(st); err == nil {
		drop := f.join(ctx)
		leave = func() {
			drop()
			f.share.Close() //nolint:errcheck // it returns nil
		}
		err = f.await(ctx, f.share.Over(), nil)
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// lingerFor is how long others are still sent what they have asked for when all is there.
const lingerFor = 5 * time.Second

// resume takes up what an earlier fetch has left.
func (f *fetching) resume(st *stage.Stage) error {
	if head, manifest, ok := st.Head(); ok {
		if err := f.share.Restore(head, manifest); err != nil {
			return err
		}
	}
	st.Have(f.share.Had)
	return nil
}

// join takes part with others until leave is called.
func (f *fetching) join(ctx context.Context) (leave func()) {
	drop := f.of.hub.Put(f.share)
	ctx, cancel := context.WithCancel(ctx)
	var joined sync.WaitGroup
	joined.Go(func() { f.share.Join(ctx, f.of.Host.Network(), f.others()...) })
	f.unjoin = func() {
		cancel()
		joined.Wait()
	}
	return func() {
		f.unjoin()
		drop()
	}
}

// await tells how far it is, and of entries that were found, until all is there, or, to
// hand it on, until the end.
func (f *fetching) await(ctx context.Context, over <-chan struct{}, found <-chan []api.ShareEntry) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return f.share.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		case entries := <-found:
			f.tell(api.FetchEvent{Type: api.FetchList, Entries: entries})
		case e := <-f.news:
			f.tell(e)
		case err := <-f.stuck:
			return err
		case <-tick.C:
			if err := f.fits(); err != nil {
				return err
			}
			d := f.describe()
			f.tell(api.FetchEvent{Type: api.FetchProgress, Share: &d})
		}
	}
}

// explain says what to do about an error.
func (f *fetching) explain(err error) error {
	switch {
	case errors.Is(err, stage.ErrKind):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "--rename puts what is shared beside it, --to takes another directory")
	case errors.Is(err, stage.ErrExists):
		return transport.WithHint(transport.Mark(err, api.ErrConflict), "--overwrite replaces it, --rename puts what is shared beside it, --to takes another directory")
	case errors.Is(err, stage.ErrLink):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "--skip-links leaves such links out")
	case errors.Is(err, stage.ErrName):
		return transport.Mark(err, transport.ErrDenied)
	case errors.Is(err, stage.ErrBusy):
		return transport.Mark(err, api.ErrConflict)
	case errors.Is(err, stage.ErrDamaged):
		return transport.WithHint(err, "what is in "+filepath.Join(f.target, ".tenon-"+f.ticket.ID.String())+" can be removed; all is fetched again then")
	case errors.Is(err, share.ErrGone), errors.Is(err, share.ErrEnded):
		return transport.WithHint(transport.Mark(err, transport.ErrDenied), "it is shared no more, or not with this node: whoever shares it knows")
	}
	return err
}
