package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/datagram"
	"github.com/tenon-net/tenon/internal/event"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/internal/node/rooms"
	"github.com/tenon-net/tenon/internal/node/shares"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/folder"
)

// Config says how a Node is made. The zero Config but for Dir and Network is right for
// most.
type Config struct {
	Dir        string   // the state directory, of which one Node is in use at a time
	ConfigFile string   // "" = none; one that was never there is like an empty one
	Flags      Settings // what was said beside it, which wins over it
	Version    string   // of the program, for status
	Name       string   // that the node suggests to others; "" = the name of the machine

	// Passing is for a node that is there for one program only: it offers nothing but
	// what that program offers itself, and keeps up no links. What is on record, and the
	// settings of the network, count as ever.
	Passing bool

	// Network makes the node present among peers. It is called again when the key or
	// the settings of the network have changed, after the Presence before was closed.
	Network func(context.Context, Env) (Presence, error)

	// Kinds is what the addresses of services and links may be; nil = those of package
	// tenon, and folder. The kinds peer and peer-listen are added.
	Kinds transport.Kinds
}

// An Env is what a Presence is made with.
type Env struct {
	Key      *peer.Key
	First    peer.ID // the key that the identity has had first
	Settings Network
	Admit    func(peer.ID) peer.Admission
	Known    func(peer.ID) []string                          // where a peer was before
	Remember func(peer.ID, []string)                         // where it has been reached
	Relayed  func(id peer.ID, known bool, bytes int64) error // accounts bytes that are relayed, or refuses them
	Sought   func() []peer.ID                                // whom to look for
	Given    func() []peer.FindKey                           // by what shares are found that are here, on the local network
	Public   func() []peer.FindKey                           // and in a table
	Tell     func(text string)                               // for the log
	Warn     func(text string)                               // for the log, loudly

	// Rotations is what a peer is to see in the handshake, before it decides whether it
	// knows Key; Succeeds is told what others show.
	Rotations []byte
	Succeeds  func(rotations []byte)
}

// A Presence is a node's place among peers. What else one may be is asked by interface:
// a [peer.Datagrammer], an [Addresser], a [Checker], a [Survivor], a [Doctor], a [Twinned], a [Porter], a
// [ShareFinder], a [Meeter].
type Presence interface {
	peer.Network
	io.Closer
}

// Interfaces of a [Presence] that has more to offer.
type (
	// An Addresser knows where it is, and can be told where others are.
	Addresser interface {
		Addrs() []string
		AddAddrs(id peer.ID, addrs ...string)
	}

	// A Connecter can make a connection to a peer before it is needed.
	Connecter interface {
		Connect(ctx context.Context, id peer.ID) error
	}

	// A Checker asks Env.Admit again about all that are connected, and disconnects
	// those who are not let in any more.
	Checker interface{ Recheck() }

	// A Survivor can open a stream that outlives the loss of all connections for
	// that time; less than 0 is not at all.
	Survivor interface {
		OpenSurviving(ctx context.Context, to peer.ID, proto string, survive time.Duration) (transport.Stream, error)
	}

	// A Pauser tells since when one of its streams has no way to the peer; zero if it
	// has one.
	Pauser interface {
		PausedSince(transport.Stream) time.Time
	}

	// A Doctor looks at the ways to a peer, or with the zero ID at the network.
	Doctor interface {
		Explain(ctx context.Context, id peer.ID, step func(api.Step))
	}

	// A Twinned tells where another machine with the key of the node was met, and when
	// last; the zero time is never.
	Twinned interface {
		Twin() (addr string, when time.Time)
	}

	// A Porter is a relay, and tells which ports a firewall must let in for it.
	Porter interface{ Ports() []string }

	// A ShareFinder looks for others who have a share, until stop is called; for one that is not
	// public only among those who are near. Found, which must not wait, is told where each may
	// be; nothing of it was checked.
	ShareFinder interface {
		SeekShare(key peer.FindKey, public bool, found func(id peer.ID, addrs []string)) (stop func())
	}

	// A Meeter brings together two who want to pair and know of each other only the
	// number of a channel.
	Meeter interface {
		OfferMeeting(ctx context.Context) (Meeting, error)
		JoinMeeting(ctx context.Context, channel int) (transport.Stream, error)
	}

	// A Meeting is a channel on which others may come.
	Meeting interface {
		Channel() int
		Missing() []error // where nobody can come from, and why
		Accept(ctx context.Context) (transport.Stream, error)
		Close() error
	}
)

