//go:build !notorrent

package torrent

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/stage"
)

// list asks for no more than the list.
func (f Fetch) list(ctx context.Context) (all []Entry, err error) {
	spec, err := f.spec()
	if err != nil {
		return nil, err
	}
	info, err := f.learn(ctx, spec)
	if err != nil {
		return nil, err
	}
	l, err := newLayout(info, spec.InfoHash, 0)
	if err != nil {
		return nil, err
	}
	list := manifest.List{Want: func(e manifest.Entry) bool { return e.Kind == manifest.File && f.wants(e) }}
	if taken, done, err := stage.Taken(f.Target); err == nil { // else nothing is there
		defer done() //nolint:errcheck // it was only read
		list.Taken = taken
	}
	for line := range list.More(l.index) {
		has := func(m manifest.Mark) bool { return line.Marks&m != 0 }
		all = append(all, Entry{line.Path, line.Size, has(manifest.Executable), has(manifest.Hidden), has(manifest.Trusted), has(manifest.Replaces)})
	}
	return all, nil
}

// wants tells whether an entry is wanted.
func (f Fetch) wants(e manifest.Entry) bool { return f.Choice.Has(e.Path, e.Kind == manifest.Dir) }

// learn finds out what is in a torrent, from others unless it is known. Nothing is on the disk yet.
func (f Fetch) learn(ctx context.Context, spec *torrent.TorrentSpec) (*metainfo.Info, error) {
	if spec.InfoBytes == nil {
		asking := *spec
		asking.Storage, asking.DisallowDataUpload, asking.DisallowDataDownload = nowhere{}, true, true
		s, err := f.open(&asking, false, false)
		if err != nil {
			return nil, err
		}
		defer s.close()
		if _, err := s.info(ctx, f.see); err != nil {
			return nil, err
		}
		for _, p := range s.t.KnownSwarm() { // need not be found again
			spec.PeerAddrs = append(spec.PeerAddrs, p.Addr.String())
		}
		spec.InfoBytes = s.t.Metainfo().InfoBytes
	}
	info, err := (&metainfo.MetaInfo{InfoBytes: spec.InfoBytes}).UnmarshalInfo()
	return &info, err
}

func (f Fetch) see(s Status) {
	if f.See != nil {
		f.See(s)
	}
}

func (f Fetch) run(ctx context.Context) error {
	spec, err := f.spec()
	if err != nil {
		return err
	}
	info, err := f.learn(ctx, spec)
	if err != nil {
		return err
	}
	if _, err := newLayout(info, spec.InfoHash, 0); err != nil {
		return err
	}
	if err := os.MkdirAll(f.Target, 0o777); err != nil {
		return err
	}
	if found, err := f.there(ctx, spec, info); found || err != nil {
		return err
	}
	config := stage.Config{Target: f.Target, ID: stageID(spec.InfoHash), Overwrite: f.Overwrite, Rename: f.Rename}
	if !f.Choice.All() {
		config.Want = f.wants
	}
	st, err := stage.New(config)
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // what counts is what was synced
	mtime := time.Now().UnixNano()
	e, resumed := st.Index().Entry(0)
	if resumed {
		mtime = e.ModTime
	}
	l, err := newLayout(info, spec.InfoHash, mtime)
	if err != nil {
		return err
	}
	if err := st.Learn(l.index, nil, nil); err != nil {
		return err
	}
	return f.into(ctx, spec, info, newStaged(l, st, f.wants, resumed))
}

// stageID names the stage of a torrent.
func stageID(hash metainfo.Hash) (id share.ID) {
	sum := sha256.Sum256(append([]byte("tenon torrent "), hash[:]...))
	copy(id[:], sum[:])
	return id
}

// there hands on what is at the target already, if all of it is.
func (f Fetch) there(ctx context.Context, spec *torrent.TorrentSpec, info *metainfo.Info) (bool, error) {
	if !f.Choice.All() {
		return false, nil // pieces that are in files that are not wanted could not be verified
	}
	root, err := os.OpenRoot(f.Target)
	if err != nil {
		return false, err
	}
	defer root.Close() //nolint:errcheck // a directory
	l, err := newLayout(info, spec.InfoHash, 0)
	if err != nil {
		return false, err
	}
	found, err := l.verify(ctx, info, root)
	if found == nil || err != nil {
		return false, ctx.Err() // whatever is there, the stage says what is wrong with it
	}
	defer found.close()
	status := Status{Hash: spec.InfoHash.HexString(), Name: shownName(info), Files: l.index.Totals().Files, Bytes: l.bytes, Have: l.bytes, Done: true}
	f.see(status)
	f.done([]string{info.BestName()})
	if !f.Stay {
		return true, nil
	}
	spec.Storage = found
	s, err := f.open(spec, true, info.Private != nil && *info.Private)
	if err != nil {
		return true, err
	}
	defer s.close()
	return true, s.serve(ctx, status, f.see)
}

// done tells where everything is.
func (f Fetch) done(tops []string) {
	var paths []string
	for _, top := range tops {
		paths = append(paths, filepath.Join(f.Target, filepath.FromSlash(top)))
	}
	if f.Done != nil {
		f.Done(paths)
	}
}

// serve tells how it is until the context is done or something fails.
func (s *swarm) serve(ctx context.Context, status Status, see func(Status)) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		now := s.status()
		status.Got, status.Sent, status.Peers = now.Got, now.Sent, now.Peers
		see(status)
		select {
		case <-tick.C:
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// into fetches into a stage.
func (f Fetch) into(ctx context.Context, spec *torrent.TorrentSpec, info *metainfo.Info, store *staged) error {
	defer store.close()
	st := store.stage
	spec.Storage = store
	s, err := f.open(spec, true, info.Private != nil && *info.Private)
	if err != nil {
		return err
	}
	defer s.close()
	status := Status{Hash: spec.InfoHash.HexString(), Name: shownName(info)}
	for _, e := range store.index.From(0) {
		if e.Kind == manifest.File && f.wants(e) {
			status.Files++
			status.Bytes += e.Size
		}
	}
	s.want(ctx, store)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for going := true; going; {
		now := s.status()
		status.Got, status.Sent, status.Peers, status.Have = now.Got, now.Sent, now.Peers, min(store.have(), status.Bytes)
		f.see(status)
		select {
		case <-store.all:
			going = false
		case <-tick.C:
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := st.Finish(); err != nil {
		return err
	}
	status.Have, status.Done = status.Bytes, true
	f.see(status)
	f.done(st.Tops())
	if !f.Stay {
		return st.Discard()
	}
	return s.serve(ctx, status, f.see)
}

// want asks for the pieces that are wanted.
func (s *swarm) want(ctx context.Context, store *staged) {
	for i, wanted := range store.wanted {
		if wanted && ctx.Err() == nil {
			s.t.DownloadPieces(i, i+1)
		}
	}
}

// nowhere is the storage of who only wants to know what is in a torrent.
type nowhere struct{}

func (nowhere) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{
		Piece: func(metainfo.Piece) storage.PieceImpl { return nowherePiece{} },
		Close: func() error { return nil },
	}, nil
}

type nowherePiece struct{}

func (nowherePiece) ReadAt([]byte, int64) (int, error)  { return 0, os.ErrPermission }
func (nowherePiece) WriteAt([]byte, int64) (int, error) { return 0, os.ErrPermission }
func (nowherePiece) MarkComplete() error                { return nil }
func (nowherePiece) MarkNotComplete() error             { return nil }
func (nowherePiece) Completion() storage.Completion     { return storage.Completion{Ok: true} }
