package node_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/join"
)

// A silent joint through peers holds a goroutine at each of the two sides, which waits for the other
// one, and at the side that was asked one more, which waits for the end. Nobody waits for a socket. They
// wait near the bottom of their stacks, which shrink to half when less than a quarter of them is in use:
// 8 KiB for who waits for the other side, 4 KiB for the third.
func TestIdleGoroutines(t *testing.T) {
	const many = 50
	_, bob := benchNodes(t, target(t, func(c net.Conn) { // this is one more
		io.Copy(c, c)
		c.Close()
	}))
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), ends.Kinds(bob)...)}
	acc, err := o.Listen(t.Context(), "tcp-listen:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		o.Serve(ctx, acc, "peer:alice/x", join.Options{})
	}()
	defer func() { stop(); <-over }()
	use := func(n int) {
		for range n {
			c, err := net.Dial("tcp", acc.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(20 * time.Second))
			p := []byte("x")
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	use(1)
	stacks := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.StackInuse)
	}
	before, small := runtime.NumGoroutine(), stacks()
	use(many)
	eventually(t, func() bool { return runtime.NumGoroutine()-before <= (2+1+1)*many+10 })
	if raceDetector {
		return // it needs larger stacks
	}
	const most = 8 + 8 + 4 + 4 + 4 // KiB: one of them is of who serves the target here, and some are about to shrink
	eventually(t, func() bool { return stacks()-small <= most<<10*many })
}
