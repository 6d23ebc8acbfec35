package shares

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/share"
)

func (p *person) Holds() HoldLimits {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits
	if l == (HoldLimits{}) {
		l = HoldLimits{Bytes: 1 << 40, PeerBytes: 1 << 40, Shares: 100, PeerShares: 100, Time: 30 * 24 * time.Hour}
	}
	return l
}

// Whereabouts are known of those with whom there is a link.
func (p *person) Whereabouts(id peer.ID) []string {
	for l := range p.net.Links() {
		if l.Peer == id {
			return []string{l.Addr}
		}
	}
	return nil
}

// allow has somebody hold shares of others; of nobody, if there are none.
func (p *person) allow(of ...*person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.access.Hold = nil
	for _, o := range of {
		p.access.Hold = append(p.access.Hold, peer.Only(o.net.Self()))
	}
}

// holderNow returns the state of the only holder of a share, when it is as wanted.
func (p *person) holderNow(id string, is func(api.ShareHolder) bool) api.ShareHolder {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var last api.ShareHolder
	for ctx.Err() == nil {
		for _, s := range p.List() {
			if s.ID == id && len(s.Holders) == 1 {
				if last = s.Holders[0]; is(last) {
					return last
				}
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	p.t.Fatalf("the holder is %+v", last)
	return last
}

func isDone(h api.ShareHolder) bool { return h.Done }

// share shares a directory, with somebody to hold it, and returns it when all is hashed.
func (p *person) shareHeld(dir string, by *person) api.Share {
	p.t.Helper()
	s, err := p.Share(p.t.Context(), api.ShareRequest{Paths: []string{dir}, Hold: []string{by.net.Self().String()}})
	must(p.t, err)
	return s
}

// tree makes a directory with some files.
func heldTree(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "things")
	must(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "small"), []byte("the plain text of a small file"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("the plain text of a large file\n"), 300_000), 0o644))
	return dir
}

func sameTree(t *testing.T, dir, target string) {
	t.Helper()
	for _, name := range []string{"small", "large"} {
		a, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(target, filepath.Base(dir), name))
		must(t, err)
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
}

// held returns what somebody holds.
func (p *person) held() (all []api.Share) {
	for _, s := range p.List() {
		if s.State == api.ShareHeld {
			all = append(all, s)
		}
	}
	return all
}

// A share is had from its holder when its sharer is gone, also after a restart of the holder; nothing that the holder
// has on disk tells of it; and when it is shared no more the holder has nothing.
func TestHold(t *testing.T) {
	world := new(peertest.World)
	alice, bob, carol := newPerson(t, world, "alice"), newPerson(t, world, "bob"), newPerson(t, world, "carol")
	bob.allow(alice)
	dir := heldTree(t)
	s := alice.shareHeld(dir, bob)
	if ticket, err := share.ParseTicket(s.Ticket); err != nil || len(ticket.Holders) != 1 || ticket.Holders[0].ID != bob.net.Self() || !slices.Equal(ticket.Holders[0].Addrs, []string{"bob"}) {
		t.Errorf("the ticket says %+v, %v", ticket, err)
	}
	if h := alice.holderNow(s.ID, isDone); h.Has != 1 || h.Error != "" || h.Until.Before(time.Now().Add(29*24*time.Hour)) {
		t.Errorf("the holder has %+v", h)
	}
	held := bob.held()
	if len(held) != 1 || held[0].Owner != alice.net.Self().Short() || held[0].Have != held[0].Bytes || held[0].Bytes < 9_000_000 || held[0].Ticket != "" {
		t.Errorf("held is %+v", held)
	}
	all := 0
	must(t, filepath.WalkDir(bob.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p, err := os.ReadFile(path)
		all += len(p)
		for _, secret := range []string{"plain text", "things", "small", "tenon share 1"} {
			if bytes.Contains(p, []byte(secret)) {
				t.Errorf("%q is in %s of the holder", secret, path)
			}
		}
		return err
	}))
	if all < 9_000_000 {
		t.Errorf("the holder has %d bytes", all)
	}
	alice.end()
	bob.end()
	bob.start()
	target := t.TempDir()
	must(t, carol.get(s.Ticket, target))
	sameTree(t, dir, target)
	if held := bob.held(); len(held) != 1 || held[0].Sent < 9_000_000 {
		t.Errorf("held is %+v", held)
	}
	alice.start()
	alice.holderNow(s.ID, isDone)
	must(t, alice.Unshare(t.Context(), s.ID))
	if held := bob.held(); len(held) > 0 {
		t.Errorf("held is %+v", held)
	}
	if entries, err := os.ReadDir(filepath.Join(bob.dir, "hashes", "held")); err != nil || len(entries) > 0 {
		t.Errorf("the holder has %v, %v", entries, err)
	}
}