// A Node is one peer. It is made by [New].
type Node struct {
	config   Config
	identity *peer.Identity
	db       *store.DB
	started  time.Time
	boot     string // names this life of the node in the audit log
	events   *event.Log[api.Event]
	audit    *audit
	opener   *tenon.Opener
	kinds    transport.Kinds
	joints   joints
	engine   join.Engine // waits for sockets of joints that are silent
	limits   limits
	accounts accounts

	// What decide has worked out. It is read without a lock: by Admit, which a Presence
	// may ask while it holds locks of its own.
	access   atomic.Pointer[peer.Access]
	expected atomic.Pointer[expectation]
	shares   atomic.Pointer[shares.Shares] // nil until the node has appeared
	rooms    atomic.Pointer[rooms.Rooms]   // nil until then, and of a node that is passing
	waiting  atomic.Int32                  // offers of a code to pair by, for status
	refusals atomic.Int64

	rotating   sync.Mutex  // held while the key or the settings of the network change
	configured atomic.Bool // ConfigFile was there once

	mu       sync.Mutex // guards what follows; held while the database is written, never while a peer is waited for
	facts    *facts
	settings *Settings // of the configuration
	live     map[peer.Service]*offer
	turnedTo map[heldKey]int // how many requests to receive go on with what was given by a code
	used     map[peer.Service]int
	failed   map[peer.Service]string

	pmu       sync.RWMutex // guards what follows: held while it is replaced
	presence  Presence
	datagrams *datagram.Mux   // nil if the presence carries no datagrams
	mailbox   *mailbox.Server // nil if there is none
	stops     []func()        // of what is served
	stopWatch func()          // of watchLinks

	links    links
	metrics  exporter
	gateway  gateway
	notifier notifier
	offers   offers
	held     remoteOffer // what programs have dialed and not fetched; see hold

	pipeOnce sync.Once
	pipe     *pipe // connections in memory to the control API

	life      context.Context // until Close
	cancel    context.CancelCauseFunc
	sends     farewells
	all       sync.WaitGroup // goroutines of the Node
	lookups   chan struct{}  // of names, that go on
	once      sync.Once
	gone      chan struct{} // closed when Close is done
	err       error         // of Close
	asked     chan struct{} // closed when somebody has asked the node to end
	askedOnce sync.Once
	obeyed    atomic.Bool // somebody has called Asked
}

// errDown is why things end when the node does.
var errDown = errors.New("the node ends")

// New starts a Node. While another process has the directory, the error is a
// [peer.LockedError]. The context bounds the call.
func New(ctx context.Context, config Config) (*Node, error) {
	identity, err := peer.OpenIdentity(config.Dir)
	if err != nil {
		return nil, err
	}
	n := &Node{config: config, identity: identity, started: time.Now(), lookups: make(chan struct{}, maxLookups),
		live: map[peer.Service]*offer{}, turnedTo: map[heldKey]int{}, used: map[peer.Service]int{}, failed: map[peer.Service]string{},
		gone: make(chan struct{}), asked: make(chan struct{})}
	n.boot = fmt.Sprintf("%x", n.started.UnixMicro())
	n.events = event.New[api.Event](uint64(n.started.UnixMicro()), keptEvents)
	n.life, n.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	kinds := config.Kinds
	if kinds == nil {
		kinds = append(tenon.DefaultKinds(), folder.Kinds()...)
	}
	n.kinds = append(kinds[:len(kinds):len(kinds)], ends.Kinds(n)...)
	n.opener = &tenon.Opener{Kinds: n.kinds, NoJoints: true, Events: n.endEvent}
	if err := n.start(ctx); err != nil {
		n.Close() //nolint:errcheck // start has failed first
		return nil, err
	}
	return n, nil
}

