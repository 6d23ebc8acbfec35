package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// A hold is a connection to the control socket over which a program has this node join the
// sockets of its clients to services of peers. What is held is each:
//
//	dial          adopt
//	----> dialing ----> parked ----> joined ----> ended
//	         |             |            ^
//	         `-------------+---- cut ---'  fetched: it is another connection's
type hold struct {
	n    *Node
	conn net.Conn
	life context.Context // of all that is held
	all  sync.WaitGroup

	wmu sync.Mutex // held by who writes

	mu   sync.Mutex // guards what follows
	ends map[uint64]*heldEnd
}

// A heldEnd is one of them.
type heldEnd struct {
	number uint64
	parked uint64 // in Node.held; 0 while it is being dialed
	life   context.Context
	cancel context.CancelCauseFunc
	count  join.Count
	told   api.Moved // of count; of the goroutine that tells
}

// errCut is what the peer is cut with when the program says so, or is gone.
var errCut = errors.New("the program that used it has ended it")

// serveHold holds what a program dials, until it ends the connection.
func (n *Node) serveHold(w http.ResponseWriter, r *http.Request) {
	if !wants(api.HoldProtocol, w, r) {
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, err)
		return
	}
	defer conn.Close() //nolint:errcheck // it is over
	files := newFileReader(conn)
	if files == nil || rw.Reader.Buffered() > 0 {
		io.WriteString(conn, "HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") //nolint:errcheck // the client is gone
		return
	}
	defer files.close()
	conn.SetDeadline(time.Time{}) //nolint:errcheck // then reading fails
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+api.HoldProtocol+"\r\n\r\n"); err != nil {
		return
	}
	life, cancel := context.WithCancelCause(n.life)
	h := &hold{n: n, conn: conn, life: life, ends: map[uint64]*heldEnd{}}
	defer h.all.Wait()
	defer cancel(errCut)
	defer context.AfterFunc(life, func() { conn.Close() })() //nolint:errcheck // it ends the loop below
	h.all.Go(h.tell)
	for d := json.NewDecoder(files); ; {
		var m api.HoldMessage
		if d.Decode(&m) != nil || !h.hear(m, files) {
			return
		}
	}
}

// hear does what the program says. If it says what it may not, that ends the connection.
func (h *hold) hear(m api.HoldMessage, files *fileReader) bool {
	h.mu.Lock()
	e := h.ends[m.Number]
	h.mu.Unlock()
	switch {
	case m.Dial != nil && e == nil:
		ctx, cancel := context.WithCancelCause(h.life)
		e = &heldEnd{number: m.Number, life: ctx, cancel: cancel}
		h.mu.Lock()
		h.ends[m.Number] = e
		h.mu.Unlock()
		h.all.Go(func() { h.dial(e, *m.Dial) })
	case m.Adopt != nil:
		near, err := files.next()
		if err != nil {
			return false
		}
		if e == nil { // it was cut meanwhile
			e = &heldEnd{number: m.Number}
		}
		h.all.Go(func() { h.adopt(e, near, *m.Adopt) })
	case m.Cut && e != nil:
		e.cancel(errCut)
	}
	return true
}

// say sends a message. One that is not sent ends the connection.
func (h *hold) say(m api.HoldMessage) {
	b, err := json.Marshal(m)
	if err == nil {
		h.wmu.Lock()
		defer h.wmu.Unlock()
		_, err = h.conn.Write(b)
	}
	if err != nil {
		h.conn.Close() //nolint:errcheck // it is lost
	}
}

func (h *hold) forget(e *heldEnd) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ends, e.number)
}

// dial opens a service and parks it.
func (h *hold) dial(e *heldEnd, r api.DialRequest) {
	c, err := h.n.Dial(e.life, r)
	if err != nil {
		h.forget(e)
		e.cancel(nil)
		refused, _ := api.ErrorOf(err)
		h.say(api.HoldMessage{Number: e.number, Error: refused})
		return
	}
	carries := api.Bytes
	if _, ok := c.(transport.MsgConn); ok {
		carries = api.Messages
	}
	id, _ := peer.Of(c)
	parked := h.n.held.put(c)
	h.mu.Lock()
	e.parked = parked
	h.mu.Unlock()
	// If nobody takes it, it ends with what it is held for.
	context.AfterFunc(e.life, func() {
		h.forget(e)
		if c := h.n.held.take(parked); c != nil {
			transport.Abort(c, context.Cause(e.life)) //nolint:errcheck // that is the reason
		}
	})
	h.say(api.HoldMessage{Number: e.number, Opened: &api.Opened{Held: parked, Carries: carries, Peer: id.String(), Name: neutral.Line(h.n.called(id))}})
}

