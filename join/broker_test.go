package join

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A room is a Broker that serves a network in memory, and a list of what happened.
type room struct {
	t       *testing.T
	b       *Broker
	network mem.Network
	cancel  context.CancelFunc
	served  chan error

	mu     sync.Mutex
	events []string
}

var changes = map[Change]string{Joined: "joined", Left: "left", Dropped: "dropped", Skipped: "skipped", Refused: "refused"}

// inRoom runs f in a bubble with a Broker that serves, and checks that nothing is
// left of it: synctest fails if a goroutine is.
func inRoom(t *testing.T, b *Broker, f func(*room)) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, b: b, served: make(chan error, 2)}
		b.Events = func(e BrokerEvent) {
			text := fmt.Sprintf("%s %s %d", e.Name, changes[e.Change], e.Members)
			if e.Err != nil {
				text += ": " + e.Err.Error()
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, text)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r.cancel = cancel
		for _, messages := range []bool{false, true} {
			l, err := (&mem.Listen{Network: &r.network, Name: "room", Messages: messages}).Listen(ctx)
			if err != nil {
				t.Fatal(err)
			}
			go func() { r.served <- b.Serve(ctx, l) }()
		}
		f(r)
		cancel()
		for range 2 {
			if err := <-r.served; err != context.Canceled {
				t.Errorf("Serve returned %v", err)
			}
		}
		b.Close()
	})
}

// dial joins the room and waits until it is in.
func (r *room) dial(messages bool) transport.Conn {
	c, err := (&mem.Dial{Network: &r.network, Name: "room", Messages: messages}).Dial(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	synctest.Wait()
	return c
}

func (r *room) stream() transport.Stream { return r.dial(false).(transport.Stream) }
func (r *room) msgs() transport.MsgConn  { return r.dial(true).(transport.MsgConn) }

// happened checks what has happened since it was last called.
func (r *room) happened(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.events, want) {
		r.t.Errorf("happened: %q, want %q", r.events, want)
	}
	r.events = nil
}

// hears checks what c has received by now.
func (r *room) hears(c transport.Conn, want string) {
	r.t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Microsecond))
	defer c.SetReadDeadline(time.Time{})
	var got strings.Builder
	p := make([]byte, 1<<20)
	for {
		var n int
		var err error
		if m, ok := c.(transport.MsgConn); ok {
			if n, _, err = m.ReadMsg(p); err == nil {
				n += copy(p[n:], "|")
			}
		} else {
			n, err = c.(transport.Stream).Read(p)
		}
		got.Write(p[:n])
		if err != nil {
			break
		}
	}
	if got.String() != want {
		r.t.Errorf("heard %.500q, want %.500q", got.String(), want)
	}
}

func TestBrokerMixesKinds(t *testing.T) {
	inRoom(t, &Broker{}, func(r *room) {
		a, b, m, n := r.stream(), r.stream(), r.msgs(), r.msgs()
		r.happened("user1 joined 1", "user2 joined 2", "user3 joined 3", "user4 joined 4")
		io.WriteString(a, "bytes\nand more")
		synctest.Wait()
		m.WriteMsg([]byte("one"), transport.Meta{})
		m.WriteMsg(nil, transport.Meta{})
		synctest.Wait()
		r.hears(a, "one")
		r.hears(b, "bytes\nand moreone")
		r.hears(m, "bytes\nand more|")
		r.hears(n, "bytes\nand more|one||")
		a.CloseWrite()
		r.happened("user1 left 3")
		b.Close()
		r.happened("user2 left 2")
		transport.Abort(m, nil)
		r.happened("user3 left 1: " + mem.ErrReset.Error())
	})
}

// TestBrokerSkips shows that a message that one member cannot take harms neither it
// nor the sender.
func TestBrokerSkips(t *testing.T) {
	inRoom(t, &Broker{Framing: Lines}, func(r *room) {
		s, m, n := r.stream(), r.msgs(), r.msgs()
		r.happened("user1 joined 1", "user2 joined 2", "user3 joined 3")
		m.WriteMsg([]byte("two\nlines"), transport.Meta{Text: true})
		m.WriteMsg([]byte("fine"), transport.Meta{Text: true})
		r.happened("user1 skipped 3: the message holds a newline, which frame=lines cannot carry")
		r.hears(s, "fine\n")
		r.hears(n, "two\nlines|fine|")
		io.WriteString(s, "ha")
		io.WriteString(s, "lf\nwhole\n")
		synctest.Wait()
		r.hears(n, "half|whole|")
	})
}

// TestSlowMemberIsDropped is the rule for a member that takes nothing at all: the
// sender waits, and after Patience goes on without it. Nobody else loses a byte.
func TestSlowMemberIsDropped(t *testing.T) {
	inRoom(t, &Broker{Queue: 100_000}, func(r *room) {
		sender, quick, slow := r.stream(), r.stream(), r.stream()
		began := time.Now()
		const total = 2_000_000
		received := make(chan int64)
		go func() { n, _ := io.CopyN(io.Discard, quick, total); received <- n }()
		for n := 0; n < total; n += 1000 {
			sender.Write(make([]byte, 1000))
		}
		if n := <-received; n != total {
			t.Errorf("the quick member received %d of %d", n, total)
		}
		if took := time.Since(began); took != DefaultPatience {
			t.Errorf("the sender waited %v, want %v once", took, DefaultPatience)
		}
		r.happened("user1 joined 1", "user2 joined 2", "user3 joined 3", "user3 dropped 2: "+ErrSlow.Error())
		if _, err := io.ReadAll(slow); !errors.Is(err, mem.ErrReset) {
			t.Errorf("the slow member reads %v, want a reset and not an end of file", err)
		}
	})
}