// keptEvents is how many events are kept for those who ask.
const keptEvents = 4096

func (n *Node) start(ctx context.Context) (err error) {
	if n.settings, err = n.readSettings(); err != nil {
		return err
	}
	if n.db, err = store.Open(ctx, n.config.Dir); err != nil {
		return err
	}
	if err := n.db.Migrate(ctx, "node", tables...); err != nil {
		return err
	}
	err = n.db.View(ctx, func(tx *sql.Tx) (err error) {
		n.facts, err = load(ctx, tx)
		return err
	})
	if err != nil {
		return err
	}
	if err := n.db.View(ctx, func(tx *sql.Tx) error { return n.loadAccounts(ctx, tx) }); err != nil {
		return err
	}
	n.audit = newAudit(n.db)
	n.all.Go(n.audit.run)
	n.all.Go(n.keepAccounts)
	if err := errors.Join(n.forgetTickets(ctx), n.forgetCodes(ctx)); err != nil {
		return err
	}
	n.mu.Lock()
	n.decide()
	n.mu.Unlock()
	if err := n.appear(ctx); err != nil {
		return err
	}
	if err := errors.Join(n.openShares(ctx), n.openRooms(ctx)); err != nil {
		return err
	}
	n.links.set(n, n.settings.Links)
	for _, err := range []error{n.metrics.set(n, n.settings.Metrics), n.gateway.set(n, n.settings.IRC)} {
		if err != nil {
			n.tell(api.Event{Type: "warning", Text: err.Error()})
		}
	}
	n.notifier.set(n, n.settings.Notify)
	n.tell(api.Event{Type: "network", Text: "this is " + n.identity.ID().Short()})
	return nil
}

// appear makes the node present with the key and the settings that it has now.
func (n *Node) appear(ctx context.Context) error {
	n.mu.Lock()
	admit := n.Admit
	if n.settings.Network.Relay == "anyone" || n.settings.Mailbox.For == "anyone" {
		admit = n.admitGuests
	}
	rotations, first := n.identity.Rotations(), n.identity.ID()
	if len(rotations) > 0 {
		first = rotations[0].Old
	}
	env := Env{Sought: n.sought, Given: n.given, Public: n.published, Relayed: n.relayed, Key: n.identity.Key(), First: first, Settings: n.settings.Network, Admit: admit, Known: n.knownAddrs, Remember: n.remember,
		Rotations: peer.MarshalRotations(rotations), Succeeds: n.succeed,
		Tell: func(text string) { n.tell(api.Event{Type: "network", Text: text}) },
		Warn: func(text string) { n.tell(api.Event{Type: "warning", Text: text}) }}
	n.mu.Unlock()
	n.accounts.set(env.Settings.Limits.Day)
	p, err := n.config.Network(ctx, env)
	if err != nil {
		return err
	}
	box, closeBox, err := n.openMailbox(ctx, p.Self(), env.Settings.Mailbox)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	n.pmu.Lock()
	defer n.pmu.Unlock()
	n.presence = p
	n.stops = []func(){p.Serve(Protocol, n.inbound), p.Serve(helloProtocol, n.hear), p.Serve(share.Proto, n.takePart), p.Serve(share.FindProto, n.answerFind), p.Serve(share.HoldProto, n.takeHold)}
	if n.mailbox = box; box != nil {
		n.stops = append(n.stops, p.Serve(mailbox.Proto, box.Handle))
	}
	n.stops = append(n.stops, closeBox)
	if d, ok := p.(datagram.Network); ok {
		mux := datagram.New(d, datagram.Options{})
		n.datagrams = mux
		n.stops = append(n.stops, func() { mux.Close() }) //nolint:errcheck // it returns nil
	}
	watch, stop := context.WithCancel(n.life)
	done := make(chan struct{})
	n.all.Go(func() {
		defer close(done)
		n.watchLinks(watch, p)
	})
	n.stopWatch = func() { stop(); <-done }
	if c, ok := p.(Connecter); ok {
		n.all.Go(func() { n.seek(watch, c) })
	}
	if s := n.shares.Load(); s != nil {
		s.Moved()
	}
	return nil
}

