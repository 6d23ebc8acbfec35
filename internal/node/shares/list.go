package shares

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// wanted says which entries are wanted; nil is all.
func wanted(r api.FetchRequest) (func(manifest.Entry) bool, error) {
	choice, err := glob.ParseChoice(r.Only, r.Exclude)
	if err != nil || choice.All() {
		return nil, transport.Usage(err)
	}
	return func(e manifest.Entry) bool { return choice.Has(e.Path, e.Kind == manifest.Dir) }, nil
}

// maxListed is how many entries are told of at a time.
const maxListed = 200

// A lister is a Store for who wants to know what there is, and nothing of it.
type lister struct {
	list  manifest.List
	found chan []api.ShareEntry
	ctx   context.Context

	next   int   // the entry whose groups were not counted yet
	groups int64 // of those before it
}

// Open implements [share.Store].
func (l *lister) Open(int, manifest.Entry) (share.Blob, error) {
	return nil, errors.New("only the list is wanted")
}

// Got implements [share.Store].
func (l *lister) Got(tree.Run) {}

// Learn implements [share.Learner].
func (l *lister) Learn(x manifest.Index, _, skip func(tree.Run)) error {
	var entries []api.ShareEntry
	for line := range l.list.More(x) {
		if entries = append(entries, entry(line)); len(entries) == maxListed {
			if err := l.give(entries); err != nil {
				return err
			}
			entries = nil
		}
	}
	if err := l.give(entries); err != nil {
		return err
	}
	from := l.groups
	for n, e := range x.From(l.next) {
		l.next = n + 1
		l.groups += tree.Shape(e.Size).Groups()
	}
	skip(tree.Run{From: from, To: l.groups})
	return nil
}

func (l *lister) give(entries []api.ShareEntry) error {
	if len(entries) == 0 {
		return nil
	}
	select {
	case l.found <- entries:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// entry is what is told of an entry.
func entry(l manifest.Line) api.ShareEntry {
	return api.ShareEntry{Path: l.Path, Kind: l.Kind, Size: l.Size, Mode: l.Mode, Time: l.Time, Link: l.Target,
		Hidden: l.Marks&manifest.Hidden != 0, Program: l.Marks&manifest.Executable != 0, Trusted: l.Marks&manifest.Trusted != 0, Taken: l.Marks&manifest.Replaces != 0}
}

// list tells what there is in the share.
func (f *fetching) list(ctx context.Context, r api.FetchRequest) error {
	want, err := wanted(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &lister{list: manifest.List{Want: want}, found: make(chan []api.ShareEntry), ctx: ctx}
	if taken, done, err := stage.Taken(r.Target); err == nil { // else nothing is there
		defer done() //nolint:errcheck // it was only read
		l.list.Taken = taken
	}
	f.begin(f.config(l))
	defer f.share.Close() //nolint:errcheck // it returns nil
	defer cancel()        // before Close waits for Learn
	leave := f.join(ctx)
	defer leave()
	if err := f.await(ctx, f.share.Over(), l.found); err != nil {
		return f.explain(err)
	}
	f.share.Part()
	d := f.describe()
	f.tell(api.FetchEvent{Type: api.FetchDone, Share: &d})
	return nil
}
