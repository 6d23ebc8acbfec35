package swarm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"

	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// An evilStream is a stream of a circuit of which the relay changes what it reads.
type evilStream struct {
	network.Stream
	read  int // bytes so far
	after int // that are left alone, as the handshakes are
	evil  func(b []byte) []byte
}

func (e *evilStream) Read(p []byte) (int, error) {
	n, err := e.Stream.Read(p[:max(1, len(p)/2)])
	if e.read += n; e.read > e.after && n > 0 {
		n = copy(p, e.evil(p[:n]))
	}
	return n, err
}

// A relay that alters, drops, doubles, reorders or replays what it carries gets a failure
// out of it, and nobody reads a byte that the other side has not written, nor in another
// order.
func TestARelayThatCheats(t *testing.T) {
	var kept []byte
	for name, evil := range map[string]func(b []byte) []byte{
		"alters": func(b []byte) []byte {
			b[rand.IntN(len(b))] ^= 1
			return b
		},
		"drops":    func(b []byte) []byte { return b[:len(b)-1] },
		"doubles":  func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], b[:len(b)/2]...) },
		"reorders": func(b []byte) []byte { return append(bytes.Clone(b[len(b)/2:]), b[:len(b)/2]...) },
		"inserts":  func(b []byte) []byte { return append([]byte{0}, b[:len(b)-1]...) },
		"replays": func(b []byte) []byte {
			if kept == nil {
				kept = bytes.Clone(b)
				return b
			}
			return append(kept[:min(len(kept), len(b))], b...)[:len(b)]
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept = nil
			var cheated atomic.Bool
			relay, r, at := ownRelay(t, guestsOnly, RelayConfig{Guests: RelayLimits{Rate: 1 << 30}}, "/ip4/127.0.0.1/tcp/0")
			relay.host.SetStreamHandler(proto.ProtoIDv2Hop, func(s network.Stream) {
				r.handle(&evilStream{Stream: s, after: 256 << 10, evil: func(b []byte) []byte {
					cheated.Store(true)
					return evil(b)
				}})
			})
			both := behind(t, at, 2)
			var read atomic.Int64
			failed := make(chan error, 1)
			both[1].Serve("/count", func(s transport.Stream) {
				buf := make([]byte, 32<<10)
				var next byte
				for {
					n, err := s.Read(buf)
					for _, b := range buf[:n] {
						if b != next {
							failed <- errors.New("another byte than was written")
							return
						}
						next++
					}
					read.Add(int64(n))
					if err != nil {
						failed <- err
						return
					}
				}
			})
			s, err := both[0].Open(t.Context(), both[1].Self(), "/count")
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, 256)
			for i := range data {
				data[i] = byte(i)
			}
			data = bytes.Repeat(data, 64)
			for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
				_, err = s.Write(data)
			}
			if err == nil {
				t.Error("the writer has noticed nothing")
			}
			if err := <-failed; err == io.EOF || err.Error() == "another byte than was written" {
				t.Errorf("after %d bytes: %v", read.Load(), err)
			}
			if !cheated.Load() {
				t.Error("the relay has not come to cheating")
			}
		})
	}
}