// vanish ends the presence; the joints that stand on it end with it.
func (n *Node) vanish(cause error) error {
	n.pmu.Lock()
	p, stops, stopWatch := n.presence, n.stops, n.stopWatch
	n.presence, n.datagrams, n.mailbox, n.stops, n.stopWatch = nil, nil, nil, nil, nil
	n.pmu.Unlock()
	if p == nil {
		return nil
	}
	stopWatch()
	n.joints.cut(func(*joint) error { return cause })
	err := p.Close()
	for _, stop := range stops { // after Close: to a peer, this node is gone, and not one without services
		stop()
	}
	return err
}

// errAway: the node has no presence at the moment.
var errAway = fmt.Errorf("this node is not connected to the network at the moment: %w", peer.ErrUnreachable)

// here returns the presence.
func (n *Node) here() (Presence, error) {
	n.pmu.RLock()
	defer n.pmu.RUnlock()
	if n.presence == nil {
		return nil, errAway
	}
	return n.presence, nil
}

// Down asks whoever runs the node to end it; see [Node.Asked].
func (n *Node) Down() { n.askedOnce.Do(func() { close(n.asked) }) }

// Asked returns a channel that is closed when somebody has asked the node to end. Whoever
// calls it ends the node then; while nobody has, programs that ask are told that the node is
// a part of this process.
func (n *Node) Asked() <-chan struct{} {
	n.obeyed.Store(true)
	return n.asked
}

// Close ends the node, and returns when nothing of it is left.
func (n *Node) Close() error {
	n.once.Do(func() {
		n.Down()
		n.sends.end(errDown)
		n.cancel(errDown)
		n.links.stop()
		n.metrics.stop()
		n.notifier.set(n, nil)
		n.gateway.stop(n)
		n.endOffers(errDown)
		n.closeShares()
		n.endRooms()
		err := errors.Join(n.vanish(errDown), n.closeRooms())
		n.joints.wait()
		n.engine.Close() //nolint:errcheck // it returns nil
		if n.audit != nil {
			n.audit.close()
		}
		n.all.Wait()
		if n.db != nil {
			err = errors.Join(err, n.db.Close())
		}
		n.err = errors.Join(err, n.identity.Close())
		close(n.gone)
	})
	<-n.gone
	return n.err
}

// ID returns who the node is.
func (n *Node) ID() peer.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.identity.ID()
}

// tell publishes an event.
func (n *Node) tell(e api.Event) {
	e.Time, e.Text = time.Now(), neutral.Line(e.Text)
	n.events.Publish(func(seq uint64) api.Event {
		e.Seq = seq
		return e
	})
}

// endEvent makes events of what the ends of services and links tell.
func (n *Node) endEvent(e tenon.Event) {
	text := e.End + ": " + e.Text
	if e.Err != nil {
		text = e.End + ": " + e.Err.Error()
	}
	switch e.Type {
	case tenon.Down, tenon.Notice, tenon.Refused:
		n.tell(api.Event{Type: "warning", Text: text})
	case tenon.Listening, tenon.Up:
		if e.Addr != nil && e.Type == tenon.Listening {
			text = "listening at " + e.Addr.String()
		}
		n.tell(api.Event{Type: "link", Text: text})
	}
}

// suggested returns what the node wants to be called by others.
func (n *Node) suggested() string {
	if n.settings.Name != "" {
		return n.settings.Name
	}
	if n.config.Name != "" {
		return n.config.Name
	}
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _ := peer.Suggested(host)
	return string(name)
}
