package shares

import (
	"slices"
	"sync"
	"time"

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
	t := share.Ticket{ID: x.id, Sharer: x.self, Secret: x.record.Secret, Listed: len(x.subjects) > 0, NotAfter: x.record.NotAfter}
	x.status(&d, &t)
	if name := d.Name; len(name) <= 64 {
		t.Name = name
	}
	var err error
	if t.Addresses, t.Via, t.Called, err = x.of.Host.Ticket(); err == nil {
		d.Ticket, err = t.Encode()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if d.State = x.state; x.err != nil {
		err = x.err
	}
	if err != nil {
		d.Error = neutral.Line(err.Error())
	}
	d.Notes = slices.Clone(x.notes)
	for _, id := range x.record.Fetched {
		d.Fetched = append(d.Fetched, x.of.Host.Called(id))
	}
	return d
}

// status is what a share between peers tells.
func (x *sharing) status(d *api.Share, t *share.Ticket) {
	index := x.share.Index()
	if index.Done() {
		t.Root = x.share.Root
		d.Root = t.Root.String()
		d.Path = ""
	}
}

// A meter makes rates of what was counted.
type meter struct {
	mu     sync.Mutex
	when   time.Time
	counts [2]int64
	rates  [2]float64
}

// read takes counts, and returns how fast they grow a second, over the last while.
func (m *meter) read(now time.Time, counts ...int64) (rates [2]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := now.Sub(m.when)
	if passed < interval/2 {
		return m.rates
	}
	for i, n := range counts {
		if !m.when.IsZero() && passed < 10*time.Second {
			weight := min(1, passed.Seconds()/2)
			m.rates[i] += weight * (float64(n-m.counts[i])/passed.Seconds() - m.rates[i])
		}
		m.counts[i] = n
	}
	m.when = now
	return m.rates
}

// describe tells how far it is.
func (f *fetching) describe() api.Share {
	d := api.Share{ID: f.ticket.ID.String(), Name: neutral.Line(f.name()), Since: f.since, State: api.ShareGetting, NotAfter: f.ticket.NotAfter,
		Paths: []string{f.target}}
	t := f.share.Index().Totals()
	d.Entries, d.Files, d.Bytes = t.Entries, t.Files, t.Bytes
	have, _ := f.share.Have()
	traffic := f.share.Traffic()
	d.Have, d.Sent, d.Got = have*tree.Group, traffic.Sent*tree.Group, traffic.Got*tree.Group
	return d
}