// A relay sees who talks to whom, and not a word of it, nor what it is about.
func TestARelayReadsNothing(t *testing.T) {
	const secret, about = "what nobody else may read", "/about/this"
	var mu sync.Mutex
	var seen bytes.Buffer
	relay, r, at := ownRelay(t, guestsOnly, RelayConfig{}, "/ip4/127.0.0.1/tcp/0")
	relay.host.SetStreamHandler(proto.ProtoIDv2Hop, func(s network.Stream) {
		r.handle(&evilStream{Stream: s, evil: func(b []byte) []byte {
			mu.Lock()
			defer mu.Unlock()
			seen.Write(b) //nolint:errcheck // it does not fail
			return b
		}})
	})
	both := behind(t, at, 2)
	both[1].Serve(about, echo)
	s, err := both[0].Open(t.Context(), both[1].Self(), about)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat(secret, 100)
	io.WriteString(s, text) //nolint:errcheck // it would show below
	s.CloseWrite()          //nolint:errcheck // it would show below
	if b, err := io.ReadAll(s); err != nil || string(b) != text {
		t.Fatalf("%d bytes come back, %v", len(b), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen.Len() < len(text) {
		t.Fatalf("the relay has carried %d bytes", seen.Len())
	}
	for _, b := range []string{secret, secret[:8], about} {
		if bytes.Contains(seen.Bytes(), []byte(b)) {
			t.Errorf("the relay reads %q", b)
		}
	}
}

// hop opens a stream to the hop protocol of a relay.
func hop(t *testing.T, n, relay *Network) network.Stream {
	t.Helper()
	id, err := lib(relay.Self())
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.host.NewStream(t.Context(), id, proto.ProtoIDv2Hop)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whoever does to the hop protocol what he should not does not keep the relay from
// working.
func TestHostileToTheRelay(t *testing.T) {
	relay, _, at := ownRelay(t, guestsOnly, RelayConfig{}, "/ip4/127.0.0.1/tcp/0")
	all := behind(t, at, 3)
	mallory := all[2]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, b := range peertest.Behaviors {
		s := hop(t, mallory, relay)
		go b.Play(ctx, newStream(mallory, s, relay.Self(), overTCP))
	}
	counts := sink(all[1])
	s, err := all[0].Open(t.Context(), all[1].Self(), "/sink")
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("x")) //nolint:errcheck // the count tells
	s.CloseWrite()       //nolint:errcheck // the count tells
	if c := <-counts; c != 1 {
		t.Errorf("%d bytes have arrived", c)
	}
}

func TestHopMessages(t *testing.T) {
	relay, r, at := ownRelay(t, guestsOnly, RelayConfig{Guests: RelayLimits{CircuitsPerPeer: 2}}, "/ip4/127.0.0.1/tcp/0")
	all := behind(t, at, 2)
	aliceID, _ := lib(all[0].Self()) //nolint:errcheck // it is one
	nobody, _ := lib(relay.Self())   //nolint:errcheck // it is one
	ask := func(m *pb.HopMessage) pb.Status {
		t.Helper()
		s := hop(t, all[1], relay)
		defer s.Reset()                        //nolint:errcheck // it is over
		util.NewDelimitedWriter(s).WriteMsg(m) //nolint:errcheck // the answer shows it
		var a pb.HopMessage
		rd := util.NewDelimitedReader(s, maxHopMessage)
		defer rd.Close()
		if err := rd.ReadMsg(&a); err != nil {
			t.Fatal(err)
		}
		return a.GetStatus()
	}
	connect := func(id []byte) *pb.HopMessage {
		return &pb.HopMessage{Type: pb.HopMessage_CONNECT.Enum(), Peer: &pb.Peer{Id: id}}
	}
	for name, test := range map[string]struct {
		m    *pb.HopMessage
		want pb.Status
	}{
		"a status":            {&pb.HopMessage{Type: pb.HopMessage_STATUS.Enum()}, pb.Status_MALFORMED_MESSAGE},
		"nobody":              {&pb.HopMessage{Type: pb.HopMessage_CONNECT.Enum()}, pb.Status_MALFORMED_MESSAGE},
		"rubbish":             {connect([]byte("rubbish")), pb.Status_MALFORMED_MESSAGE},
		"one without a place": {connect([]byte(nobody)), pb.Status_NO_RESERVATION},
		"a reservation":       {&pb.HopMessage{Type: pb.HopMessage_RESERVE.Enum()}, pb.Status_OK},
	} {
		if got := ask(test.m); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	// More circuits than one may have. Those that are refused are not counted.
	for i, want := range []pb.Status{pb.Status_OK, pb.Status_OK, pb.Status_RESOURCE_LIMIT_EXCEEDED, pb.Status_RESOURCE_LIMIT_EXCEEDED} {
		s := hop(t, all[1], relay)
		util.NewDelimitedWriter(s).WriteMsg(connect([]byte(aliceID))) //nolint:errcheck // the answer shows it
		var a pb.HopMessage
		rd := util.NewDelimitedReader(s, maxHopMessage)
		if err := rd.ReadMsg(&a); err != nil || a.GetStatus() != want {
			t.Errorf("circuit %d: %v, want %v; %v", i, a.GetStatus(), want, err)
		}
		rd.Close()
		if want == pb.Status_OK && a.GetLimit().GetData() == 0 {
			t.Error("a guest is not told of the limits")
		}
	}
	breakAll(all[1])
	for late := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		circuits, rates := len(r.circuits), len(r.rates)
		r.mu.Unlock()
		if circuits == 0 && rates == 0 {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%d circuits and %d rates are left", circuits, rates)
		}
	}
}
