package swarm

import (
	"runtime"
	"testing"
	"time"
)

// A node holds little of each of the peers that are connected to it and silent: here, where both
// sides are in one process, twice that.
func TestIdlePeers(t *testing.T) {
	if raceDetector {
		t.Skip("it needs larger stacks")
	}
	const many, most = 200, 60 << 10
	hub := newNet(t, nil, loopback)
	var all []*Network
	for range many {
		n := newNet(t, nil, loopback)
		meet(n, hub)
		all = append(all, n)
	}
	memory := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	before := memory()
	for _, n := range all {
		if err := n.Connect(t.Context(), hub.Self()); err != nil {
			t.Fatal(err)
		}
	}
	awaitLinks(t, hub, func() bool {
		for _, n := range all {
			if !hub.linkedDirectly(n.lib()) {
				return false
			}
		}
		return true
	})
	each := int64(0)
	for range 100 {
		if each = (memory() - before) / many / 2; each <= most {
			break
		}
		time.Sleep(50 * time.Millisecond) // what the handshakes have needed is given back
	}
	if each > most {
		t.Errorf("an idle peer costs %d bytes, want %d at most", each, most)
	}
}
