//go:build node

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/torrent"
	"github.com/tenon-net/tenon/transport"
)

// given tells whether a flag was given that is about BitTorrent only.
func (f torrentFlags) given() bool {
	return f.file != "" || len(f.trackers)+len(f.peers) > 0 || f.dht || f.listen != ""
}

// config is how others are found.
func (f shareFlags) swarm() torrent.Config {
	t := f.torrent
	return torrent.Config{Listen: t.listen, Trackers: t.trackers, Peers: t.peers, DHT: t.dht, Up: f.up, Down: f.down}
}

// getTorrent is "tenon get MAGNET" and "tenon get FILE.torrent".
func (p *program) getTorrent(c *call, request api.FetchRequest) error {
	f := &c.peer.share
	switch {
	case f.stdout:
		return usageError("a torrent is put on disk, and not written to standard output", "tenon get "+shellWord(c.args[0])+" --only FILE")
	case f.skipLinks:
		return usageError("there are no links in a torrent that --skip-links could leave out", "leave it out")
	}
	g := p.newGetter(c, request)
	fetch := torrent.Fetch{Config: f.swarm(), Source: c.args[0], Target: request.Target,
		Overwrite: f.overwrite, Rename: f.rename, Stay: f.stay}
	err := fetch.Choose(f.only, f.exclude)
	if err == nil && f.list {
		err = p.listTorrent(c, g, fetch)
		return p.stopped(torrentHint(err))
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	var seen torrentPace
	tell := func(e api.FetchEvent) {
		if err := g.see(time.Now(), e); err != nil { // nobody reads what is told
			cancel(err)
		}
	}
	fetch.See = func(s torrent.Status) {
		tell(api.FetchEvent{Type: api.FetchProgress, Share: seen.share(time.Now(), s)})
	}
	fetch.Done = func(paths []string) {
		done := g.last
		tell(api.FetchEvent{Type: api.FetchDone, Share: &done, Paths: paths})
	}
	return g.end(torrentHint(fetch.Run(ctx)))
}

// listTorrent is "tenon get MAGNET --list".
func (p *program) listTorrent(c *call, g *getter, fetch torrent.Fetch) error {
	entries, err := fetch.List(p.ctx)
	if err != nil {
		return err
	}
	var all []api.ShareEntry
	for _, e := range entries {
		mode := "0644"
		if e.Program {
			mode = "0755"
		}
		all = append(all, api.ShareEntry{Path: e.Path, Kind: "file", Size: e.Size, Mode: mode, Hidden: e.Hidden, Program: e.Program, Trusted: e.Trusted, Taken: e.Taken})
	}
	err = g.see(time.Now(), api.FetchEvent{Type: api.FetchList, Entries: all})
	g.listed.end(p, c)
	return err
}

// torrentHint says what a person can do.
func torrentHint(err error) error {
	switch {
	case errors.Is(err, torrent.ErrNoPeers):
		return transport.WithHint(transport.Usage(err), "--dht searches in the public DHT of BitTorrent, --tracker URL asks a tracker")
	case errors.Is(err, stage.ErrKind):
		return transport.WithHint(err, "--rename puts what is fetched beside it, --to takes another directory")
	case errors.Is(err, stage.ErrExists):
		return transport.WithHint(err, "--overwrite replaces it, --rename puts what is fetched beside it, --to takes another directory")
	case errors.Is(err, torrent.ErrTorrent), errors.Is(err, os.ErrNotExist):
		return transport.Usage(err)
	}
	return err
}

// seed is "tenon share --torrent PATH".
func (p *program) seed(c *call) error {
	f := &c.peer.share
	paths, err := c.seedPaths()
	if err != nil {
		return err
	}
	w := p.newShareWatch(c)
	var seen torrentPace
	seed := torrent.Seed{Config: f.swarm(), Paths: paths, Name: f.name,
		See:  func(s torrent.Status) { w.see(time.Now(), *seen.share(time.Now(), s)) }, //nolint:errcheck // who does not listen is not told
		Left: func(path string, why error) { p.tell(c, "%s: %v; it is left out", path, why) },
		Ready: func(link string, file []byte) error {
			if f.torrent.file != "" {
				if err := os.WriteFile(f.torrent.file, file, 0o644); err != nil {
					return err
				}
			}
			w.progress.end()
			return p.showMagnet(c, link)
		}}
	if err := seed.Choose(f.only, f.exclude); err != nil {
		return err
	}
	ctx := p.ctx
	if f.expires > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.expires, errSeeded)
		defer cancel()
	}
	err = seed.Run(ctx)
	w.progress.end()
	if errors.Is(err, errSeeded) {
		return nil
	}
	return torrentHint(err)
}

var errSeeded = errors.New("the time of the share has run out")

// seedPaths are what is shared by BitTorrent, which knows nobody: whatever says who may have it is
// refused.
func (c *call) seedPaths() ([]string, error) {
	f := &c.peer.share
	request, err := c.shareRequest()
	switch {
	case err != nil:
		return nil, err
	case !f.torrent.seed:
		return nil, usageError("--tracker, --peer, --dht, --torrent-file and --torrent-listen need --torrent", "tenon share --torrent PATH")
	case len(f.to) > 0 || f.uses > 0:
		return nil, usageError("--to and --uses cannot be with --torrent: whoever has a magnet link gets the files", "without --torrent they can")
	case f.gitIgnore || f.check || f.wait || f.web != "":
		return nil, usageError("--gitignore, --check, --wait and --web are not for torrents", "--exclude leaves files out")
	}
	return request.Paths, nil
}

// showMagnet prints the link, for whoever is to have it.
func (p *program) showMagnet(c *call, link string) error {
	if p.json {
		return p.stdout.json(map[string]string{"magnet": link})
	}
	p.stdout.line(link)
	if err := p.showQR(c, link); err != nil {
		return err
	}
	p.tell(c, "whoever has this link gets the files, and sees the address of this computer; it is shared until this program ends")
	if f := c.peer.share.torrent; len(f.trackers) == 0 && !f.dht {
		p.tell(c, "there is no tracker and no --dht: it is found by those only who are given the address in the link")
	}
	return nil
}

// A torrentPace makes rates of what has come and gone.
type torrentPace struct {
	at        time.Time
	got, sent int64
}

// share is a transfer as that of a share is told.
func (t *torrentPace) share(now time.Time, s torrent.Status) *api.Share {
	x := &api.Share{ID: s.Hash, Name: s.Name, Files: s.Files, Entries: s.Files, Bytes: s.Bytes, Have: s.Have, Hashed: s.Hashed, Got: s.Got, Sent: s.Sent,
		State: api.ShareGetting, Peers: make([]api.SharePeer, s.Peers)}
	if x.Name == "" {
		x.Name = "torrent " + s.Hash[:min(len(s.Hash), 10)]
	}
	if s.Done {
		x.State = api.ShareReady
	} else if s.Hashed > 0 {
		x.State = api.ShareHashing
	}
	if s.Bytes > 0 {
		x.Root = s.Hash // which is of all that is in it
	}
	if passed := now.Sub(t.at).Seconds(); !t.at.IsZero() && passed > 0 {
		x.GotPS, x.SentPS = float64(s.Got-t.got)/passed, float64(s.Sent-t.sent)/passed
	}
	t.at, t.got, t.sent = now, s.Got, s.Sent
	return x
}
