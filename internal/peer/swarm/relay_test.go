package swarm

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/mailbox"
	pairing "github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// guestsOnly admits everybody as a guest.
func guestsOnly(peer.ID) peer.Admission { return peer.Guest }

// ownRelay makes a relay with the service of our own.
func ownRelay(t testing.TB, admit func(peer.ID) peer.Admission, c RelayConfig, listen ...string) (*Network, *Relay, []string) {
	t.Helper()
	n := newNet(t, func(c *Config) { c.Admit = admit }, listen...)
	r, err := n.ServeRelay(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() }) //nolint:errcheck // it returns nil
	return n, r, withID(n)
}

// withID returns the addresses of a Network with its ID.
func withID(n *Network) []string {
	var addrs []string
	for _, a := range n.Addrs() {
		addrs = append(addrs, a+"/p2p/"+LibID(n.Self()))
	}
	return addrs
}

// behind makes peers that only the relay at these addresses reaches.
func behind(t testing.TB, at []string, count int) []*Network {
	t.Helper()
	var all []*Network
	for range count {
		all = append(all, newNet(t, func(c *Config) { c.Relays = at }))
	}
	for _, n := range all {
		awaitLinks(t, n, func() bool { return len(n.Reserved()) > 0 })
	}
	return all
}

func TestSuiteThroughOurRelay(t *testing.T) {
	for name, admit := range map[string]func(peer.ID) peer.Admission{
		"known":  func(peer.ID) peer.Admission { return peer.Known },
		"guests": guestsOnly,
	} {
		t.Run(name, func(t *testing.T) {
			peertest.Run(t, func(t *testing.T) peertest.Set {
				_, _, at := ownRelay(t, admit, RelayConfig{Guests: RelayLimits{Rate: 1 << 30}}, "/ip4/127.0.0.1/tcp/0")
				keys := []*peer.Key{peer.NewKey(), peer.NewKey(), peer.NewKey()}
				var all []*Network
				for i, key := range keys {
					admit := only(keys[0].ID(), keys[1].ID())
					if i == 2 {
						admit = func(peer.ID) peer.Admission { return peer.Known }
					}
					all = append(all, newNet(t, func(c *Config) { c.Key, c.Admit, c.Relays = key, admit, at }))
				}
				for _, n := range all {
					awaitLinks(t, n, func() bool { return len(n.Reserved()) > 0 })
				}
				return peertest.Set{A: all[0], B: all[1], Stranger: all[2], Break: func() { breakTo(all[0], all[1].Self()) }}
			})
		})
	}
}

// sink serves a protocol that counts what comes, and tells how it ended.
func sink(n *Network) <-chan int64 {
	counts := make(chan int64, 64)
	n.Serve("/sink", func(s transport.Stream) {
		count, _ := io.Copy(io.Discard, s) //nolint:errcheck // the number is what counts
		counts <- count
	})
	return counts
}

func TestACircuitOfGuestsIsCut(t *testing.T) {
	for name, limits := range map[string]RelayLimits{
		"bytes": {Bytes: 1 << 20},
		"time":  {Time: 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, at := ownRelay(t, guestsOnly, RelayConfig{Guests: limits}, "/ip4/127.0.0.1/tcp/0")
			both := behind(t, at, 2)
			counts := sink(both[1])
			s, err := both[0].Open(t.Context(), both[1].Self(), "/sink")
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			for err == nil && time.Since(begin) < patience {
				_, err = s.Write(make([]byte, 16<<10))
			}
			if !errors.Is(err, peer.ErrUnreachable) {
				t.Errorf("written for %v, and then: %v", time.Since(begin), err)
			}
			if n := <-counts; n > 2<<20 || name == "bytes" && n < 1<<18 { // what was on its way is lost
				t.Errorf("%d bytes have arrived", n)
			}
		})
	}
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestKnownPeersHaveNoLimits(t *testing.T) {
	var friend peer.ID
	admit := func(id peer.ID) peer.Admission {
		if id == friend {
			return peer.Known
		}
		return peer.Guest
	}
	var mu sync.Mutex
	accounts := map[peer.ID]RelayedBytes{}
	account := func(b RelayedBytes) error {
		mu.Lock()
		defer mu.Unlock()
		b.Bytes += accounts[b.Peer].Bytes
		accounts[b.Peer] = b
		return nil
	}
	key := peer.NewKey()
	friend = key.ID()
	_, r, at := ownRelay(t, admit, RelayConfig{Guests: RelayLimits{Bytes: 64 << 10, Rate: 64 << 10, Circuits: -1}, Account: account}, "/ip4/127.0.0.1/tcp/0")
	alice := newNet(t, func(c *Config) { c.Key, c.Relays = key, at })
	bob := behind(t, at, 1)[0]
	awaitLinks(t, alice, func() bool { return len(alice.Reserved()) > 0 })
	counts := sink(alice)
	s, err := bob.Open(t.Context(), alice.Self(), "/sink")
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	if _, err := s.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n := <-counts; n != size {
		t.Errorf("%d of %d bytes have arrived", n, size)
	}
	if peers := r.Peers(); len(peers) != 2 || peers[0].Circuits != 1 || peers[1].Circuits != 1 {
		t.Errorf("%+v", peers)
	}
	breakAll(bob)
	late := time.After(patience)
	for {
		mu.Lock()
		got, guest := accounts[friend], accounts[bob.Self()]
		mu.Unlock()
		if got.Bytes >= size {
			if !got.Known || got.Host != netip.MustParsePrefix("127.0.0.1/32") || guest.Bytes != 0 || got.Bytes > size+size/10 {
				t.Errorf("accounted: %+v, and for the guest %+v", got, guest)
			}
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			t.Fatalf("accounted: %+v", got)
		}
	}
}

