// Package serve opens what plans say and joins it: dialing through proxies and
// layers, trying again, listening behind limits, a joint for each client. Package
// tenon is its face; what may be opened, and that it is right, package plan has
// worked out before.
//
//   - dial.go opens from the wire inwards, in this fixed order: the kind itself, the
//     proxies of via, the PROXY protocol header, the layers, then what wrap.go puts on
//     every end. reconnect.go opens again what was lost.
//   - listen.go and gate.go let clients in: limits and filters first, then the layers.
//   - join.go joins two plans, as often as clients come; quick.go is its fast path.
package serve

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// An Opener opens plans. Its fields must not change after the first call; its
// methods may be called at the same time.
type Opener struct {
	Watch Watcher // nil means nobody

	// NoJoints says that nobody wants to hear of joints: Opened and Closed are
	// not called.
	NoJoints bool

	// Taps, if not nil, returns who else is told what passes between a and b.
	Taps func(joint uint64, a, b transport.Conn) []join.Tap

	joints atomic.Uint64

	mu    sync.Mutex // guards inUse
	inUse map[*plan.Plan]int
}

// A Watcher is told what happens, from several goroutines. What it is told about
// waits for it.
type Watcher interface {
	Listening(p *plan.Plan, at net.Addr, text string)
	Refused(p *plan.Plan, who net.Addr, err error) // who may be nil
	Down(p *plan.Plan, text string, err error)     // p cannot be opened, or was lost, and is tried again
	Up(p *plan.Plan, text string)
	Notice(end, text string)
	Opened(j *Joint)
	Closed(j *Joint, r *join.Result, err error)
}

// A Joint is what is told of one.
type Joint struct {
	Number uint64      // from 1
	Names  [2]string   // of its ends, without secrets
	Addr   net.Addr    // of the client, or of the second end
	Count  *join.Count // live
	Text   string      // what people should know of it
}

// watch returns who is told.
func (o *Opener) watch() Watcher {
	if o.Watch != nil {
		return o.Watch
	}
	return nobody{}
}

// tellsJoints tells whether anybody wants to hear of joints.
func (o *Opener) tellsJoints() bool { return o.Watch != nil && !o.NoJoints }

type nobody struct{}

func (nobody) Listening(*plan.Plan, net.Addr, string) {}
func (nobody) Refused(*plan.Plan, net.Addr, error)    {}
func (nobody) Down(*plan.Plan, string, error)         {}
func (nobody) Up(*plan.Plan, string)                  {}
func (nobody) Notice(string, string)                  {}
func (nobody) Opened(*Joint)                          {}
func (nobody) Closed(*Joint, *join.Result, error)     {}

// hold notes that p is in use, and so has files to reload, until release is called.
func (o *Opener) hold(p *plan.Plan) (release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inUse == nil {
		o.inUse = make(map[*plan.Plan]int)
	}
	o.inUse[p]++
	return sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.inUse[p]--; o.inUse[p] == 0 {
			delete(o.inUse, p)
		}
	})
}

// Reload has every end that is in use read its files again: certificates, keys, lists
// of users, passwords. If one of them fails, nothing changes at any of them.
func (o *Opener) Reload() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var commits []func()
	var errs []error
	for p := range o.inUse {
		commit, err := p.Reload()
		commits, errs = append(commits, commit), append(errs, transport.Failed("reload", p.Name(), err))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, commit := range commits {
		commit()
	}
	return nil
}
