package node

import (
	"context"
	"database/sql"
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
	queue  chan entry
	added  atomic.Int64
	flushs chan chan struct{}
	ended  chan struct{} // closed when run has returned

	mu     sync.RWMutex // guards closed; held for reading while the queue is written to
	closed bool
	fault  error // why entries could not be written
	fmu    sync.Mutex
}

func newAudit(db *store.DB) *audit {
	return &audit{db: db, queue: make(chan entry, maxUnwritten), flushs: make(chan chan struct{}), ended: make(chan struct{})}
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
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.closed {
		a.added.Add(1)
		a.queue <- e
	}
}

// close writes what there is, and ends run.
func (a *audit) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		close(a.queue)
	}
}

// run writes entries until close.
func (a *audit) run() {
	defer close(a.ended)
	written := 0
	for {
		var batch []entry
		var told chan struct{}
		open := true
		select {
		case e, ok := <-a.queue:
			if open = ok; ok {
				batch = append(batch, e)
			}
		case told = <-a.flushs:
		}
		for more := open; more; {
			select {
			case e, ok := <-a.queue:
				if open = ok; ok {
					batch = append(batch, e)
				}
				more = ok && len(batch) < maxUnwritten
			default:
				more = false
			}
		}
		if len(batch) > 0 {
			err := a.write(batch, (written+len(batch))/trimEvery > written/trimEvery)
			a.fmu.Lock()
			a.fault = err
			a.fmu.Unlock()
			written += len(batch)
		}
		if told != nil {
			close(told)
		}
		if !open {
			return
		}
	}
}

// failure returns why the log could not be written lately.
func (a *audit) failure() error {
	a.fmu.Lock()
	defer a.fmu.Unlock()
	return a.fault
}

func (a *audit) write(batch []entry, trim bool) error {
	ctx := context.Background()
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO audit
			(time, event, joint, peer, name, service, grounds, path, addr, took, sent, got, outcome)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close() //nolint:errcheck // the transaction tells
		for _, e := range batch {
			if _, err := insert.ExecContext(ctx, e.time.UnixMicro(), e.event, e.joint, e.peer, e.name, e.service, e.right,
				e.path, e.addr, e.took.Microseconds(), e.sent, e.got, e.outcome); err != nil {
				return err
			}
		}
		if trim {
			_, err = tx.ExecContext(ctx, `DELETE FROM audit WHERE n <= (SELECT max(n) FROM audit) - ?`, maxAudit)
		}
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

// Audit returns what is on record, the latest first.
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
	n.audit.flush(ctx)
	out := []api.AuditEntry{}
	err := n.db.View(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, `SELECT a.n, a.time, a.event, a.peer, a.name, a.service, a.grounds, a.path, a.addr,
				coalesce(e.took, a.took), coalesce(e.sent, a.sent), coalesce(e.got, a.got), coalesce(e.outcome, a.outcome)
			FROM audit AS a LEFT JOIN audit AS e ON a.joint <> '' AND e.joint = a.joint AND e.event = 'end'
			WHERE a.event <> 'end' AND a.time >= ? AND (? = '' OR a.peer = ?) AND (? = '' OR a.service = ?)
			ORDER BY a.n DESC LIMIT ?`, func(scan func(...any) error) error {
			var e api.AuditEntry
			var at, took int64
			err := scan(&e.Number, &at, &e.Event, &e.Peer, &e.Name, &e.Service, &e.Right, &e.Path, &e.Addr, &took, &e.Sent, &e.Got, &e.End)
			e.Time, e.Took = time.UnixMicro(at).UTC(), api.Duration(time.Duration(took)*time.Microsecond)
			out = append(out, e)
			return err
		}, max(q.Since.UnixMicro(), 0), id, id, q.Service, q.Service, q.Limit)
	})
	return out, err
}
