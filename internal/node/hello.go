package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// helloProtocol is what paired nodes tell each other when they are connected anew: two
// bytes of length and a hello in JSON, each side once; docs/protocol/hello.md.
const helloProtocol = "/tenon/hello/1"

const maxHello = 32 << 10

// A hello is what a node says of itself to peers that it has paired with.
type hello struct {
	Name      string   `json:"name,omitempty"`
	Addrs     []string `json:"addrs,omitempty"`
	Relays    []string `json:"relays,omitempty"`
	Rotations [][]byte `json:"rotations,omitempty"`
}

// hello returns what this node says.
func (n *Node) hello() hello {
	addrs := n.addrs()
	n.mu.Lock()
	defer n.mu.Unlock()
	h := hello{Name: n.suggested(), Addrs: addrs[:min(len(addrs), maxAddrs)], Relays: n.settings.Network.Relays}
	for _, r := range n.identity.Rotations() {
		b, err := r.MarshalBinary()
		if err == nil {
			h.Rotations = append(h.Rotations, b)
		}
	}
	return h
}

func (h hello) write(s transport.Stream) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(b) > maxHello {
		return errors.New("too much to say")
	}
	_, err = s.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}

func readHello(s transport.Stream) (h hello, err error) {
	b, err := readBlock(s, maxHello)
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	return h, err
}

// greet tells a peer about this node, and hears about it. It returns once the peer has
// heard.
func (n *Node) greet(ctx context.Context, p peer.Network, id peer.ID) error {
	if !n.access.Load().Paired[id] {
		return nil // no business of a guest's
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	s, err := p.Open(ctx, id, helloProtocol)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // all is said
	defer context.AfterFunc(ctx, func() { transport.Abort(s, context.Cause(ctx)) })()
	if err := n.hello().write(s); err != nil {
		return err
	}
	h, err := readHello(s)
	if err == nil {
		n.learn(id, h)
	}
	return err
}

// hear is greet from the other side.
func (n *Node) hear(s transport.Stream) {
	id, ok := peer.Of(s)
	if !ok || !n.access.Load().Paired[id] || n.access.Load().Blocked[id] {
		transport.Abort(s, peer.ErrNotAdmitted) //nolint:errcheck // that is said
		return
	}
	leave, ok := n.limits.enter(id, false)
	if !ok {
		transport.Abort(s, errBusy) //nolint:errcheck // that is said
		return
	}
	defer leave()
	s.SetDeadline(time.Now().Add(requestTime)) //nolint:errcheck // then the calls fail, too
	h, err := readHello(s)
	if err != nil {
		transport.Abort(s, err) //nolint:errcheck // it has failed already
		return
	}
	n.hello().write(s)          //nolint:errcheck // the peer asks again
	n.learn(id, h)              // behind the answer: a peer with a new key is not let in any more with the old one
	transport.LingeringClose(s) //nolint:errcheck // all is said
}

// learn takes in what a peer has said.
func (n *Node) learn(id peer.ID, h hello) {
	addrs := mergeAddrs(append(slices.Clone(h.Addrs), h.Relays...), nil)
	n.addAddrs(id, addrs)
	n.remember(id, addrs)
	var statements []peer.Rotation
	for _, b := range h.Rotations[:min(len(h.Rotations), peer.MaxRotations)] {
		if r, err := peer.ParseRotation(b); err == nil {
			statements = append(statements, r)
		}
	}
	for _, r := range statements {
		if now, err := peer.Follow(r.Old, statements); err == nil {
			n.follow(r.Old, now)
		}
	}
	if said := neutral.Line(h.Name); len(said) <= 64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		if p := n.facts.people[id]; p != nil && p.said != said {
			if err := n.edit(context.WithoutCancel(n.life), id, func(p *person) { p.said = said }); err != nil {
				n.tell(api.Event{Type: "warning", Text: err.Error()})
			}
		}
	}
}