// Who may not, or wants more than it may, is told so, with the reason; and is held for as soon as it may.
func TestHoldRefused(t *testing.T) {
	world := new(peertest.World)
	alice, bob := newPerson(t, world, "alice"), newPerson(t, world, "bob")
	dir := heldTree(t)
	for _, test := range []struct {
		limits HoldLimits
		grant  bool
		want   string
	}{
		{HoldLimits{}, false, "it does not hold shares for this node; it has to say: tenon grant hold"},
		{HoldLimits{Bytes: 1 << 40, PeerBytes: 5 << 20, Shares: 9, PeerShares: 9}, true, "it holds no more for this node than 5242880 bytes"},
		{HoldLimits{Bytes: 6 << 20, PeerBytes: 1 << 40, Shares: 9, PeerShares: 9}, true, "it has no room for more than 6291456 bytes"},
		{HoldLimits{Bytes: 1 << 40, PeerBytes: 1 << 40, Shares: 9}, true, "it holds no more than 0 shares for this node"},
		{HoldLimits{Bytes: 1 << 40, PeerBytes: 1 << 40, PeerShares: 9}, true, "it has no room"},
	} {
		bob.allow()
		if test.grant {
			bob.allow(alice)
		}
		bob.mu.Lock()
		bob.limits = test.limits
		bob.mu.Unlock()
		s := alice.shareHeld(dir, bob)
		h := alice.holderNow(s.ID, func(h api.ShareHolder) bool { return h.Error != "" })
		if !strings.Contains(h.Error, test.want) || h.Done || h.Has > 0 {
			t.Errorf("the holder is %+v, want %q", h, test.want)
		}
		if held := bob.held(); len(held) > 0 {
			t.Errorf("held is %+v", held)
		}
		must(t, alice.Unshare(t.Context(), s.ID))
	}
	for name, r := range map[string]api.ShareRequest{
		"public":        {Hold: []string{bob.net.Self().String()}, Public: true},
		"for some":      {Hold: []string{bob.net.Self().String()}, To: []string{"paired"}},
		"for so many":   {Hold: []string{bob.net.Self().String()}, Uses: 3},
		"by all":        {Hold: []string{"paired"}},
		"by oneself":    {Hold: []string{alice.net.Self().String()}},
		"by a stranger": {Hold: []string{"nobody"}},
	} {
		r.Paths = []string{dir}
		if s, err := alice.Share(t.Context(), r); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// offer is what a peer offers that is no sharer.
func offer(n byte, bytes int64) share.Offer {
	return share.Offer{ID: share.ID{n}, Version: share.ID{n}, Manifest: 1, Bytes: bytes, Head: []byte("head")}
}

// A peer that floods a holder has as much there as it may, and no more; others are not kept out by that; and what
// is not brought to an end is given up after a day, as what is whole after its time.
func TestHoldFlood(t *testing.T) {
	world := new(peertest.World)
	bob, alice, eve := newPerson(t, world, "bob"), newPerson(t, world, "alice"), newPerson(t, world, "eve")
	bob.allow(alice, eve)
	bob.limits = HoldLimits{Bytes: 10 << 20, PeerBytes: 6 << 20, Shares: 10, PeerShares: 4, Time: 48 * time.Hour}
	why := func(err error) share.HoldWhy {
		var refused *share.HoldError
		if errors.As(err, &refused) {
			return refused.Why
		}
		return 0
	}
	taken := 0
	for n := range byte(50) {
		if _, err := bob.holds.Take(eve.net.Self(), offer(n, 1<<20)); err == nil {
			taken++
		} else if w := why(err); w != share.HoldShares {
			t.Errorf("offer %d: %v", n, err)
		}
	}
	if taken != 4 {
		t.Errorf("%d copies were taken up", taken)
	}
	again := offer(1, 6<<20)
	again.Version = share.ID{99}
	if _, err := bob.holds.Take(eve.net.Self(), again); why(err) != share.HoldBytes {
		t.Errorf("another version that is too large: %v", err)
	}
	if held, err := bob.holds.Take(alice.net.Self(), offer(1, 6<<20)); err != nil || held.Owner != alice.net.Self() {
		t.Errorf("another peer's, with the same ID: %v", err)
	}
	if _, err := bob.holds.Take(alice.net.Self(), offer(2, 1<<20)); why(err) != share.HoldBytes {
		t.Errorf("more than one may: %v", err)
	}
	late := offer(3, 1<<20)
	late.NotAfter = time.Now().Add(-time.Minute)
	if _, err := bob.holds.Take(alice.net.Self(), late); why(err) != share.HoldOver {
		t.Errorf("what is over: %v", err)
	}
	for range 200 {
		bob.holds.Take(eve.net.Self(), offer(1, 1<<20)) //nolint:errcheck // one of them is refused
	}
	if _, err := bob.holds.Take(eve.net.Self(), offer(1, 1<<20)); why(err) != share.HoldBusy {
		t.Errorf("the 250th offer: %v", err)
	}
	must(t, bob.holds.Drop(eve.net.Self(), share.ID{200}))
	if n, _ := bob.Held(); n != 5 {
		t.Errorf("%d copies are held", n)
	}
	bob.holds.giveUp(time.Now().Add(23 * time.Hour))
	if n, _ := bob.Held(); n != 5 {
		t.Errorf("%d copies are held after a day less an hour", n)
	}
	for _, x := range bob.holds.list() {
		if x.held.Owner == alice.net.Self() {
			must(t, x.Whole())
		}
	}
	bob.holds.giveUp(time.Now().Add(25 * time.Hour))
	if n, _ := bob.Held(); n != 1 {
		t.Errorf("%d copies are held after a day, want that which is whole", n)
	}
	bob.holds.giveUp(time.Now().Add(49 * time.Hour))
	if n, _ := bob.Held(); n != 0 {
		t.Errorf("%d copies are held after their time", n)
	}
}

// The user of a holder can have it hold something no more, and the sharer brings it again only while it may.
func TestHoldUnshare(t *testing.T) {
	world := new(peertest.World)
	alice, bob := newPerson(t, world, "alice"), newPerson(t, world, "bob")
	bob.allow(alice)
	s := alice.shareHeld(heldTree(t), bob)
	alice.holderNow(s.ID, isDone)
	must(t, bob.Unshare(t.Context(), bob.held()[0].ID[:8]))
	if n, bytes := bob.Held(); n+int(bytes) > 0 {
		t.Errorf("%d copies are held", n)
	}
	if err := bob.Unshare(t.Context(), "nothing"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("what is not held: %v", err)
	}
}

// A holder that is away when a share ends is told when it is back, by whichever node the sharer has then; and a share of a
// node that has ended can be ended by another one.
func TestHolderAway(t *testing.T) {
	world := new(peertest.World)
	alice, bob := newPerson(t, world, "alice"), newPerson(t, world, "bob")
	bob.allow(alice)
	s := alice.shareHeld(heldTree(t), bob)
	alice.holderNow(s.ID, isDone)
	bob.end()
	must(t, alice.Unshare(t.Context(), s.ID))
	bob.start()
	if n, _ := bob.Held(); n != 1 {
		t.Errorf("%d copies are held by a holder that was not told", n)
	}
	alice.end()
	alice.start()
	must(t, alice.tellHolders(t.Context(), func(withdrawal) bool { return true }))
	if n, _ := bob.Held(); n != 0 {
		t.Errorf("%d copies are held by a holder that was told", n)
	}
	if left, err := alice.withdrawals(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%+v is still to be told, %v", left, err)
	}
}

// What a holder has on disk of which it has no record, it removes.
func TestHoldLeftovers(t *testing.T) {
	world := new(peertest.World)
	bob := newPerson(t, world, "bob")
	left := filepath.Join(bob.dir, "hashes", "held", "left")
	bob.end()
	must(t, os.MkdirAll(left, 0o700))
	bob.start()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
