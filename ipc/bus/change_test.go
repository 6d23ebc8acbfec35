//go:build linux

package bus

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// childEnv has the test binary be members of the bus at a path: "PATH HOW-MANY WHO".
// They read all there is, and end with its standard input. If WHO is not 0, the first
// one publishes numbered messages without end.
const childEnv = "TENON_BUS_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		child(what)
		return
	}
	os.Exit(m.Run())
}

func child(what string) {
	var path string
	var count, who int
	fmt.Sscan(what, &path, &count, &who)
	for i := range count {
		conn, err := (&Bus{Name: path, Slow: Wait}).Dial(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		c := conn.(*Conn)
		defer c.Close()
		go drain(c)
		if i == 0 && who > 0 {
			go publishNumbered(c, uint32(who), 1, math.MaxUint32, 100)
		}
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// drain reads until something ends it.
func drain(c *Conn) error {
	for {
		if _, _, err := c.LendMsg(); err != nil {
			return err
		}
	}
}

// A program is members in a process of their own.
type program struct {
	*exec.Cmd
	stdin io.Closer
}

func process(t testing.TB, path string, count, who int) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", childEnv, path, count, who), "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd, in}
	t.Cleanup(p.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other process says %q, error %v", line, err)
	}
	return p
}

// kill ends it as SIGKILL does, in the middle of whatever it is doing.
func (p *program) kill() {
	p.Process.Kill()
	p.Wait()
}

// player returns the process that plays the hub; 0 while there is none.
func player(path string) int {
	c, err := (&local.Unix{Path: path}).Dial(context.Background())
	if err != nil {
		return 0
	}
	defer c.Close()
	return c.Info().Cred.PID
}

// The process that plays the hub is killed while messages are on their way, again
// and again until it is this one. Those who stay receive everything once, in one
// order. The new hub gathers for 300 ms each time.
func TestHubIsKilledInTheMiddle(t *testing.T) {
	p := at(t)
	children := map[int]*program{}
	for range 4 {
		c := process(t, p, 4, 0)
		children[c.Process.Pid] = c
	}
	const publishers, each = 3, 3000
	ms := members(t, 5, Bus{Name: p, Slow: Wait})
	last := map[uint32]uint32{}
	var published []<-chan error
	for i := range publishers {
		who := uint32(i + 1)
		last[who] = each
	}
	progress := make(chan struct{}, publishers*each)
	var collected []<-chan []heard
	for i, c := range ms {
		others := map[uint32]uint32{}
		for who, n := range last {
			if int(who) != i+1 {
				others[who] = n
			}
		}
		collected = append(collected, start(func() []heard {
			all, err := collectAll(c, others)
			if err != nil {
				t.Errorf("member %d: %v", i, err)
			}
			return all
		}))
	}
	for i := range publishers {
		published = append(published, start(func() error {
			for n := range uint32(each) {
				if err := publishNumbered(ms[i], uint32(i+1), n+1, n+1, 100); err != nil {
					return err
				}
				progress <- struct{}{}
			}
			return nil
		}))
	}
	kills := 0
	for range 20 { // every so many messages
		for range publishers * each / 20 {
			select {
			case <-progress:
			case <-time.After(patience):
				t.Fatal("nothing goes on")
			}
		}
		if c := children[player(p)]; c != nil {
			c.kill()
			delete(children, c.Process.Pid)
			kills++
		}
	}
	t.Logf("the hub was killed %d times", kills)
	for _, done := range published {
		if err := await(t, done, "publishing"); err != nil {
			t.Error(err)
		}
	}
	var orders [][]heard
	for _, c := range collected {
		orders = append(orders, await(t, c, "collecting"))
	}
	wantOneOrder(t, orders)
	for i, c := range ms {
		if c.Lost() != 0 {
			t.Errorf("member %d has lost %d", i, c.Lost())
		}
	}
}

// When the publisher dies together with the hub, because it is the same process, some
// of its messages have reached some members only. Those who stay agree on them.
func TestSurvivorsAgree(t *testing.T) {
	for range 3 {
		p := at(t)
		hub := process(t, p, 1, 7)
		ms := members(t, 6, Bus{Name: p, Slow: Wait})
		var warm sync.WaitGroup
		var collected []<-chan []heard
		for i, c := range ms[1:] {
			warm.Add(1)
			collected = append(collected, start(func() []heard {
				count := 0
				all, err := collect(c, func(h heard) bool {
					if count++; count == 500 {
						warm.Done()
					}
					return h.who == 8
				})
				if err != nil {
					t.Errorf("member %d: %v", i+1, err)
				}
				return all
			}))
		}
		drained := start(func() error { return drain(ms[0]) })
		warm.Wait()
		hub.kill()
		if err := publishNumbered(ms[0], 8, 1, 1, 0); err != nil {
			t.Fatal(err)
		}
		var ends []heard
		for i, c := range collected {
			all := await(t, c, "collecting")
			for k := range len(all) - 2 {
				if all[k+1].n != all[k].n+1 {
					t.Fatalf("member %d heard message %d after %d", i+1, all[k+1].n, all[k].n)
				}
			}
			ends = append(ends, all[len(all)-2])
			if lost := ms[i+1].Lost(); lost != 0 {
				t.Errorf("member %d has lost %d", i+1, lost)
			}
		}
		for i, end := range ends {
			if end != ends[0] {
				t.Errorf("the last message that member %d heard is %d, that of the first is %d", i+1, end.n, ends[0].n)
			}
		}
		ms[0].Close()
		await(t, drained, "draining")
	}
}

// A member that was the only one to receive something from a hub that died, and comes
// too late to say so, goes over to the order of the others: what it has published
// itself of that is published again, and it hears nothing twice.
func TestLatecomerTakesBack(t *testing.T) {
	c := newConn(&Bus{Name: "x"})
	hear := func(seq, origin, oseq uint64) {
		t.Helper()
		e := entry{seq: seq, origin: origin, oseq: oseq}
		if err := c.message(t.Context(), nil, openMessage(nil, frameMessage, &e, 0)[headLen:]); err != nil {
			t.Fatal(err)
		}
	}
	c.welcomed(welcome{epoch: 1, stranger: true})
	for range 3 {
		c.out.put(nil, false)
	}
	c.out.unsent()
	hear(1, 7, 1)
	c.acked(2, 0, 1)
	hear(3, 8, 1) // from here on only this one has received it
	c.acked(4, 0, 2)
	hear(5, 7, 2)
	c.welcomed(welcome{epoch: 2, seq: 2, known: 1, acked: 1, past: []span{{1, 2}}})
	if again := c.out.unsent(); len(again) != 2 || again[0].oseq != 2 || again[1].oseq != 3 {
		t.Errorf("%d are published again, want the second and the third: %v", len(again), again)
	}
	if c.journal.known(7) != 1 || c.journal.known(8) != 0 || c.journal.known(c.origin) != 1 {
		t.Errorf("as a hub it would take what is published again for known: %v", c.journal.seen)
	}
	hear(3, 7, 2)
	hear(4, 8, 1)
	c.acked(5, 0, 2)
	hear(6, 8, 2)
	var got []string
	for e, ok := c.in.take(); ok; e, ok = c.in.take() {
		got = append(got, fmt.Sprintf("%d#%d", e.origin, e.oseq))
	}
	if want := "[7#1 8#1 7#2 8#2]"; fmt.Sprint(got) != want || c.in.lost != 0 {
		t.Errorf("heard %v, want %s; %d lost", got, want, c.in.lost)
	}
	// A hub that knows nothing of all that.
	c.welcomed(welcome{epoch: 9, seq: 40, stranger: true})
	if again := c.out.unsent(); len(again) != 3 || again[0].oseq != 1 {
		t.Errorf("%d are published again, want all three", len(again))
	}
	hear(41, 8, 2)
	hear(42, 8, 3)
	if e, ok := c.in.take(); !ok || e.oseq != 3 || len(c.in.waiting) != 0 {
		t.Errorf("heard %d#%d, want 8#3 only", e.origin, e.oseq)
	}
}

// Twenty members find out at once that there is no hub any more. One of them is it
// then, and all hear all.
func TestElection(t *testing.T) {
	p := at(t)
	hub := process(t, p, 1, 0)
	ms := members(t, 20, Bus{Name: p})
	hub.kill()
	begin := time.Now()
	for i, c := range ms {
		say(t, c, fmt.Sprint(i))
	}
	for i, c := range ms {
		heard := map[string]bool{}
		for range len(ms) - 1 {
			heard[hear(t, c)] = true
		}
		if len(heard) != len(ms)-1 || heard[fmt.Sprint(i)] {
			t.Errorf("member %d heard %d different ones", i, len(heard))
		}
	}
	t.Logf("all had heard all after %v", time.Since(begin))
	if hubs := playing(ms); len(hubs) != 1 {
		t.Errorf("%d members play the hub", len(hubs))
	}
}

// What a hub that was killed leaves behind is no obstacle, and is removed in the end.
func TestLeftoverSocket(t *testing.T) {
	p := at(t)
	process(t, p, 1, 0).kill()
	if _, err := os.Lstat(p); err != nil {
		t.Fatalf("the test wants a socket to be left over: %v", err)
	}
	a, b := member(t, Bus{Name: p}), member(t, Bus{Name: p})
	say(t, a, "hello")
	wantHear(t, b, "hello")
	b.Close()
	a.Close()
	if _, err := os.Lstat(p); !os.IsNotExist(err) {
		t.Errorf("after the last has left: %v", err)
	}
}

// The last member leaves before it has noticed that the hub has.
func TestLastLeavesWithoutAHub(t *testing.T) {
	for range 20 {
		p := at(t)
		a, b := member(t, Bus{Name: p}), member(t, Bus{Name: p})
		a.Close()
		b.Close()
		if _, err := os.Lstat(p); !os.IsNotExist(err) {
			t.Fatalf("after the last has left: %v", err)
		}
	}
}

// Members come and go, the one that plays the hub too, while one goes on publishing.
// Nobody who stays misses anything.
func TestHubsLeave(t *testing.T) {
	p := at(t)
	old := members(t, 4, Bus{Name: p})
	publisher, reader := member(t, patient(p)), member(t, patient(p))
	const messages = 5000
	published := start(func() error { return publishNumbered(publisher, 1, 1, messages, 10) })
	collected := start(func() error { _, err := collectAll(reader, map[uint32]uint32{1: messages}); return err })
	for _, c := range old {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := await(t, published, "publishing"); err != nil {
		t.Error(err)
	}
	if err := await(t, collected, "collecting"); err != nil {
		t.Error(err)
	}
	if reader.Lost() != 0 {
		t.Errorf("%d are lost", reader.Lost())
	}
}

// A write waits while there is no hub, as long as its deadline says; and messages that
// were published then arrive.
func TestWritesDuringAChange(t *testing.T) {
	p := at(t)
	hub := process(t, p, 1, 0)
	ms := members(t, 2, Bus{Name: p})
	hub.kill()
	for n := range 2 * maxOwn {
		say(t, ms[0], fmt.Sprint(n))
	}
	if err := ms[0].CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for n := range 2 * maxOwn {
		wantHear(t, ms[1], fmt.Sprint(n))
	}
}

func TestManyMembers(t *testing.T) {
	p := at(t)
	before := runtime.NumGoroutine()
	ms := members(t, 200, Bus{Name: p})
	roundOf := func(word string) {
		for n := range 20 {
			say(t, ms[len(ms)-1], fmt.Sprint(word, n))
		}
		for _, c := range ms[:len(ms)-1] {
			for n := range 20 {
				wantHear(t, c, fmt.Sprint(word, n))
			}
		}
	}
	roundOf("first")
	ms[0].Close() // the hub
	ms = ms[1:]
	roundOf("second")
	begin := time.Now()
	closed := make(chan error, len(ms))
	for _, c := range ms {
		go func() { closed <- c.Close() }()
	}
	for range ms {
		if err := await(t, closed, "closing"); err != nil {
			t.Error(err)
		}
	}
	t.Logf("199 members left in %v", time.Since(begin))
	eventually(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// BenchmarkFanOut is one publisher and many that hear it.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		for _, size := range []int{64, 4096} {
			b.Run(fmt.Sprintf("members=%d/size=%d", n, size), func(b *testing.B) {
				p := at(b)
				publisher := member(b, Bus{Name: p})
				ms := members(b, n, patient(p))
				done := make(chan struct{}, n)
				for _, c := range ms {
					go func() {
						for range b.N {
							if _, _, err := c.LendMsg(); err != nil {
								b.Error(err)
								break
							}
						}
						done <- struct{}{}
					}()
				}
				msg := make([]byte, size)
				b.ResetTimer()
				for range b.N {
					if err := publisher.WriteMsg(msg, transport.Meta{}); err != nil {
						b.Fatal(err)
					}
				}
				for range n {
					<-done
				}
			})
		}
	}
}
