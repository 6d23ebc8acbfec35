package node

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/store"
)

// The audit log is written behind what it is about, many entries at once, so that a
// joint does not wait for the disk; but no more than maxUnwritten are behind, and
// whoever wants to add another waits.
const (
	maxUnwritten = 1024
	maxAudit     = 1000000 // entries kept, the latest
	trimEvery    = 10000
	auditWindow  = 200 * time.Millisecond
)

// An entry is a line of the audit log.
type entry struct {
	time                       time.Time
	event, joint               string
	peer, name, service, right string
	path, addr                 string
	took                       time.Duration
	sent, got                  int64
	outcome                    string
}

type audit struct {
	db     *store.DB
	added  atomic.Int64
	wake   chan struct{} // has a value when run is to look at what follows
	flushs chan chan struct{}
	ended  chan struct{} // closed when run has returned

	written int // by run

	mu     sync.Mutex // guards what follows
	queue  []entry    // not written yet
	room   sync.Cond  // of mu: the queue is not full any more
	closed bool
	fault  error // why entries could not be written
}

func newAudit(db *store.DB) *audit {
	a := &audit{db: db, wake: make(chan struct{}, 1), flushs: make(chan chan struct{}), ended: make(chan struct{})}
	a.room.L = &a.mu
	return a
}

// add adds an entry. What is in it from others is made harmless.
func (a *audit) add(e entry) {
	if e.time.IsZero() {
		e.time = time.Now()
	}
	for _, s := range []*string{&e.peer, &e.name, &e.service, &e.right, &e.path, &e.addr, &e.outcome} {
		*s = neutral.Line(*s)
		*s = (*s)[:min(len(*s), 512)]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) >= maxUnwritten && !a.closed {
		a.room.Wait()
	}
	if a.closed {
		return
	}
	a.added.Add(1)
	a.queue = append(a.queue, e)
	if len(a.queue) == 1 || len(a.queue) == maxUnwritten {
		a.look()
	}
}

// look has run look at the queue.
func (a *audit) look() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// close writes what there is, and ends run.
func (a *audit) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.room.Broadcast()
	a.look()
}

// run writes entries until close: those that have come within auditWindow together. It
// is woken by the first of them and not by each.
func (a *audit) run() {
	defer close(a.ended)
	window := time.NewTimer(auditWindow)
	window.Stop()
	for {
		var told chan struct{}
		select {
		case <-a.wake:
			if a.mayWait() {
				window.Reset(auditWindow)
				continue
			}
		case <-window.C:
		case told = <-a.flushs:
		}
		window.Stop()
		batch, over := a.take()
		if len(batch) > 0 {
			err := a.write(merge(batch))
			a.mu.Lock()
			a.fault = err
			a.mu.Unlock()
		}
		if told != nil {
			close(told)
		}
		if over {
			return
		}
	}
}

func (a *audit) mayWait() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue) < maxUnwritten && !a.closed
}

// take empties the queue. It tells whether nothing more will be in it.
func (a *audit) take() (batch []entry, over bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch, a.queue = a.queue, nil
	a.room.Broadcast()
	return batch, a.closed
}

// merge makes one entry of the beginning and the end of a joint, if both are there.
func merge(batch []entry) []entry {
	begun := map[string]int{}
	kept := batch[:0]
	for _, e := range batch {
		if i, ok := begun[e.joint]; ok && e.event == "end" {
			kept[i].took, kept[i].sent, kept[i].got, kept[i].outcome = e.took, e.sent, e.got, e.outcome
			continue
		}
		if e.joint != "" && e.event != "end" {
			begun[e.joint] = len(kept)
		}
		kept = append(kept, e)
	}
	return kept
}

// failure returns why the log could not be written lately.
func (a *audit) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fault
}

// insertRows is how many entries one statement writes: most of the time goes into
// statements, not rows.
const insertRows = 16

func (a *audit) write(batch []entry) error {
	ctx := context.Background()
	trim := (a.written+len(batch))/trimEvery > a.written/trimEvery
	a.written += len(batch)
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		for rows := range slices.Chunk(batch, insertRows) {
			args := make([]any, 0, 13*len(rows))
			for _, e := range rows {
				args = append(args, e.time.UnixMicro(), e.event, e.joint, e.peer, e.name, e.service, e.right,
					e.path, e.addr, e.took.Microseconds(), e.sent, e.got, e.outcome)
			}
			values := strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(rows))[2:]
			if _, err := tx.ExecContext(ctx, `INSERT INTO audit
				(time, event, joint, peer, name, service, grounds, path, addr, took, sent, got, outcome) VALUES `+values, args...); err != nil {
				return err
			}
		}
		if !trim {
			return nil
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE n <= (SELECT max(n) FROM audit) - ?`, maxAudit)
		return err
	})
}

// flush returns when all that was added before is written.
func (a *audit) flush(ctx context.Context) {
	told := make(chan struct{})
	select {
	case a.flushs <- told:
		<-told
	case <-a.ended:
	case <-ctx.Done():
	}
}

// Audit returns what is on record.
func (n *Node) Audit(ctx context.Context, q api.AuditQuery) ([]api.AuditEntry, error) {
	id := ""
	if q.Peer != "" {
		n.mu.Lock()
		found, err := n.facts.find(q.Peer)
		n.mu.Unlock()
		if err != nil {
			return nil, err
		}
		id = found.String()
	}
	if q.Limit <= 0 || q.Limit > 10000 {
		q.Limit = 100
	}
	order := "DESC"
	if q.From > 0 {
		order = "ASC"
	}
	n.audit.flush(ctx)
	out := []api.AuditEntry{}
	err := n.db.View(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, `SELECT a.n, a.time, a.event, a.peer, a.name, a.service, a.grounds, a.path, a.addr,
				coalesce(e.took, a.took), coalesce(e.sent, a.sent), coalesce(e.got, a.got), coalesce(e.outcome, a.outcome)
			FROM audit AS a LEFT JOIN audit AS e ON a.joint <> '' AND e.joint = a.joint AND e.event = 'end'
			WHERE a.event <> 'end' AND a.n >= ? AND a.time >= ? AND (? = '' OR a.peer = ?) AND (? = '' OR a.service = ?)
			ORDER BY a.n `+order+` LIMIT ?`, func(scan func(...any) error) error {
			var e api.AuditEntry
			var at, took int64
			err := scan(&e.Number, &at, &e.Event, &e.Peer, &e.Name, &e.Service, &e.Right, &e.Path, &e.Addr, &took, &e.Sent, &e.Got, &e.End)
			e.Time, e.Took = time.UnixMicro(at).UTC(), api.Duration(time.Duration(took)*time.Microsecond)
			out = append(out, e)
			return err
		}, q.From, max(q.Since.UnixMicro(), 0), id, id, q.Service, q.Service, q.Limit)
	})
	return out, err
}
