// Package node makes a program a peer: it dials services of other peers by name,
// wherever they are, and offers its own, and nobody else gets in.
//
//	var n node.Node
//	defer n.Close()
//	conn, err := n.Dial(ctx, "alice/db")     // a net.Conn
//	l, err := n.Listen("web")                // a net.Listener, for http.Serve
//
// Whoever may use what is offered is said by grants, which people make with the program
// tenon (tenon pair, tenon grant), or by [Offer.To].
//
// If a node runs already with the same directory, as tenon up does, this package goes
// through it: there is one identity and one presence. Else it starts a node in this
// process, which ends with [Node.Close].
//
// Importing this package links libp2p and SQLite. Whoever does not want that for ends
// that are no peers uses package tenon alone.
package node

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Node is this program among peers. The zero Node has the user's identity. Its fields
// must not change after the first call; its methods may be called at the same time. It
// must not be copied.
type Node struct {
	// Dir is where the identity is, and all that is known of peers. "" means
	// $TENON_DIR, or $XDG_STATE_HOME/tenon, as for the program tenon.
	Dir string

	// Name is what the node suggests to be called, if it is started here; "" means the
	// name of the machine.
	Name string

	// Relays are multiaddrs of relays to use, and ListenOn those where to listen, if the
	// node is started here.
	Relays, ListenOn []string

	mu     sync.Mutex // guards what follows; held while the node is looked for or started
	via    ends.Via
	client *api.Client
	local  *node.Node
	closed bool
}

// Dir returns the directory of a Node whose Dir is "".
func Dir() (string, error) {
	if dir := os.Getenv("TENON_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tenon"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "tenon"), nil
}

// open returns the way to the node, which it looks for or starts at the first call.
func (n *Node) open(ctx context.Context) (ends.Via, *api.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, nil, net.ErrClosed
	}
	if n.via != nil {
		return n.via, n.client, nil
	}
	dir := n.Dir
	if dir == "" {
		var err error
		if dir, err = Dir(); err != nil {
			return nil, nil, err
		}
	}
	var local *node.Node
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		client, err := api.Dial(dir)
		if err == nil {
			n.via, n.client = client, client
			return n.via, n.client, nil
		}
		if !errors.Is(err, api.ErrNotRunning) {
			return nil, nil, err
		}
		local, err = node.New(ctx, node.Config{Dir: dir, Name: n.Name, Network: node.Connect,
			Flags: node.Settings{Network: node.Network{Relays: n.Relays, Listen: n.ListenOn}}})
		if err == nil {
			break
		}
		// Who has the identity may have begun just now, and have no socket yet.
		if !errors.As(err, new(*peer.LockedError)) || wait > time.Second {
			return nil, nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	// Others of the same user go through this one.
	if err := local.Listen(ctx); err != nil {
		return nil, nil, errors.Join(err, local.Close())
	}
	n.local, n.via, n.client = local, local, local.Client()
	return n.via, n.client, nil
}

// ID returns who the node is: the text that others know it by.
func (n *Node) ID(ctx context.Context) (string, error) {
	_, c, err := n.open(ctx)
	if err != nil {
		return "", err
	}
	id, err := c.ID(ctx)
	return id.ID, err
}

// Dial opens a service of a peer: "alice/db", with the name that this user has for the
// peer, or its ID; or a ticket. The net.Conn is a [transport.Stream]: it has CloseWrite.
// A service that carries messages is made a stream of; see [tenon.StreamOf], and Open.
func (n *Node) Dial(ctx context.Context, to string) (net.Conn, error) {
	c, err := n.Open(ctx, to)
	if err != nil {
		return nil, err
	}
	return tenon.StreamOf(c), nil
}

// Open is Dial without a change: a [transport.Stream] or a [transport.MsgConn], as the
// service is.
func (n *Node) Open(ctx context.Context, to string) (transport.Conn, error) {
	via, _, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	return via.Dial(ctx, api.DialRequest{To: to})
}

// An Offer is how a service is offered. The zero Offer lets those use it to whom it is
// granted, and carries bytes.
type Offer struct {
	To       []string // peers who may use it: names, IDs, or "paired" for all that are
	Anyone   bool     // everybody may use it, also those who are not known
	Messages bool     // it carries messages

	// Datagrams is Messages that may be lost or overtake each other, as those of UDP: none
	// waits behind one that was lost, where the way to the peer is QUIC.
	Datagrams bool
}

// Listen offers a service for as long as the Listener is open. Who connects is told by
// [transport.Info.Peer] of the connection, which is a [transport.Conn].
func (n *Node) Listen(service string) (net.Listener, error) {
	return n.ListenFor(context.Background(), service, Offer{})
}

// ListenFor is Listen with a context, which bounds the call, and an Offer.
func (n *Node) ListenFor(ctx context.Context, service string, o Offer) (net.Listener, error) {
	acc, err := n.Accept(ctx, service, o)
	if err != nil {
		return nil, err
	}
	return tenon.NetListener(acc), nil
}

// Accept is ListenFor for those who want to know what they accept: a [transport.Stream]
// or a [transport.MsgConn].
func (n *Node) Accept(ctx context.Context, service string, o Offer) (transport.Acceptor, error) {
	via, _, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	r := api.OfferRequest{Service: service, To: o.To, Anyone: o.Anyone}
	switch {
	case o.Datagrams:
		r.Carries = api.Datagrams
	case o.Messages:
		r.Carries = api.Messages
	}
	return via.Offer(ctx, r)
}

// A Peer is somebody this node knows.
type Peer struct {
	ID    string
	Name  string // what this user calls it
	Path  string // how it is reached now: "direct", "relayed" or "offline"
	Addr  string // where, if it is reached
	RTT   time.Duration
	Since time.Time // when the way came up
}

// Peers lists those that are known, in the order of their names.
func (n *Node) Peers(ctx context.Context) ([]Peer, error) {
	_, c, err := n.open(ctx)
	if err != nil {
		return nil, err
	}
	peers, err := c.Peers(ctx)
	all := make([]Peer, 0, len(peers))
	for _, p := range peers {
		all = append(all, Peer{p.ID, p.Name, string(p.State), p.Addr, time.Duration(p.RTT), p.Since})
	}
	return all, err
}

// Kinds returns the kinds peer and peer-listen, for the Kinds of a [tenon.Opener], so
// that addresses such as peer:alice/db work:
//
//	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), n.Kinds()...)}
func (n *Node) Kinds() transport.Kinds { return ends.Kinds(lazy{n}) }

// lazy starts the node when an end is opened.
type lazy struct{ node *Node }

func (l lazy) Dial(ctx context.Context, r api.DialRequest) (transport.Conn, error) {
	via, _, err := l.node.open(ctx)
	if err != nil {
		return nil, err
	}
	return via.Dial(ctx, r)
}

func (l lazy) Offer(ctx context.Context, r api.OfferRequest) (transport.Acceptor, error) {
	via, _, err := l.node.open(ctx)
	if err != nil {
		return nil, err
	}
	return via.Offer(ctx, r)
}

// Close ends the node, if it was started here, with all its connections. A node that ran
// before goes on.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	var errs []error
	if n.client != nil {
		errs = append(errs, n.client.Close())
	}
	if n.local != nil {
		errs = append(errs, n.local.Close())
	}
	n.via, n.client, n.local = nil, nil, nil
	return errors.Join(errs...)
}
