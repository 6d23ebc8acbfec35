package reach

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
)

// awaitState waits until bob has alice in a state, and returns how long that took.
func awaitState(bob *computer, state string, most time.Duration) (time.Duration, bool) {
	start := time.Now()
	for {
		for _, p := range bob.peers() {
			if p.Name == "alice" && p.State == state {
				return time.Since(start), true
			}
		}
		if time.Since(start) > most {
			return 0, false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// firstTalk opens a conversation with alice, which may not have told her relay yet where she is.
func firstTalk(bob *computer) (v *conversation, took time.Duration, err error) {
	for range 20 {
		start := time.Now()
		if v, err = bob.talk(); err == nil {
			return v, time.Since(start), nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil, 0, err
}

// TestEveryPair has two nodes behind routers of all kinds; in an ordinary run, of some. Times are those that
// a user sees, with the start of a program; how much that is, the next time shows.
func TestEveryPair(t *testing.T) {
	i := newInternet(t)
	i.makeBlob(1)
	alice, bob := i.pair()
	wire := &natlab.Wire{Delay: 20 * time.Millisecond}
	kinds := []natlab.Kind{natlab.Port}
	if *full {
		kinds = natlab.Kinds
	}
	var table strings.Builder
	for _, a := range kinds {
		for _, b := range kinds {
			t.Run(fmt.Sprintf("%s-to-%s", b, a), func(t *testing.T) {
				i.move(alice, bob, i.RouterWith(natlab.RouterOptions{Kind: a, Families: natlab.V4, Wire: wire}),
					i.RouterWith(natlab.RouterOptions{Kind: b, Families: natlab.V4, Wire: wire}))
				v, first, err := firstTalk(bob)
				if err != nil {
					t.Fatal(err)
				}
				direct, is := awaitState(bob, "direct", 8*time.Second)
				if _, err = v.end(); err != nil {
					t.Error(err)
				}
				begin := time.Now()
				if v, err = bob.talk(); err != nil {
					t.Fatal(err)
				}
				again := time.Since(begin)
				if _, err = v.end(); err != nil {
					t.Error(err)
				}
				state := "relayed"
				if is {
					state = fmt.Sprintf("direct %5d ms later", direct.Milliseconds())
				}
				fmt.Fprintf(&table, "%-12s %-12s first byte %4d ms, the next time %4d ms  %s\n", b, a, first.Milliseconds(), again.Milliseconds(), state)
				if !is && canPunch(a, b) {
					t.Error("not direct")
				}
			})
		}
	}
	t.Logf("at a round trip of 80 ms:\n%s", &table)
}

// canPunch says which pairs become direct; see package punch.
func canPunch(a, b natlab.Kind) bool {
	noUDP := func(k natlab.Kind) bool { return k == natlab.UDPBlocked || k == natlab.TCPOnly }
	switch {
	case a == natlab.TCPOnly || b == natlab.TCPOnly, a.Hard() && b.Hard():
		return false
	case noUDP(a) || noUDP(b):
		return !a.Hard() && !b.Hard()
	}
	return true
}