func TestSlowMemberIsDroppedAtOnce(t *testing.T) {
	inRoom(t, &Broker{Queue: 100_000, Drop: true}, func(r *room) {
		sender, _ := r.stream(), r.stream()
		began := time.Now()
		sender.Write(make([]byte, 1_000_000))
		r.happened("user1 joined 1", "user2 joined 2", "user2 dropped 1: "+ErrSlow.Error())
		if took := time.Since(began); took != 0 {
			t.Errorf("the sender waited %v", took)
		}
	})
}

// TestSlowMemberSlowsSender is the rule for a member that takes its time: it gets
// all, and the sender goes at its pace.
func TestSlowMemberSlowsSender(t *testing.T) {
	inRoom(t, &Broker{Queue: 100_000}, func(r *room) {
		sender, slow := r.stream(), r.stream()
		began := time.Now()
		const total = 1_000_000
		go func() {
			for n := 0; n < total; n += 10_000 {
				sender.Write(make([]byte, 10_000))
			}
		}()
		p := make([]byte, 25_000)
		for n := 0; n < total; {
			time.Sleep(time.Second) // of the bubble
			m, err := slow.Read(p)
			if err != nil {
				t.Fatalf("at %d: %v", n, err)
			}
			n += m
		}
		if took := time.Since(began); took < 40*time.Second {
			t.Errorf("a member that takes 25 kB a second had 1 MB after %v", took)
		}
		r.happened("user1 joined 1", "user2 joined 2")
	})
}

func TestManyMembers(t *testing.T) {
	inRoom(t, &Broker{Framing: Lines}, func(r *room) {
		const members, lines = 200, 5
		var all []transport.Stream
		for range members {
			all = append(all, r.stream())
		}
		var wg sync.WaitGroup
		for i, c := range all {
			wg.Go(func() {
				for j := range lines {
					fmt.Fprintf(c, "%d %d\n", i, j)
				}
			})
			wg.Go(func() {
				next := make([]int, members)
				in := bufio.NewScanner(c)
				for range (members - 1) * lines {
					var from, number int
					if !in.Scan() {
						t.Errorf("member %d: %v", i, in.Err())
						return
					}
					if n, _ := fmt.Sscanf(in.Text(), "%d %d", &from, &number); n != 2 || from == i || next[from] != number {
						t.Errorf("member %d reads %q, want number %d", i, in.Text(), next[from])
						return
					}
					next[from]++
				}
			})
		}
		wg.Wait()
		if n := r.b.Len(); n != members {
			t.Errorf("%d members, want %d", n, members)
		}
	})
}

// TestHostStays shows that a host end goes on listening after its end of file, and
// that stopping gives all members what waits for them and a clean end.
func TestHostStays(t *testing.T) {
	inRoom(t, &Broker{}, func(r *room) {
		host, theirs := mem.Pair()
		if err := r.b.Add(theirs); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c := r.stream()
		io.WriteString(host, "hello")
		host.CloseWrite()
		io.WriteString(c, "hello host")
		synctest.Wait()
		r.hears(host, "hello host")
		r.happened("user1 joined 1", "user2 joined 2")
		io.WriteString(c, "last")
		synctest.Wait()
		r.cancel()
		synctest.Wait()
		if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
			t.Errorf("a client reads %q, error %v; want all and a clean end", got, err)
		}
		go r.b.Close()
		synctest.Wait()
		if got, err := io.ReadAll(host); string(got) != "last" || err != nil {
			t.Errorf("the host reads %q, error %v; want all and a clean end", got, err)
		}
		c.Close()
		synctest.Wait()
		if err := r.b.Add(mustClose(t)); err == nil {
			t.Error("Add after Close succeeds")
		}
	})
}

// mustClose returns an end that the Broker has to close.
func mustClose(t *testing.T) transport.Conn {
	a, b := mem.Pair()
	t.Cleanup(func() {
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("an end that was refused is still open: %v", err)
		}
	})
	return a
}

func TestStoppingIsBounded(t *testing.T) {
	inRoom(t, &Broker{}, func(r *room) {
		sender, stuck := r.stream(), r.stream()
		sender.Write(make([]byte, 500_000))
		synctest.Wait()
		began := time.Now()
		r.cancel()
		for range 2 {
			<-r.served
		}
		if took := time.Since(began); took != drainTime {
			t.Errorf("stopping took %v, want %v", took, drainTime)
		}
		r.mu.Lock()
		if want := "user2 left 0: " + ErrCut.Error(); !slices.Contains(r.events, want) && !slices.Contains(r.events, strings.Replace(want, "0", "1", 1)) {
			t.Errorf("happened: %q, want %q among it", r.events, want)
		}
		r.mu.Unlock()
		stuck.Close()
		r.served <- context.Canceled
		r.served <- context.Canceled
	})
}
