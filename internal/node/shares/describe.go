package shares

import (
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A describer is what is listed.
type describer interface{ describe() api.Share }

// files is the Store of a share of this node: a type of its own, since a Scan is made after the Share that it adds to.
type files sharing

// Open implements [share.Store].
func (f *files) Open(n int, e manifest.Entry) (share.Blob, error) { return f.scan.Open(n, e) }

// Got implements [share.Store]. There is nothing to get.
func (f *files) Got(tree.Run) {}

// describe tells how the share is.
func (x *sharing) describe() api.Share {
	p := x.scan.Progress()
	d := api.Share{ID: x.id.String(), Name: neutral.Line(x.record.name()), Since: x.since, Paths: x.record.Request.Paths, Public: x.record.Request.Public,
		NotAfter: x.record.NotAfter, Uses: x.record.Request.Uses, Entries: p.Entries, Files: p.Files, Bytes: p.Bytes, Hashed: p.HashedBytes, Have: p.Bytes,
		Left: p.Left, Path: neutral.Line(p.Path)}
	for _, s := range x.subjects {
		d.To = append(d.To, x.of.Host.CalledSubject(s))
	}
	if x.record.Room != "" {
		d.To = []string{x.of.Host.CalledRoom(x.record.Room)}
	}
	if x.web != nil {
		d.Links, d.Fingerprint = x.web.Links(), x.web.Fingerprint()
	}
	d.Holders = x.holdersNow()
	t := share.Ticket{ID: x.id, Holders: x.contacts(), Sharer: x.self, Secret: x.record.Secret, Listed: len(x.subjects) > 0 || x.record.Room != "", NotAfter: x.record.NotAfter}
	root := status(x.of.Host, x.share, &d).Root
	state, failed := x.outcome()
	if state == api.ShareHashing {
		d.Root = "" // it may be that of what was shared before
	}
	if d.Root != "" {
		d.Path = ""
	}
	if name := d.Name; len(name) <= 64 {
		t.Name = name
	}
	var err error
	if t.Addresses, t.Via, t.Called, err = x.of.Host.Ticket(); err == nil {
		d.Ticket, err = t.Encode()
	}
	if err == nil && d.Root != "" {
		t.Root = root
		d.Fixed, err = t.Encode()
	}
	if d.State = state; failed != nil {
		err = failed
	}
	if err != nil {
		d.Error = neutral.Line(err.Error())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	d.Notes, d.Unsent = slices.Clone(x.notes), slices.Clone(x.unsent)
	for _, id := range x.record.Fetched {
		d.Fetched = append(d.Fetched, x.of.Host.Called(id))
	}
	return d
}

// status adds what the share between peers tells.
func status(h Host, s *share.Share, d *api.Share) share.Status {
	v := s.Status()
	d.Have, d.Sent, d.Got, d.SentPS, d.GotPS = v.Bytes, v.Sent, v.Got, v.Up, v.Down
	if v.Final && v.Root != (tree.Hash{}) {
		d.Root = v.Root.String()
	}
	for _, p := range v.Peers {
		one := api.SharePeer{ID: p.ID.String(), Name: h.Called(p.ID), SentPS: p.Up, GotPS: p.Down}
		if v.OfGroups > 0 {
			one.Has = float64(p.Groups) / float64(v.OfGroups)
		}
		d.Peers = append(d.Peers, one)
	}
	slices.SortFunc(v.Banned, func(a, b share.Ban) int { return a.When.Compare(b.When) })
	d.Banned = banned(h, v.Banned)
	slices.SortFunc(d.Peers, func(a, b api.SharePeer) int { return strings.Compare(a.ID, b.ID) })
	return v
}

// describe tells how far it is.
func (f *fetching) describe() api.Share {
	d := api.Share{ID: f.ticket.ID.String(), Name: neutral.Line(f.name()), Since: f.since, State: api.ShareGetting, NotAfter: f.ticket.NotAfter,
		Paths: []string{f.target}}
	f.mu.Lock()
	s := f.share
	f.mu.Unlock()
	if s == nil {
		return d
	}
	x := s.Index()
	t := x.Totals()
	d.Entries, d.Files, d.Bytes = t.Entries, f.wants(x), t.Bytes
	d.Bytes -= status(f.of.Host, s, &d).Skipped
	return d
}

// wants counts the files that are wanted, as far as they are known. It looks at each once.
func (f *fetching) wants(x manifest.Index) int {
	if f.want == nil {
		return x.Totals().Files
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, e := range x.From(f.looked) {
		f.looked = n + 1
		if e.Kind == manifest.File && f.want(e) {
			f.files++
		}
	}
	return f.files
}
