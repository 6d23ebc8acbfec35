package api

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Status tells how the node is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// ID tells who the node is.
func (c *Client) ID(ctx context.Context) (Identity, error) { return get[Identity](ctx, c, "/v1/id") }

// Rotate gives the node a new key, which the old one names as its successor.
func (c *Client) Rotate(ctx context.Context) (Identity, error) {
	return post[Identity](ctx, c, "/v1/rotate", nil)
}

// Peers lists all that the node knows, in the order of their names.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) { return get[[]Peer](ctx, c, "/v1/peers") }

// Rename calls a peer something else. A peer is named by its name or its ID.
func (c *Client) Rename(ctx context.Context, peer, name string) (Peer, error) {
	return post[Peer](ctx, c, peerPath(peer, "rename"), map[string]string{"name": name})
}

// Forget forgets a peer, all that was granted to it and all tickets of it, and cuts it off.
func (c *Client) Forget(ctx context.Context, peer string) error {
	return c.call(ctx, http.MethodDelete, peerPath(peer, ""), nil, nil)
}

// Block keeps a peer out, whatever it was granted, and cuts it off.
func (c *Client) Block(ctx context.Context, peer string) error {
	return c.call(ctx, http.MethodPost, peerPath(peer, "block"), nil, nil)
}

// Unblock takes a peer off the block list.
func (c *Client) Unblock(ctx context.Context, peer string) error {
	return c.call(ctx, http.MethodPost, peerPath(peer, "unblock"), nil, nil)
}

func peerPath(peer, verb string) string {
	p := "/v1/peers/" + segment(peer)
	if verb != "" {
		p += "/" + verb
	}
	return p
}

// PairOffer shows a code to pair by, and yields what happens until somebody has used
// it or it is of no use any more. The end of ctx, or of the loop, withdraws it.
func (c *Client) PairOffer(ctx context.Context, r PairRequest) iter.Seq2[PairEvent, error] {
	r.Code = ""
	return stream[PairEvent](ctx, c, http.MethodPost, "/v1/pair", r)
}

// PairJoin uses a code that somebody shows.
func (c *Client) PairJoin(ctx context.Context, r PairRequest) iter.Seq2[PairEvent, error] {
	return stream[PairEvent](ctx, c, http.MethodPost, "/v1/pair", r)
}

// Ticket makes a ticket.
func (c *Client) Ticket(ctx context.Context, r TicketRequest) (Ticket, error) {
	return post[Ticket](ctx, c, "/v1/tickets", r)
}

// Tickets lists the tickets that were given out, the latest first.
func (c *Client) Tickets(ctx context.Context) ([]Ticket, error) {
	return get[[]Ticket](ctx, c, "/v1/tickets")
}

// RevokeTicket ends a ticket, named by its serial or its text, and cuts who came by it.
func (c *Client) RevokeTicket(ctx context.Context, ticket string) (cut int, err error) {
	out, err := post[Granted](ctx, c, "/v1/tickets/revoke", map[string]string{"ticket": ticket})
	return out.Cut, err
}

// AddTicket keeps a ticket that somebody gave, and redeems it if its issuer is there.
// As is what to call the issuer, if it has no name yet; empty is what it suggests.
func (c *Client) AddTicket(ctx context.Context, ticket, as string) (Added, error) {
	return post[Added](ctx, c, "/v1/tickets/add", map[string]string{"ticket": ticket, "as": as})
}

// Services lists what the node offers.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	return get[[]Service](ctx, c, "/v1/services")
}

// PeerServices lists what a peer lets this node use.
func (c *Client) PeerServices(ctx context.Context, peer string) ([]RemoteService, error) {
	return get[[]RemoteService](ctx, c, peerPath(peer, "services"))
}

// Serve offers a service, until Unserve; one of the same name is replaced.
func (c *Client) Serve(ctx context.Context, r ServeRequest) (Service, error) {
	return post[Service](ctx, c, "/v1/services", r)
}

// Unserve ends a service and its joints.
func (c *Client) Unserve(ctx context.Context, name string) (cut int, err error) {
	var out Granted
	err = c.call(ctx, http.MethodDelete, "/v1/services/"+segment(name), nil, &out)
	return out.Cut, err
}

// Grant lets peers use a service.
func (c *Client) Grant(ctx context.Context, r GrantRequest) (Granted, error) {
	return post[Granted](ctx, c, "/v1/grant", r)
}

// Revoke takes a service from peers and cuts the joints that they have by it.
func (c *Client) Revoke(ctx context.Context, r GrantRequest) (Granted, error) {
	return post[Granted](ctx, c, "/v1/revoke", r)
}

// Joints lists what goes on now, in the order in which it began.
func (c *Client) Joints(ctx context.Context) ([]Joint, error) {
	return get[[]Joint](ctx, c, "/v1/joints")
}

// Events yields what has happened since the event with the number after, as far as
// it is kept, and what happens from then on if follow is true. After = 0 begins with
// the oldest that is kept. In place of those that are lost it yields one of the type
// [Gap]. Whoever loses the node goes on with the Seq of the last one.
func (c *Client) Events(ctx context.Context, after uint64, follow bool) iter.Seq2[Event, error] {
	path := "/v1/events?after=" + strconv.FormatUint(after, 10)
	if follow {
		path += "&follow=true"
	}
	return stream[Event](ctx, c, http.MethodGet, path, nil)
}

// Audit returns what is on record.
func (c *Client) Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	v := url.Values{}
	if q.From > 0 {
		v.Set("from", strconv.FormatInt(q.From, 10))
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	for k, s := range map[string]string{"peer": q.Peer, "service": q.Service} {
		if s != "" {
			v.Set(k, s)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[[]AuditEntry](ctx, c, "/v1/audit?"+v.Encode())
}

// Relayed tells for whom the node has relayed how much, who has had most first.
func (c *Client) Relayed(ctx context.Context) ([]Account, error) {
	return get[[]Account](ctx, c, "/v1/relayed")
}

// Doctor looks at the network, and at the ways to a peer unless peer is empty.
func (c *Client) Doctor(ctx context.Context, peer string) iter.Seq2[Step, error] {
	return stream[Step](ctx, c, http.MethodGet, "/v1/doctor?peer="+url.QueryEscape(peer), nil)
}

// Metrics returns the metrics in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	resp, err := c.request(ctx, http.MethodGet, "/metrics", nil, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return string(b), err
}

// Reload reads the configuration again. If there is a mistake in it, nothing changes.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	return post[Reloaded](ctx, c, "/v1/reload", nil)
}

// Down ends the node. It returns when the node is gone, or ctx is done.
func (c *Client) Down(ctx context.Context) error {
	resp, err := c.request(ctx, http.MethodPost, "/v1/down", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()                                   //nolint:errcheck // it was only read
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) //nolint:errcheck // the node keeps it open until it is gone
	return context.Cause(ctx)
}
