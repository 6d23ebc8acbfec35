//go:build linux

package soak

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	soak   = flag.Duration("soak", 3*time.Second, "how long to soak")
	joints = flag.Int("joints", 0, "joints at once; 0 is 10,000, or 500 for less than a minute")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the random numbers")
)

// patience is the longest that anything may take. It is long, because the machine
// is busy with thousands of others.
const patience = 2 * time.Minute

// A tester is the clients' process.
type tester struct {
	t *testing.T

	mu      sync.Mutex              // guards results
	results map[string]chan outcome // by the client's address

	done, cuts, failures atomic.Int64
	hasty, hastySeen     atomic.Int64 // clients that reset too early to be judged; those of them that Tenon joined
}

// An outcome is what Tenon says of a joint.
type outcome struct {
	Event  string `json:"event"`
	Addr   string `json:"addr"`
	AB     int64  `json:"ab_bytes"`
	BA     int64  `json:"ba_bytes"`
	Failed string `json:"error"`
	Text   string `json:"text"`
}

func (x *tester) fail(format string, args ...any) {
	if x.failures.Add(1) <= 20 {
		x.t.Errorf(format, args...)
	}
}

func TestSoak(t *testing.T) {
	n := *joints
	if n == 0 {
		n = 500
		if *soak >= time.Minute {
			n = 10000
		}
	}
	relays := make([]*part, (n+most(t)-1)/most(t))
	t.Logf("%d joints at once for %v, processes that relay: %d, -seed=%d", n, *soak, len(relays), *seed)
	x := &tester{t: t, results: map[string]chan outcome{}}
	servers := startPart(t, "servers", "")
	target := "tcp:" + servers.line(t)
	addrs := make([]string, len(relays))
	var readers sync.WaitGroup
	for i := range relays {
		relays[i] = startPart(t, "relay", target)
		var first outcome
		if err := json.Unmarshal([]byte(relays[i].line(t)), &first); err != nil || first.Event != "listening" {
			t.Fatalf("the relay says %+v, %v", first, err)
		}
		addrs[i] = first.Addr
		readers.Go(func() { x.listen(relays[i]) })
	}
	readers.Go(func() {
		for servers.lines.Scan() {
			x.fail("%s", servers.lines.Text())
		}
	})

	var clients sync.WaitGroup
	until := time.Now().Add(*soak)
	for i := range n {
		r := rand.New(rand.NewPCG(*seed, uint64(i)))
		clients.Go(func() {
			for k := uint64(0); time.Now().Before(until) && x.failures.Load() == 0; k++ {
				p := newPlan(uint64(i)<<32|k<<1, r)
				if p.Hasty {
					x.resets(addressOf(i, hastyNet), addrs[i%len(addrs)], p)
				} else {
					x.client(addressOf(i, clientNet), addrs[i%len(addrs)], p)
				}
			}
		})
	}
	clients.Wait()
	for _, relay := range relays {
		relay.stdin.Close()
	}
	servers.stdin.Close()
	readers.Wait()
	t.Logf("%d joints ended, %d of them cut, %d failures", x.done.Load(), x.cuts.Load(), x.failures.Load())
	t.Logf("%d clients reset before they had heard from the server; %d of them were joined before that", x.hasty.Load(), x.hastySeen.Load())
	if x.done.Load() == 0 {
		t.Error("no joint ended")
	}
}

// listen hears what Tenon says, and at the end whether anything is left.
func (x *tester) listen(relay *part) {
	ended := false
	for relay.lines.Scan() {
		var o outcome
		if err := json.Unmarshal(relay.lines.Bytes(), &o); err != nil {
			x.fail("the relay says %q: %v", relay.lines.Text(), err)
			continue
		}
		if isHasty(o.Addr) {
			if o.Event == "closed" {
				x.hastySeen.Add(1)
			}
			continue
		}
		switch o.Event {
		case "closed":
			x.result(o.Addr) <- o
		case "left":
			if ended = true; o.Text != "" {
				x.fail("left behind: %s", o.Text)
			}
		case "opened":
		default:
			x.fail("the relay says %s", relay.lines.Text())
		}
	}
	if !ended {
		x.fail("the relay ended before it had counted what is left")
	}
}