func TestAnAccountThatIsEmptyCutsTheCircuit(t *testing.T) {
	account := func(b RelayedBytes) error { return errors.New("no more today") }
	_, _, at := ownRelay(t, guestsOnly, RelayConfig{Guests: RelayLimits{Rate: 1 << 30}, Account: account}, "/ip4/127.0.0.1/tcp/0")
	both := behind(t, at, 2)
	sink(both[1])
	s, err := both[0].Open(t.Context(), both[1].Self(), "/sink")
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for err == nil && written < 64<<20 {
		_, err = s.Write(make([]byte, 64<<10))
		written += 64 << 10
	}
	if !errors.Is(err, peer.ErrUnreachable) || written > 8<<20 {
		t.Errorf("%d bytes written, then: %v", written, err)
	}
}

// A host has so much in a day, under whatever keys.
func TestTheDayOfAHost(t *testing.T) {
	_, r, at := ownRelay(t, guestsOnly, RelayConfig{Guests: RelayLimits{Rate: 1 << 30, Day: 4 << 20}}, "/ip4/127.0.0.1/tcp/0")
	both := behind(t, at, 2)
	counts := sink(both[1])
	send := func(from *Network) (written int) {
		s, err := from.Open(t.Context(), both[1].Self(), "/sink")
		for err == nil && written < 32<<20 {
			_, err = s.Write(make([]byte, 64<<10))
			written += 64 << 10
		}
		return written
	}
	if n := send(both[0]); n > 16<<20 {
		t.Errorf("%d bytes were written", n)
	}
	if n := <-counts; n < 1<<20 || n > 8<<20 {
		t.Errorf("%d bytes have arrived", n)
	}
	again := behind(t, at, 1)[0]
	if n := send(again); n > 0 {
		t.Errorf("under another key, %d bytes more", n)
	}
	if s := r.Stats(); s.Refused == 0 || s.Opened == 0 || s.Bytes < 1<<20 || s.Reservations != 3 {
		t.Errorf("%+v", s)
	}
	r.mu.Lock()
	r.today.since = time.Now().Add(-25 * time.Hour)
	r.mu.Unlock()
	if n := send(again); n == 0 {
		t.Error("the next day nothing is relayed")
	}
}

func TestReservationsOfOneHost(t *testing.T) {
	_, r, at := ownRelay(t, guestsOnly, RelayConfig{Guests: RelayLimits{ReservationsPerHost: 2}}, "/ip4/127.0.0.1/tcp/0")
	behind(t, at, 2)
	refused := make(chan error, 16)
	newNet(t, func(c *Config) {
		c.Relays = at
		c.Events = func(e Event) {
			if e.What == Reserved {
				refused <- e.Err
			}
		}
	})
	if err := <-refused; err == nil {
		t.Error("the third one has got a reservation")
	}
	if n := len(r.Peers()); n != 2 {
		t.Errorf("%d have reservations", n)
	}
}

// Two strangers meet at the mailbox of a relay, and are a pair.
func TestPairAtTheMailbox(t *testing.T) {
	relay, _, at := ownRelay(t, guestsOnly, RelayConfig{Mailbox: new(mailbox.Server)}, "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	both := behind(t, at, 2)
	opener := func(n *Network) mailbox.Opener {
		return func(ctx context.Context) (transport.Stream, error) { return n.Open(ctx, relay.Self(), mailbox.Proto) }
	}
	c, err := mailbox.Offer(t.Context(), opener(both[0]), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it is over
	o := pairing.NewOffer(pairing.NewCode(c.Number()), pairing.Side{Key: both[0].config.Key, Name: "alice"})
	go func() {
		if s, err := c.Accept(t.Context()); err == nil {
			o.Accept(t.Context(), s) //nolint:errcheck // Wait has it
		}
	}()
	begin := time.Now()
	s, err := opener(both[1])(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s, err = mailbox.Join(t.Context(), s, c.Number()); err != nil {
		t.Fatal(err)
	}
	joined, err := pairing.Join(t.Context(), s, o.Code(), pairing.Side{Key: both[1].config.Key, Name: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("paired in %v", time.Since(begin))
	if offered, err := o.Wait(t.Context()); err != nil || offered.Words != joined.Words || joined.Peer != both[0].Self() {
		t.Errorf("%+v, %+v, %v", offered, joined, err)
	}
}

// A relay that is started again on the same ports has its peers back by themselves.
func TestTheRelayIsStartedAgain(t *testing.T) {
	key := peer.NewKey()
	start := func(listen ...string) (*Network, *Relay) {
		n := newNet(t, func(c *Config) { c.Key, c.Admit = key, guestsOnly }, listen...)
		r, err := n.ServeRelay(RelayConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return n, r
	}
	n, r := start("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
	addrs, at := n.Addrs(), withID(n)
	both := behind(t, at, 2)
	counts := sink(both[1])
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		n.Close() //nolint:errcheck // it returns nil
		for _, p := range both {
			awaitLinks(t, p, func() bool { return len(p.Reserved()) == 0 })
		}
		n, r = start(addrs...)
		begin := time.Now()
		for _, p := range both {
			awaitLinks(t, p, func() bool { return len(p.Reserved()) > 0 })
		}
		t.Logf("reserved again after %v", time.Since(begin))
		s, err := both[0].Open(t.Context(), both[1].Self(), "/sink")
		if err != nil {
			t.Fatal(err)
		}
		s.Write([]byte("x")) //nolint:errcheck // the count tells
		s.CloseWrite()       //nolint:errcheck // the count tells
		if c := <-counts; c != 1 {
			t.Errorf("%d bytes have arrived", c)
		}
	}
}
