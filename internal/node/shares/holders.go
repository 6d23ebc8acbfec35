package shares

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// Those who hold a sealed copy of a share of this node are brought it when all is hashed, and asked now and then whether
// they still have it.

const (
	maxHolders   = 3 // a ticket says where they are
	maxHolderAts = 3 // at so many addresses each
	holdAgain    = time.Hour
	firstHold    = 5 * time.Second
	lastHold     = 10 * time.Minute
	meetTime     = 10 * time.Second // that a ticket waits for holders of whom no address is known
	withdrawTime = 10 * time.Second // that who ends a share waits for holders
)

// holdersOf finds those who are to hold a share.
func (s *Shares) holdersOf(r api.ShareRequest) (all []peer.ID, err error) {
	for _, text := range r.Hold {
		subject, err := s.Host.Subject(text)
		if err != nil {
			return nil, err
		}
		id, err := peer.ParseID(subject.String())
		if err != nil {
			return nil, transport.Usage(fmt.Errorf("%s is not one peer, which could hold a share", text))
		}
		if s.Host.Access().IsSelf(id) {
			return nil, transport.Usage(errors.New("this node shares it, and need not hold it"))
		}
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	switch {
	case len(all) > maxHolders:
		return nil, transport.Usage(fmt.Errorf("a share is held by %d peers at most", maxHolders))
	case len(all) > 0 && r.Public:
		return nil, transport.WithHint(transport.Usage(errors.New("what is public has no secret by which it could be sealed")), "a peer that gets it with tenon get --stay hands it on, too")
	case len(all) > 0 && (len(r.To) > 0 || r.Uses > 0):
		return nil, transport.Usage(errors.New("a holder cannot tell for whom, or for how many, a share is: it hands it to whoever has the ticket"))
	}
	return all, nil
}

// hold has the holders brought the share, until it ends.
func (x *sharing) hold() {
	for i := range x.record.Holders {
		x.holding.Go(func() { x.holdBy(i) })
	}
}

// holdBy has one peer brought the share, and looks now and then whether it is there.
func (x *sharing) holdBy(i int) {
	id, wait := x.record.Holders[i], firstHold
	for {
		err := x.share.Deposit(x.ctx, x.of.Host.Network(), id, x.record.NotAfter, func(d share.Deposited) {
			x.held(i, func(h *api.ShareHolder) {
				h.Has, h.Done, h.Until, h.Error, h.Refused = float64(d.Units)/float64(max(d.Of, 1)), d.All, d.Until, "", false
			})
		})
		if x.ctx.Err() != nil {
			return
		}
		pause := holdAgain + rand.N(holdAgain/10)
		if err != nil {
			pause, wait = wait, min(2*wait, lastHold)
			var refused *share.HoldError
			final := errors.As(err, &refused) && refused.Why != share.HoldBusy
			x.held(i, func(h *api.ShareHolder) { h.Error, h.Refused = x.whyNotHeld(id, err), final })
		} else {
			wait = firstHold
		}
		select {
		case <-time.After(pause):
		case <-x.ctx.Done():
			return
		}
	}
}

// held notes how far a holder is, and tells when it has all, has not any more, or fails.
func (x *sharing) held(i int, change func(*api.ShareHolder)) {
	x.mu.Lock()
	h := &x.holders[i]
	was := *h
	change(h)
	now := *h
	x.mu.Unlock()
	text := ""
	switch {
	case now.Done && !was.Done:
		text = "has a sealed copy of all of it"
	case now.Error != "" && now.Error != was.Error:
		text = now.Error
	case was.Done && !now.Done && now.Error == "":
		text = "does not have its sealed copy any more, and is brought it again"
	}
	if text != "" {
		id := x.record.Holders[i]
		x.of.Host.Tell(api.Event{Type: "share", Peer: id.String(), Text: x.record.name() + ": " + x.of.Host.Called(id) + ": " + text})
	}
}

// whyNotHeld says why a peer does not hold a share, and what to do about it.
func (x *sharing) whyNotHeld(id peer.ID, err error) string {
	text := err.Error()
	var refused *share.HoldError
	switch {
	case errors.As(err, &refused) && refused.Why == share.HoldNotGranted:
		text += "; it has to say: tenon grant hold and the name that it has for you"
	case errors.As(err, &refused) && (refused.Why == share.HoldBytes || refused.Why == share.HoldShares):
		text += "; tenon unshare takes others away that it holds"
	case errors.Is(err, tree.ErrChanged):
		text = "it cannot be brought it: " + text + "; sharing it again shares what is there now"
	case refused == nil:
		text = "it cannot be brought it: " + text
	}
	return neutral.Line(text)
}

// holdersNow returns how far the holders are.
func (x *sharing) holdersNow() []api.ShareHolder {
	x.mu.Lock()
	all := slices.Clone(x.holders)
	x.mu.Unlock()
	for i := range all {
		all[i].Name = x.of.Host.Called(x.record.Holders[i])
	}
	return all
}

// meet reaches holders of whom no address is known, so that the ticket can say where they are. It takes a few seconds at most.
func (s *Shares) meet(ctx context.Context, r *record) {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	var all sync.WaitGroup
	for _, id := range r.Holders {
		if len(s.Host.Whereabouts(id)) > 0 {
			continue
		}
		all.Go(func() {
			stream, err := s.Host.Network().Open(ctx, id, share.HoldProto)
			if err != nil {
				return // it is told when it is brought the share
			}
			stream.Close() //nolint:errcheck // nothing was said
			for len(s.Host.Whereabouts(id)) == 0 && ctx.Err() == nil {
				select {
				case <-time.After(20 * time.Millisecond): // it is being noted
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
}

// contacts returns the holders of a ticket, and where they may be.
func (x *sharing) contacts() (all []peer.Contact) {
	for _, id := range x.record.Holders {
		addrs := peer.ContactAddrs(x.of.Host.Whereabouts(id))
		all = append(all, peer.Contact{ID: id, Addrs: addrs[:min(len(addrs), maxHolderAts)]})
	}
	return all
}

// withdraw has holders told that a share is over: soon, or when they can be reached.
func (s *Shares) withdraw(ctx context.Context, r *record) error {
	if len(r.Holders) == 0 {
		return nil
	}
	// Whatever its time is: after this it holds nothing of it.
	if err := s.putWithdrawals(ctx, r, time.Now().Add(maxWithdrawal)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, withdrawTime)
	defer cancel()
	return s.tellHolders(ctx, func(w withdrawal) bool { return w.share == r.ID })
}

// maxWithdrawal is how long it is tried to reach a holder. What is sealed is of use to nobody without the ticket.
const maxWithdrawal = 90 * 24 * time.Hour

// tellHolders tells those holders that can be reached what they are to hold no more.
func (s *Shares) tellHolders(ctx context.Context, which func(withdrawal) bool) error {
	all, err := s.withdrawals(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		if !which(w) {
			continue
		}
		if err := share.Withdraw(ctx, s.Host.Network(), w.peer, w.share, w.secret); err != nil {
			s.Host.Tell(api.Event{Type: "share", Peer: w.peer.String(), Text: neutral.Line(s.Host.Called(w.peer) + " cannot be told yet that a share is over: " + err.Error())})
			continue
		}
		if err := s.dropWithdrawal(context.WithoutCancel(ctx), w); err != nil {
			return err
		}
	}
	return nil
}

// tellLater tries again and again, until the node ends.
func (s *Shares) tellLater() {
	for wait := firstHold; ; wait = min(2*wait, lastHold) {
		select {
		case <-time.After(wait):
		case <-s.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(s.life, withdrawTime)
		err := s.tellHolders(ctx, func(withdrawal) bool { return true })
		cancel()
		if err != nil && s.life.Err() == nil {
			s.Host.Tell(api.Event{Type: "warning", Text: err.Error()})
		}
	}
}

// unheld ends what is not going on here: a share of an earlier node, so that its tickets are not good any more should it
// be shared again, and others hold it no more; or what this node holds itself. It tells whether there is such.
func (s *Shares) unheld(ctx context.Context, text string) (bool, error) {
	is := func(id share.ID, name string) bool {
		return name == text || len(text) >= 4 && strings.HasPrefix(id.String(), text)
	}
	for _, x := range s.holds.list() {
		if is(x.id(), "") {
			return true, s.holds.end(x.id(), peer.ID{})
		}
	}
	records, err := s.load(ctx)
	if err != nil {
		return false, err
	}
	was := false
	for _, r := range records {
		if r.Room == "" && is(r.ID, r.name()) {
			was, err = true, errors.Join(err, s.drop(ctx, r.ID), s.withdraw(ctx, r))
		}
	}
	return was, err
}