func (x *tester) result(client string) chan outcome {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.results[client]
	if c == nil {
		c = make(chan outcome, 1)
		x.results[client] = c
	}
	return c
}

// The second bytes of the clients' loopback addresses.
const (
	clientNet = 1
	hastyNet  = 2 // of clients that reset before they have heard from the server
)

// addressOf is the loopback address that client i connects from. Each has its own,
// because a port that a reset has freed may be given to the next client before Tenon
// has said how the joint of the last one ended, and because 10,000 joints that come
// and go would use up the ports of one address.
func addressOf(i int, network byte) net.IP { return net.IPv4(127, network, byte(i>>8), byte(i)) }

// isHasty tells whether a client is one of which Tenon need not say anything.
func isHasty(client string) bool {
	addr, err := netip.ParseAddrPort(client)
	return err == nil && addr.Addr().Unmap().As4()[1] == hastyNet
}

func dial(from net.IP, relay string) (*net.TCPConn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := d.Dial("tcp", relay)
	if err != nil {
		return nil, err
	}
	c := conn.(*net.TCPConn)
	return c, c.SetDeadline(time.Now().Add(patience))
}

// resets plays a client that resets without having heard from the server. To
// connect, it takes only the system to which Tenon listens: when the queue of those
// that wait to be accepted is full, the reset may come before Tenon has heard of it,
// and nothing can be said of its joint. But it must leave nothing behind, and its
// server, if it had one, must not see a clean end.
func (x *tester) resets(from net.IP, relay string, p plan) {
	c, err := dial(from, relay)
	if err != nil {
		x.fail("dial: %v", err)
		return
	}
	clientSends(c, p) //nolint:errcheck // it need not arrive
	x.hasty.Add(1)
}

// client plays the client's part of a plan and judges what came of it.
func (x *tester) client(from net.IP, relay string, p plan) {
	c, err := dial(from, relay)
	if err != nil {
		x.fail("dial: %v", err)
		return
	}
	defer c.Close()
	who := c.LocalAddr().String()
	result := x.result(who)
	first := make([]byte, greetingLen)
	if _, err := io.ReadFull(c, first); err != nil || first[0] != greeting {
		x.fail("%s got %q for a greeting: %v; %+v", who, first, err, p)
		return
	}

	sent := make(chan error, 1)
	go func() { sent <- clientSends(c, p) }()
	got, readErr := receive(c, p.ID^1, p.Down)
	sendErr := <-sent
	select {
	case o := <-result:
		x.judge(p, o, got, errors.Join(readErr, sendErr)) // a system tells of a reset once
	case <-time.After(patience):
		x.fail("the joint of %s never ended; %+v", who, p)
	}
	x.mu.Lock()
	delete(x.results, who)
	x.mu.Unlock()
	x.done.Add(1)
}

// judge compares what Tenon says with what the client saw.
func (x *tester) judge(p plan, o outcome, got int64, err error) {
	if !p.cut() {
		if err != nil || got != p.Down || o.Failed != "" || o.AB != p.Up+planLen || o.BA != greetingLen+p.Down {
			x.fail("not cut, but the client got %d bytes, %v, and Tenon says %+v; %+v", got, err, o, p)
		}
		return
	}
	x.cuts.Add(1)
	if o.Failed == "" {
		x.fail("cut, and Tenon says that all went well: %+v; %+v", o, p)
	}
	if p.ServerCuts && err == nil {
		x.fail("the server reset after half its bytes, and the client saw a clean end after %d; %+v", got, p)
	}
}

func clientSends(c *net.TCPConn, p plan) error {
	if err := binary.Write(c, binary.BigEndian, p); err != nil {
		return err
	}
	if err := send(c, p.ID, 0, p.Up/2); err != nil {
		return err
	}
	if p.ClientCuts {
		c.SetLinger(0)
		return c.Close()
	}
	time.Sleep(p.Stall) // the stall is what is tested
	if err := send(c, p.ID, p.Up/2, p.Up); err != nil {
		return err
	}
	return c.CloseWrite()
}

// most is how many joints one relay has descriptors for: two each, and some for
// pipes and itself. The limit is raised as far as the system lets us.
func most(t *testing.T) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Max < 30000 {
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 30000, Max: 30000})
		syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return int(l.Cur-600) / 2
}
