package swarm

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/punch"
	"github.com/tenon-net/tenon/transport"
)

// A Step is one thing that was tried to reach a peer.
type Step struct {
	What   string // in a word or two: "relay", "dial", "this side's NAT"
	Detail string // an address, or what was found out
	Took   time.Duration
	Err    error // why it failed, or nil
}

// Explain tries everything that there is to reach a peer, one after the other, and tells
// how each goes. The links that come of it stay.
func (n *Network) Explain(ctx context.Context, to peer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		id, err := n.target(ctx, to)
		if err != nil {
			yield(Step{What: "admission", Err: err})
			return
		}
		for _, part := range []func(context.Context, lpeer.ID) iter.Seq[Step]{
			n.explainHere, n.explainRelays, n.explainThrough, n.explainAddrs, n.explainPunch, n.explainLinks,
		} {
			for s := range part(ctx, id) {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// timed makes a step of what f does.
func timed(what, detail string, f func() error) Step {
	begin := time.Now()
	err := f()
	return Step{what, detail, time.Since(begin), err}
}

// explainHere says what stands between this host and the others.
func (n *Network) explainHere(ctx context.Context, _ lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		if n.noPunch() {
			return
		}
		begin := time.Now()
		views := n.NATs(ctx)
		took := time.Since(begin)
		for way, v := range views {
			if v.Class == punch.Unknown && len(v.Seen) == 0 {
				continue
			}
			var seen []string
			for _, a := range v.Seen {
				seen = append(seen, a.String())
			}
			detail := fmt.Sprintf("%v: %v, seen at %s", punch.Way(way), v.Class, strings.Join(seen, " "))
			if !yield(Step{What: "this side's NAT", Detail: detail, Took: took}) {
				return
			}
		}
		if len(n.observers()) == 0 {
			yield(Step{What: "this side's NAT", Detail: "no relay is there to tell how others see this host"})
		}
	}
}

// explainRelays says which relays reach this host.
func (n *Network) explainRelays(ctx context.Context, to lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for _, relay := range n.relays {
			if relay.ID == to {
				continue
			}
			s := timed("relay", relay.ID.String(), func() error {
				l, err := n.linkTo(ctx, relay.ID)
				if err != nil {
					return n.blame(ctx, err)
				}
				return n.pingOnce(ctx, l)
			})
			if !yield(s) {
				return
			}
		}
	}
}

// explainAddrs dials every address of the peer that is known or found.
func (n *Network) explainAddrs(ctx context.Context, id lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		n.recall(id)
		if l := n.relayedOnly(id); l != nil {
			n.awaitIdentified(ctx, l.conn)
		}
		if n.tableOn.Load() && !yield(timed("search in the table", "", func() error { return n.lookUp(ctx, id) })) {
			return
		}
		tried := 0
		for _, a := range n.host.Peerstore().Addrs(id) {
			if overlayOf(a) == overRelay {
				continue
			}
			tried++
			if !yield(n.explainDial(ctx, "dial", id, a)) {
				return
			}
		}
		if tried == 0 {
			yield(Step{What: "dial", Detail: "no address of the peer is known"})
		}
	}
}

func (n *Network) explainDial(ctx context.Context, what string, id lpeer.ID, a ma.Multiaddr) Step {
	return timed(what, a.String(), func() error {
		ctx, cancel := context.WithTimeout(ctx, directDial)
		defer cancel()
		if err := n.dialAddr(ctx, id, a); err != nil {
			return err
		}
		n.awaitLinks(ctx, func() bool { return len(n.links.to(id)) > 0 })
		return nil
	})
}

// awaitLinks waits until ok, which is asked at each change of the links.
func (n *Network) awaitLinks(ctx context.Context, ok func() bool) bool {
	for {
		changed := n.LinksChanged()
		if ok() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// explainThrough dials the peer through every relay that is known.
func (n *Network) explainThrough(ctx context.Context, id lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		seen := map[lpeer.ID]bool{}
		for _, a := range append(n.throughRelays(id), n.host.Peerstore().Addrs(id)...) {
			if relay, ok := relayOf(a); ok && relay != "" && !seen[relay] {
				seen[relay] = true
				if !yield(n.explainDial(ctx, "through a relay", id, a)) {
					return
				}
			}
		}
	}
}

// explainPunching is how long an attempt to punch is waited for.
const explainPunching = 8 * time.Second

// explainPunch says how the last attempt to punch went.
func (n *Network) explainPunch(ctx context.Context, id lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		wait, cancel := context.WithTimeout(ctx, explainPunching)
		defer cancel()
		r, ok := n.LastPunch(n.whoIs(id))
		for !ok && n.relayedOnly(id) != nil && pause(wait) {
			r, ok = n.LastPunch(n.whoIs(id))
		}
		if !ok {
			return
		}
		var theirs []string
		for way, class := range r.Theirs {
			if class != punch.Unknown {
				theirs = append(theirs, fmt.Sprintf("%v: %v", punch.Way(way), class))
			}
		}
		detail := fmt.Sprintf("%v ago", time.Since(r.When).Round(time.Second))
		if len(theirs) > 0 {
			detail += "; the other side's NAT is " + strings.Join(theirs, ", ")
		}
		if r.Probes > 0 {
			detail += fmt.Sprintf("; %d ports were guessed", r.Probes)
		}
		yield(Step{What: "punching", Detail: detail, Took: r.Took, Err: r.Error})
	}
}

// explainLinks says what has come of it.
func (n *Network) explainLinks(ctx context.Context, id lpeer.ID) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		links := n.links.to(id)
		for _, l := range links {
			detail := fmt.Sprintf("%s, %s", l.path, l.conn.RemoteMultiaddr())
			if !yield(timed("link", detail, func() error { return n.pingOnce(ctx, l) })) {
				return
			}
		}
		if len(links) == 0 {
			yield(Step{What: "link", Err: peer.ErrUnreachable})
		}
	}
}

// pingOnce waits for the answer of a peer.
func (n *Network) pingOnce(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, pingMost)
	defer cancel()
	s, err := n.openOver(ctx, l, string(pingProtocol))
	if err != nil {
		return transport.Cause(err)
	}
	return s.Close()
}
