//go:build linux

package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// testSkip publishes ten messages to a member that reads none and has room for so
// many. It gets the newest, and is told how many it has lost.
func testSkip(t *testing.T, b Bus, room, pad int) {
	b.Name = at(t)
	publisher, slow := member(t, Bus{Name: b.Name}), member(t, b)
	text := func(n int) string { return fmt.Sprintf("%0*d", pad, n) }
	for n := range 10 {
		say(t, publisher, text(n))
	}
	eventually(t, "the loss", func() bool { return slow.Lost() == uint64(10-room) })
	for n := 10 - room; n < 10; n++ {
		wantHear(t, slow, text(n))
	}
	wantSilence(t, slow)
	if lost := slow.Lost(); lost != uint64(10-room) || slow.Dropped() != int64(lost) {
		t.Errorf("%d are lost, want %d", lost, 10-room)
	}
}

// testCut checks that a member with slow=cut gets what fits, and then the error, and
// that nobody else is harmed.
func testCut(t *testing.T) {
	p := at(t)
	publisher, slow, other := member(t, Bus{Name: p}), member(t, Bus{Name: p, Slow: Cut, Queue: 4}), member(t, Bus{Name: p})
	say(t, publisher, strings.Fields("0 1 2 3 4 5 6 7 8 9")...)
	eventually(t, "the cut", func() bool {
		slow.mu.Lock()
		defer slow.mu.Unlock()
		return slow.failed != nil
	})
	if err := slow.WriteMsg(nil, textMeta); !errors.Is(err, ErrSlow) {
		t.Errorf("publishing after the cut: error %v, want ErrSlow", err)
	}
	for n := 0; ; n++ {
		text, err := listenFor(slow, patience)
		if errors.Is(err, ErrSlow) {
			if n > 4 {
				t.Errorf("%d messages came, and there is room for 4", n)
			}
			break
		}
		if err != nil || text != fmt.Sprint(n) {
			t.Fatalf("message %d is %q, error %v", n, text, err)
		}
	}
	wantHear(t, other, strings.Fields("0 1 2 3 4 5 6 7 8 9")...)
	say(t, publisher, "go on")
	wantHear(t, other, "go on")
}

// A member with slow=wait loses nothing, however fast the others are.
func TestWait(t *testing.T) {
	p := at(t)
	publisher, slow := member(t, Bus{Name: p}), member(t, Bus{Name: p, Slow: Wait, Queue: 2})
	const messages = 100
	big := strings.Repeat("x", 64<<10)
	done := start(func() error {
		for n := range messages {
			publisher.SetWriteDeadline(time.Now().Add(patience))
			if err := publisher.WriteMsg([]byte(fmt.Sprint(n, big)), textMeta); err != nil {
				return err
			}
		}
		return nil
	})
	select {
	case err := <-done:
		t.Fatalf("the publisher was not held up; error %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	for n := range messages {
		wantHear(t, slow, fmt.Sprint(n, big))
	}
	if err := await(t, done, "publishing"); err != nil || slow.Lost() != 0 {
		t.Errorf("error %v, %d lost", err, slow.Lost())
	}
}

// One that never reads holds the others up once, for holdTime, and is cut then. Were it
// to hold up each message, this would take longer than anybody waits here.
func TestWaitEnds(t *testing.T) {
	p := at(t)
	publisher, slow, other := member(t, Bus{Name: p}), member(t, Bus{Name: p, Slow: Wait, Queue: 2}), member(t, patient(p))
	const messages = 100
	big := strings.Repeat("x", 64<<10)
	begin := time.Now()
	done := start(func() error {
		for n := range messages {
			if err := publisher.WriteMsg([]byte(fmt.Sprint(n, big)), textMeta); err != nil {
				return err
			}
		}
		return publisher.CloseWrite()
	})
	for n := range messages {
		wantHear(t, other, fmt.Sprint(n, big))
	}
	if err := await(t, done, "publishing"); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < holdTime {
		t.Errorf("it took %v; the one that waits holds the others up for %v", took, holdTime)
	}
	for n := 0; ; n++ {
		text, err := listenFor(slow, patience)
		if errors.Is(err, ErrSlow) {
			t.Logf("%d messages were there to read", n)
			return
		}
		if err != nil || text != fmt.Sprint(n, big) {
			t.Fatalf("message %d: %.10q, error %v", n, text, err)
		}
	}
}
