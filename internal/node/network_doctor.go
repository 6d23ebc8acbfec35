package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/punch"
	"github.com/tenon-net/tenon/internal/peer/swarm"
	"github.com/tenon-net/tenon/transport"
)

// Why says why there is no direct way to a peer.
func (p *swarmPresence) Why(id peer.ID) string {
	report, ok := p.swarm.LastPunch(id)
	if !ok {
		for l := range p.swarm.Links() {
			if l.Peer == id && l.Path == peer.Relayed {
				return "a direct way is still looked for"
			}
		}
		return ""
	}
	return reasons(report) + "; tried " + time.Since(report.When).Round(time.Second).String() + " ago"
}

// reasons says in a line how an attempt to get through to a peer went.
func reasons(r swarm.PunchReport) string {
	var ways []string
	for w, mine := range r.Mine {
		if theirs := r.Theirs[w]; mine.Class != punch.Unknown || theirs != punch.Unknown {
			ways = append(ways, fmt.Sprintf("%v: %v here, %v there", punch.Way(w), mine.Class, theirs))
		}
	}
	text := strings.Join(ways, ", ")
	if r.Probes > 0 {
		text += fmt.Sprintf("; %d ports guessed", r.Probes)
	}
	if r.Error != nil {
		text += "; " + r.Error.Error()
	}
	return strings.TrimPrefix(text, "; ")
}

// advice says what to do if there is no direct way.
func advice(r swarm.PunchReport) string {
	hard := func(c punch.Class) bool { return c == punch.Hard || c == punch.Blocked }
	mine, theirs := r.Mine[punch.UDP4].Class, r.Theirs[punch.UDP4]
	switch {
	case hard(mine) && hard(theirs):
		return "no two such networks get through to each other; a port that the router of one side forwards does it, by UPnP or by hand"
	case mine == punch.Blocked || theirs == punch.Blocked:
		return "UDP does not get out of one of the networks; where it does, it is quicker"
	}
	return "it is tried again, and on every change of network"
}

// Explain looks at the network, and at the ways to a peer.
func (p *swarmPresence) Explain(ctx context.Context, id peer.ID, step func(api.Step)) {
	began := time.Now()
	addrs := p.swarm.Addrs()
	var err error
	if len(addrs) == 0 {
		err = errors.New("no address")
	}
	step(stepOf("addresses of this node", strings.Join(addrs, " "), began, err, "listen in tenon.toml says where to listen"))
	err = nil
	if p.lan == nil {
		err = errors.New("it is not looked at")
	}
	step(stepOf("the local network", "", began, err, "discovery in tenon.toml leaves it out, or another program has the port of mDNS"))
	p.explainRelays(ctx, step)
	p.explainNAT(ctx, step)
	if !id.IsZero() {
		p.explainPeer(ctx, id, step)
	}
}

func (p *swarmPresence) explainRelays(ctx context.Context, step func(api.Step)) {
	reserved := p.swarm.Reserved()
	for _, id := range p.relays {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := p.swarm.Connect(ctx, id)
		cancel()
		detail := "carries no streams to this node now"
		if slices.Contains(reserved, id) {
			detail = "carries streams to this node"
		}
		step(stepOf("relay "+id.Short(), detail, began, err, "is it running, and does this network let anything out?"))
	}
}

func (p *swarmPresence) explainNAT(ctx context.Context, step func(api.Step)) {
	began := time.Now()
	by, mapped, err := p.swarm.PortMapping()
	step(stepOf("ports that the router forwards", strings.TrimSpace(by+" "+strings.Join(mapped, " ")), began, err,
		"not needed; it makes direct ways certain. UPnP or NAT-PMP is switched on at the router"))
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began = time.Now()
	for w, v := range p.swarm.NATs(ctx) {
		if v.Class == punch.Unknown && len(v.Seen) == 0 {
			continue // nobody could be asked
		}
		step(stepOf(fmt.Sprintf("NAT over %v", punch.Way(w)), strings.TrimSpace(fmt.Sprintf("%v %s", v.Class, joined(v.Seen))), began, nil, ""))
	}
}

func joined(addrs []netip.AddrPort) string {
	var all []string
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return strings.Join(all, " ")
}

func (p *swarmPresence) explainPeer(ctx context.Context, id peer.ID, step func(api.Step)) {
	began := time.Now()
	bound, cancel := context.WithTimeout(ctx, swarm.OpenTimeout)
	_, err := p.around.try(bound, id, func() (transport.Stream, error) { return nil, p.swarm.Connect(bound, id) })
	cancel()
	direct := false
	var ways []string
	for l := range p.swarm.Links() {
		if l.Peer == id {
			direct = direct || l.Path == peer.Direct
			ways = append(ways, fmt.Sprintf("%s %s, %v there and back", l.Path, l.Addr, l.RTT.Round(time.Millisecond)))
		}
	}
	step(stepOf("a connection to the peer", strings.Join(ways, "; "), began, err, "is its node running, and is there a network or a relay that both have?"))
	if r, ok := p.swarm.LastPunch(id); ok {
		s := api.Step{What: "a direct way through the NATs", Detail: reasons(r), Took: api.Duration(r.Took), OK: direct || r.Error == nil}
		if !s.OK {
			s.Error, s.Advice = r.Error.Error(), advice(r)
		}
		step(s)
	}
}
