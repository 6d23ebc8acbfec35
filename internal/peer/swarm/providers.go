package swarm

import (
	"context"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/tenon-net/tenon/internal/peer"
)

// Who has a public share says so in the table, as those do there who have a file: under a name that only who has the share's
// ticket can work out. docs/protocol/share.md, chapter "Finding".
const (
	maxProvided    = 100 // shares that are told of
	provideEvery   = time.Hour
	provideValid   = 4 * time.Hour // in the private table
	providePublic  = 12 * time.Hour
	providePause   = time.Second // between two shares
	provideTimeout = time.Minute

	maxFound    = 16 // others who are told of in one search
	searchTime  = 30 * time.Second
	searchAgain = 10 * time.Second // then each time twice as long
	searchMost  = 10 * time.Minute
)

// shareName is under what name a table knows a share.
func shareName(k peer.FindKey) cid.Cid { return tableName(k.Derive("tenon table share 1")) }

// keepProviding says in the table which shares are here.
func (n *Network) keepProviding() {
	every := provideEvery
	if n.config.Discovery == PublicDiscovery {
		every = providePublic
	}
	said := map[peer.FindKey]time.Time{}
	again := publishAgain
	for n.ctx.Err() == nil {
		changed := n.provided.wait()
		wait := every
		if n.provideShares(said, every) {
			again = publishAgain
		} else {
			wait, again = again, min(2*again, time.Minute)
		}
		for _, at := range said {
			wait = min(wait, max(every-time.Since(at), providePause))
		}
		select {
		case <-time.After(wait):
		case <-changed:
		case <-n.ctx.Done():
		}
	}
}

// provideShares says what was not said for a while, and tells whether it could be.
func (n *Network) provideShares(said map[peer.FindKey]time.Time, every time.Duration) (ok bool) {
	all := n.config.Provided()
	all = all[:min(len(all), maxProvided)]
	still := map[peer.FindKey]bool{}
	ok = true
	for _, k := range all {
		if still[k] = true; time.Since(said[k]) < every {
			continue
		}
		if err := n.provideShare(k); err != nil {
			ok = false
			break
		}
		if said[k] = time.Now(); !pauseFor(n.ctx, providePause) {
			break
		}
	}
	for k := range said {
		if !still[k] && ok {
			delete(said, k)
		}
	}
	return ok
}

func (n *Network) provideShare(k peer.FindKey) error {
	ctx, cancel := context.WithTimeout(n.ctx, provideTimeout)
	defer cancel()
	n.joinTable(ctx)
	return n.table.Provide(ctx, shareName(k), true)
}

// ProvidedChanged has it looked again soon at what [Config].Provided returns.
func (n *Network) ProvidedChanged() { n.provided.tell() }

// FindProviders looks in the table for others who say that they have a share, until the context ends; at once and then now and
// then. Found is told of at most 16 each time, again and again. Without a table it returns at once.
func (n *Network) FindProviders(ctx context.Context, k peer.FindKey, found func(peer.ID)) {
	if !n.tableOn.Load() {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	for wait := searchAgain; ; wait = min(2*wait, searchMost) {
		n.findProviders(ctx, shareName(k), found)
		if !pauseFor(ctx, wait) {
			return
		}
	}
}

func (n *Network) findProviders(ctx context.Context, name cid.Cid, found func(peer.ID)) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	n.joinTable(ctx)
	for info := range n.table.FindProvidersAsync(ctx, name, maxFound) {
		if id, err := ours(info.ID); err == nil && id != n.id {
			found(id)
		}
	}
}

// pauseFor waits and tells whether the context still goes on.
func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
