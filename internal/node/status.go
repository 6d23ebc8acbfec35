package node

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Status tells how the node is.
func (n *Node) Status() api.Status {
	s := api.Status{Identity: n.Identity(), Version: n.config.Version, Dir: n.config.Dir,
		Passing: n.config.Passing, PID: os.Getpid(), Since: n.started, Addrs: n.addrs(), Joints: n.joints.count(peer.ID{}, ""),
		Pairing: n.waiting.Load() > 0, Links: n.links.list(n)}
	if n.configured.Load() {
		s.Config = n.config.ConfigFile
	}
	links := n.linksNow()
	if p, err := n.here(); err == nil {
		if r, ok := p.(Porter); ok {
			s.Ports = r.Ports()
		}
		if addr, when := twin(p); !when.IsZero() {
			s.Warnings = append(s.Warnings, neutral.Line(doubled(addr)+"; last seen "+when.Format(time.DateTime)))
		}
	}
	s.Mailbox = n.mailboxStatus()
	s.Hold = n.holdStatus()
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Relaying = n.settings.Network.Relay
	s.Relays = slices.Clone(n.settings.Network.Relays)
	s.Peers = len(n.facts.people)
	for id := range n.facts.people {
		if len(links[id]) > 0 {
			s.Online++
		}
	}
	names := n.serviceNames()
	s.Services = len(names)
	for name := range names {
		if slices.Contains(n.subjects(name), peer.Anyone) {
			s.Anyone = append(s.Anyone, string(name))
		}
	}
	slices.Sort(s.Anyone)
	for _, w := range n.warnings() {
		s.Warnings = append(s.Warnings, neutral.Line(w))
	}
	return s
}

// Joints lists what goes on, in the order in which it began.
func (n *Node) Joints() []api.Joint {
	links, now := n.linksNow(), time.Now()
	all := []api.Joint{}
	list := n.joints.list()
	slices.SortFunc(list, func(a, b *joint) int { return int(a.number) - int(b.number) })
	p, _ := n.here() //nolint:errcheck // then nothing is paused
	paused := map[*joint]time.Time{}
	if pauser, ok := p.(Pauser); ok {
		for _, j := range list {
			paused[j] = pauser.PausedSince(j.stream)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, j := range list {
		out := api.Joint{Number: j.number, Peer: j.peer.String(), Name: n.facts.call(j.peer), Service: string(j.service), Out: j.out,
			Path: api.State(j.link.Path), Addr: j.link.Addr, Since: j.since, Sent: j.count.BA.Load(), Got: j.count.AB.Load()}
		if !j.out {
			out.Right = j.right.String()
		}
		if l := links[j.peer]; len(l) > 0 {
			out.Path, out.Addr = api.State(l[0].Path), l[0].Addr
		} else {
			out.Path, out.Addr = api.Offline, ""
		}
		out.Paused = paused[j]
		if f := j.datagrams.Load(); f != nil {
			s := f.Status()
			out.Datagrams, out.Dropped = s.Datagrams, s.Dropped
		}
		out.SentPS, out.GotPS = j.rates(now)
		all = append(all, out)
	}
	return all
}

// Doctor looks at the network, and at the ways to a peer unless who is empty.
func (n *Node) Doctor(ctx context.Context, who string, step func(api.Step)) error {
	id := peer.ID{}
	if who != "" {
		n.mu.Lock()
		found, err := n.facts.find(who)
		n.mu.Unlock()
		if err != nil {
			return err
		}
		id = found
	}
	began := time.Now()
	err := n.db.Check(ctx)
	step(stepOf("the database", "", began, err, "put back a copy of "+n.config.Dir))
	p, err := n.here()
	if err != nil {
		step(stepOf("the network", "", began, err, "tenon log says what has happened"))
		return nil
	}
	if !id.IsZero() {
		err := n.access.Load().DecideOut(id)
		step(stepOf("the right to turn to "+n.called(id), "", time.Now(), err, "tenon pair"))
	}
	step(twinStep(p))
	if d, ok := p.(Doctor); ok {
		d.Explain(ctx, id, step)
	}
	if id.IsZero() {
		return nil
	}
	began = time.Now()
	s, a, err := n.ask(ctx, id, request{sort: askList}, nil)
	detail := ""
	if err == nil {
		s.Close() //nolint:errcheck // all is said
		for _, service := range a.list {
			if detail != "" {
				detail += ", "
			}
			detail += service.Name
		}
		if detail == "" {
			detail = "none"
		}
	}
	advice := "the steps above say where it fails"
	if errors.Is(err, transport.ErrDenied) {
		advice = transport.Hint(err)
	}
	step(stepOf("the services that "+n.called(id)+" lets this node use", detail, began, err, advice))
	return nil
}

func stepOf(what, detail string, began time.Time, err error, advice string) api.Step {
	s := api.Step{What: what, Detail: detail, Took: api.Duration(time.Since(began)), OK: err == nil}
	if err != nil {
		s.Error, s.Advice = neutral.Line(err.Error()), advice
	}
	return s
}
