package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// serveDial opens a service of a peer and joins it to the connection.
func (n *Node) serveDial(w http.ResponseWriter, r *http.Request) {
	var in api.DialRequest
	if err := read(r, &in); err != nil {
		fail(w, err)
		return
	}
	if !wants(api.Protocol, w, r) {
		return
	}
	c, err := n.Dial(r.Context(), in)
	if err != nil {
		fail(w, err)
		return
	}
	n.upgrade(w, r, c, true)
}

// wants tells whether the client is ready to go on with a protocol.
func wants(protocol string, w http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body) //nolint:errcheck // what is left of it would be taken for a frame
	if strings.EqualFold(r.Header.Get("Upgrade"), protocol) {
		return true
	}
	w.Header().Set("Upgrade", protocol)
	write(w, http.StatusUpgradeRequired, &api.Error{Code: "usage", Message: "this needs Upgrade: " + protocol})
	return false
}

// upgrade joins c to the connection of the request, and returns when both have ended. It was
// dialed, or else it has arrived at an offer of the program.
func (n *Node) upgrade(w http.ResponseWriter, r *http.Request, c transport.Conn, dialed bool) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		transport.Abort(c, err) //nolint:errcheck // err is what counts
		fail(w, err)
		return
	}
	conn.SetDeadline(time.Time{}) //nolint:errcheck // then the joint fails
	carries := api.Bytes
	if _, ok := c.(transport.MsgConn); ok {
		carries = api.Messages
	}
	id, _ := peer.Of(c)
	head := fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: %s\r\n%s: %s\r\n%s: %s\r\n%s: 1\r\n\r\n",
		api.Protocol, api.HeaderCarries, carries, api.HeaderPeer, id, api.HeaderName, neutral.Line(n.called(id)), api.HeaderStatus)
	if _, err := conn.Write([]byte(head)); err != nil {
		transport.Abort(c, err) //nolint:errcheck // err is what counts
		conn.Close()            //nolint:errcheck // it is lost
		return
	}
	var in *bufio.Reader
	if rw.Reader.Buffered() > 0 {
		in = rw.Reader
	}
	addr := transport.Addr{Net: "unix", Name: "control socket"}
	near := api.Frames(conn, in, carries, &transport.Info{Kind: "control"}, addr, addr)
	if r.Header.Get(api.HeaderStatus) != "" {
		near.(statusKnower).KnowsStatus(dialed) //nolint:forcetypeassert // Frames makes nothing else
	}
	following := []func(){followSize(near, c), followSize(c, near)}
	join.Join(n.life, near, c, join.Options{}) //nolint:errcheck // both sides see how it ends
	for _, wait := range following {
		wait()
	}
}

// offers are those whose clients are accepted through the control API.
type offers struct {
	mu  sync.Mutex // guards all
	all map[string]*remoteOffer
}

// A remoteOffer is an offer of a program, and those who have arrived and were not
// fetched yet.
type remoteOffer struct {
	mu      sync.Mutex // guards what follows
	last    uint64
	waiting map[uint64]transport.Conn
}

// put notes an arrival.
func (o *remoteOffer) put(c transport.Conn) (number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	if o.waiting == nil {
		o.waiting = map[uint64]transport.Conn{}
	}
	o.waiting[o.last] = c
	return o.last
}

// take returns an arrival, once.
func (o *remoteOffer) take(number uint64) transport.Conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.waiting[number]
	delete(o.waiting, number)
	return c
}

// serveOffer offers a service for as long as the client reads who arrives.
func (n *Node) serveOffer(w http.ResponseWriter, r *http.Request) {
	var in api.OfferRequest
	if err := read(r, &in); err != nil {
		fail(w, err)
		return
	}
	acc, err := n.Offer(r.Context(), in)
	if err != nil {
		fail(w, err)
		return
	}
	defer acc.Close() //nolint:errcheck // it returns nil
	defer context.AfterFunc(r.Context(), func() { acc.Close() })()
	o := new(remoteOffer)
	name := acc.Addr().String()
	n.offers.mu.Lock()
	if n.offers.all == nil {
		n.offers.all = map[string]*remoteOffer{}
	}
	n.offers.all[name] = o
	n.offers.mu.Unlock()
	defer func() {
		n.offers.mu.Lock()
		delete(n.offers.all, name)
		n.offers.mu.Unlock()
		for number := range o.last {
			if c := o.take(number + 1); c != nil {
				transport.Abort(c, errUnserved) //nolint:errcheck // nobody has fetched it
			}
		}
	}()
	e := api.NewEventWriter(w)
	if e.Send("", api.Arrival{Offer: name, Address: n.suggested() + "/" + name}) != nil {
		return
	}
	for {
		c, err := acc.Accept()
		if err != nil {
			e.End(nil) //nolint:errcheck // the client is gone
			return
		}
		number := o.put(c)
		time.AfterFunc(arrivalTime, func() {
			if c := o.take(number); c != nil {
				transport.Abort(c, errIgnored) //nolint:errcheck // nobody has fetched it
			}
		})
		if e.Send("", api.Arrival{Number: number}) != nil {
			return
		}
	}
}

// serveAccept joins an arrival to the connection.
func (n *Node) serveAccept(w http.ResponseWriter, r *http.Request) {
	n.offers.mu.Lock()
	o := n.offers.all[r.PathValue("service")]
	n.offers.mu.Unlock()
	n.fetch(w, r, o, false)
}

// fetch joins who waits at o to the connection.
func (n *Node) fetch(w http.ResponseWriter, r *http.Request, o *remoteOffer, dialed bool) {
	if !wants(api.Protocol, w, r) {
		return
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err == nil && o != nil {
		if c := o.take(number); c != nil {
			n.upgrade(w, r, c, dialed)
			return
		}
	}
	fail(w, transport.Mark(errors.New("nobody waits there"), api.ErrNotFound))
}
