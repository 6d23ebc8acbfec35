package relay

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestLoopsFillUp: joints are on one loop until that is full, and more of them are
// spread.
func TestLoopsFillUp(t *testing.T) {
	e, err := New(2)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	add := func() {
		var fds [2]int
		for i := range fds {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(pair[1]) })
			fds[i] = pair[0]
		}
		if _, err := e.Start(fds[0], fds[1], Options{}, func(Result) {}); err != nil {
			t.Fatal(err)
		}
	}
	for range fullLoop {
		add()
	}
	if len(e.loops) != 1 {
		t.Fatalf("%d loops for %d joints", len(e.loops), fullLoop)
	}
	for range fullLoop + 10 {
		add()
	}
	if len(e.loops) != 2 {
		t.Fatalf("%d loops for %d joints, want 2", len(e.loops), 2*fullLoop+10)
	}
	for i, l := range e.loops {
		if n := l.joints.Load(); n != fullLoop+5 {
			t.Errorf("loop %d has %d joints, want %d", i, n, fullLoop+5)
		}
	}
}
