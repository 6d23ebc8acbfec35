package node

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// accounts are the bytes that this node has relayed for peers. They are written to the
// database now and then, and at the end.
type accounts struct {
	mu      sync.Mutex // guards what follows
	day     int64      // since 1970
	today   map[peer.ID]int64
	unsaved map[account]int64
	limit   int64 // of a peer on one day; 0 = none
}

// An account is a peer on a day.
type account struct {
	day int64
	id  peer.ID
}

const (
	maxAccounts  = 10000 // peers on one day
	accountDays  = 31    // are kept
	accountEvery = 30 * time.Second
)

// errRelayLimit is why a relay cuts a circuit.
var errRelayLimit = transport.Mark(fmt.Errorf("the relay carries no more for this peer today"), transport.ErrDenied)

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// add accounts bytes, or refuses them. Those who are known have no limit.
func (a *accounts) add(id peer.ID, known bool, bytes int64, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if day := dayOf(now); day != a.day || a.today == nil {
		a.day, a.today = day, map[peer.ID]int64{}
	}
	if _, ok := a.today[id]; !known && (!ok && len(a.today) >= maxAccounts || a.limit > 0 && a.today[id]+bytes > a.limit) {
		return errRelayLimit
	}
	if a.unsaved == nil {
		a.unsaved = map[account]int64{}
	}
	a.today[id] += bytes
	a.unsaved[account{a.day, id}] += bytes
	return nil
}

// set sets the limit, which the settings were checked to have.
func (a *accounts) set(limit string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = 0
	if limit != "" {
		a.limit, _ = opt.ParseSize(limit) //nolint:errcheck // it was checked
	}
}

// relayed is told of all bytes that are relayed for a peer.
func (n *Node) relayed(id peer.ID, known bool, bytes int64) error {
	return n.accounts.add(id, known, bytes, time.Now())
}

// saveAccounts writes what has come since the last time.
func (n *Node) saveAccounts(ctx context.Context) error {
	a := &n.accounts
	a.mu.Lock()
	unsaved, today := a.unsaved, a.day
	a.unsaved = nil
	a.mu.Unlock()
	if len(unsaved) == 0 {
		return nil
	}
	return n.db.Update(ctx, func(tx *sql.Tx) error {
		for to, bytes := range unsaved {
			if _, err := tx.ExecContext(ctx, `INSERT INTO relayed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`,
				to.day, to.id.String(), bytes); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM relayed WHERE day <= ?`, today-accountDays)
		return err
	})
}

// loadAccounts reads what was relayed today before the node was started.
func (n *Node) loadAccounts(ctx context.Context, tx *sql.Tx) error {
	a := &n.accounts
	a.day, a.today = dayOf(time.Now()), map[peer.ID]int64{}
	return each(ctx, tx, `SELECT peer, bytes FROM relayed WHERE day = ?`, func(scan func(...any) error) error {
		var text string
		var bytes int64
		if err := scan(&text, &bytes); err != nil {
			return err
		}
		id, err := peer.ParseID(text)
		a.today[id] = bytes
		return err
	}, a.day)
}

// keepAccounts writes them now and then until the node ends.
func (n *Node) keepAccounts() {
	tick := time.NewTicker(accountEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
		case <-n.life.Done():
			open = false
		}
		if err := n.saveAccounts(context.WithoutCancel(n.life)); err != nil {
			n.tell(api.Event{Type: "warning", Text: "accounts of the relay: " + err.Error()})
		}
	}
}

// Relayed tells for whom this node has relayed how much, who has had most first.
func (n *Node) Relayed(ctx context.Context) ([]api.Account, error) {
	if err := n.saveAccounts(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []api.Account{}
	err := n.db.View(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, `SELECT peer, sum(bytes), sum(bytes * (day = ?)) FROM relayed GROUP BY peer`, func(scan func(...any) error) error {
			var r api.Account
			if err := scan(&r.Peer, &r.Month, &r.Today); err != nil {
				return err
			}
			id, err := peer.ParseID(r.Peer)
			r.Name = n.facts.call(id)
			all = append(all, r)
			return err
		}, dayOf(time.Now()))
	})
	slices.SortFunc(all, func(a, b api.Account) int { return cmp.Or(cmp.Compare(b.Month, a.Month), compare(a.Peer, b.Peer)) })
	return all, err
}
