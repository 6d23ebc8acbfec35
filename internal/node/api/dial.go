package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/tenon-net/tenon/transport"
)

// Headers of an upgraded connection.
const (
	HeaderCarries = "Tenon-Carries" // a [Carries]
	HeaderPeer    = "Tenon-Peer"    // the ID of the peer
	HeaderName    = "Tenon-Name"    // its name, or its short ID, and the service: "alice/db"
	HeaderStatus  = "Tenon-Status"  // 1 = close statuses are carried; both sides send it
)

// Dial opens a service of a peer. What it returns is a [*Stream] or a [*MsgConn],
// as the service has it.
func (c *Client) Dial(ctx context.Context, r DialRequest) (transport.Conn, error) {
	return c.upgrade(ctx, "/v1/dial", r, false)
}

// upgrade asks for a connection that carries an end: of who uses a service, or offers it.
func (c *Client) upgrade(ctx context.Context, path string, in any, offers bool) (transport.Conn, error) {
	conn, read, h, err := c.switchTo(ctx, Protocol, path, in)
	if err != nil {
		return nil, err
	}
	return opened(conn, read, h, offers), nil
}

// switchTo asks for a connection that speaks another protocol from then on.
func (c *Client) switchTo(ctx context.Context, protocol, path string, in any) (net.Conn, *bufio.Reader, http.Header, error) {
	body, err := marshal(in)
	if err != nil {
		return nil, nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://tenon"+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, nil, err
	}
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {protocol}, "Content-Type": {"application/json"}, HeaderStatus: {"1"}}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // it ends what is being waited for
	read := bufio.NewReaderSize(conn, 4<<10)
	resp, err := exchange(conn, read, req)
	if !stop() {
		conn.Close() //nolint:errcheck // it is closed already, or about to be
		return nil, nil, nil, context.Cause(ctx)
	}
	if err != nil {
		conn.Close() //nolint:errcheck // there is an error already
		return nil, nil, nil, err
	}
	return conn, read, resp.Header, nil
}

// exchange sends the request and reads the answer, which must be that the protocol is switched.
func exchange(conn net.Conn, in *bufio.Reader, req *http.Request) (*http.Response, error) {
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close() //nolint:errcheck // it was only read
		return nil, readError(resp)
	}
	return resp, nil
}

// opened makes an end of an upgraded connection.
func opened(conn net.Conn, in *bufio.Reader, h http.Header, offers bool) transport.Conn {
	remote := transport.Addr{Net: "peer", Name: h.Get(HeaderName)}
	if remote.Name == "" {
		remote.Name = "peer"
	}
	info := &transport.Info{Kind: "peer", Peer: h.Get(HeaderPeer)}
	c := Frames(conn, in, Carries(h.Get(HeaderCarries)), info, transport.Addr{Net: "peer", Name: "me"}, remote)
	e := whole(c)
	if h.Get(HeaderStatus) != "" {
		e.KnowsStatus(offers)
	}
	e.reports = !offers
	return c
}

// An Arrival is somebody who wants to use an offered service.
type Arrival struct {
	Number  uint64 `json:"number,omitempty"`  // 0 in the first one, which says that the offer stands
	Offer   string `json:"offer,omitempty"`   // its name, in the first one
	Address string `json:"address,omitempty"` // what others type, in the first one
}

// An offer is a service that lives until Close.
type offer struct {
	client *Client
	name   string
	addr   transport.Addr
	cancel context.CancelFunc

	ready chan arrived
	done  chan struct{} // closed when there is nothing more to come
	err   error         // why, once done is closed
	once  sync.Once
	all   sync.WaitGroup
}

type arrived struct {
	conn transport.Conn
	err  error
}

// Offer offers a service for as long as the Acceptor is open. Its address is what others
// type: "alice/web", if they call this node alice. The context bounds the call only.
func (c *Client) Offer(ctx context.Context, r OfferRequest) (transport.Acceptor, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	resp, err := c.request(life, http.MethodPost, "/v1/offer", r, http.Header{"Accept": {"text/event-stream"}})
	o := &offer{client: c, cancel: cancel, ready: make(chan arrived), done: make(chan struct{})}
	if err != nil {
		cancel()
		if !stop() {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	first := make(chan error, 1)
	o.all.Go(func() { o.run(life, resp, first) })
	err = <-first
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		o.Close() //nolint:errcheck // there is an error already
		return nil, err
	}
	return o, nil
}

// run takes arrivals, until the offer ends.
func (o *offer) run(ctx context.Context, resp *http.Response, first chan<- error) {
	defer close(o.done)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	for e, err := range readEvents(resp.Body) {
		var a Arrival
		switch failed := new(Error); {
		case err != nil:
			o.err = err
		case e.name == "error":
			if o.err = json.Unmarshal(e.data, failed); o.err == nil {
				o.err = failed.hinted()
			}
		default:
			o.err = json.Unmarshal(e.data, &a)
		}
		switch {
		case o.err != nil:
			if first != nil {
				first <- o.err
			}
			return
		case first != nil:
			o.name, o.addr = a.Offer, transport.Addr{Net: "peer", Name: a.Address}
			first <- nil
			first = nil
		default:
			o.all.Go(func() { o.take(ctx, a.Number) })
		}
	}
	if first != nil {
		first <- errors.New("the node has not said that the offer stands")
	}
}

// take fetches the end of an arrival.
func (o *offer) take(ctx context.Context, number uint64) {
	c, err := o.client.upgrade(ctx, fmt.Sprintf("/v1/offer/%s/%d", segment(o.name), number), struct{}{}, true)
	if errors.Is(err, ErrNotFound) {
		return // whoever it was has not waited
	}
	select {
	case o.ready <- arrived{c, err}:
	case <-ctx.Done():
		if c != nil {
			c.Close() //nolint:errcheck // nobody has seen it
		}
	}
}

// Accept returns the next client.
func (o *offer) Accept() (transport.Conn, error) {
	select {
	case a := <-o.ready:
		return a.conn, a.err
	case <-o.done:
		if o.err != nil {
			return nil, fmt.Errorf("%w: %w", net.ErrClosed, o.err)
		}
		return nil, net.ErrClosed
	}
}

// Addr returns what others type.
func (o *offer) Addr() net.Addr { return o.addr }

// Close ends the offer; accepted ends live on.
func (o *offer) Close() error {
	o.once.Do(o.cancel)
	o.all.Wait()
	return nil
}