// adopt joins what is parked to a socket. The joint goes on when it has returned.
func (h *hold) adopt(e *heldEnd, near transport.Conn, a api.Adoption) {
	h.mu.Lock()
	parked := e.parked
	h.mu.Unlock()
	c := h.n.held.take(parked)
	if c == nil {
		transport.Abort(near, errCut) //nolint:errcheck // there is nobody at the other side
		h.say(api.HoldMessage{Number: e.number, Ended: jointEnd(new(join.Result), errCut)})
		return
	}
	ends := [2]transport.Conn{near, c}
	if a.B {
		ends[0], ends[1] = c, near
	}
	h.all.Add(1)
	join.Start(e.life, ends[0], ends[1], join.Options{OneWay: a.OneWay, Idle: time.Duration(a.Idle), Linger: time.Duration(a.Linger),
		HalfClosed: time.Duration(a.HalfClosed), Count: &e.count, Engine: &h.n.engine}, func(r *join.Result, err error) {
		defer h.all.Done()
		h.ended(e, r, err)
	})
}

// ended tells how a joint has ended.
func (h *hold) ended(e *heldEnd, r *join.Result, err error) {
	h.forget(e)
	e.cancel(nil)
	h.say(api.HoldMessage{Number: e.number, Ended: jointEnd(r, err)})
}

// jointEnd is how a joint has ended, for the program.
func jointEnd(r *join.Result, err error) *api.JointEnd {
	end := &api.JointEnd{AB: flowEnd(&r.AB), BA: flowEnd(&r.BA)}
	if err == nil {
		return end
	}
	if at := (*join.Error)(nil); errors.As(err, &at) {
		end.Op, end.B, err = at.Op, at.Side == join.B, at.Err
	}
	switch {
	case errors.Is(err, join.ErrIdle):
		end.Why = api.Idle
	case errors.Is(err, join.ErrHalfClosed):
		end.Why = api.HalfClosed
	}
	if exit := (*transport.ExitError)(nil); errors.As(err, &exit) && exit.Remote {
		_, s := exit.CloseStatus()
		end.Exit = &api.Exit{Code: s.Code, Reason: s.Reason}
	}
	end.Error, _ = api.ErrorOf(transport.WithHint(transport.Cause(err), transport.Hint(err)))
	return end
}

func flowEnd(f *join.Flow) api.FlowEnd {
	end := api.FlowEnd{Bytes: f.Bytes, First: f.First}
	switch {
	case f.Read == io.EOF:
		end.Read = api.ReadEOF
	case errors.Is(f.Read, join.ErrLinger):
		end.Read = api.ReadLinger
	case f.Read != nil:
		end.Read = neutral.Line(transport.Cause(f.Read).Error())
	}
	if f.Write != nil {
		end.Write = neutral.Line(transport.Cause(f.Write).Error())
	}
	return end
}

// tellInterval is how often the program is told how much has moved.
const tellInterval = 500 * time.Millisecond

// tell tells it.
func (h *hold) tell() {
	tick := time.NewTicker(tellInterval)
	defer tick.Stop()
	for {
		select {
		case <-h.life.Done():
			return
		case <-tick.C:
		}
		var all []api.HoldMessage
		h.mu.Lock()
		for _, e := range h.ends {
			if now := (api.Moved{AB: e.count.AB.Load(), BA: e.count.BA.Load()}); now != e.told {
				e.told = now
				all = append(all, api.HoldMessage{Number: e.number, Moved: &now})
			}
		}
		h.mu.Unlock()
		for _, m := range all {
			h.say(m)
		}
	}
}

// serveFetch joins what is held to the connection.
func (n *Node) serveFetch(w http.ResponseWriter, r *http.Request) { n.fetch(w, r, &n.held, true) }
