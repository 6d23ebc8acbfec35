package load

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// What was said to warm up arrives late where there is much to do, and was counted as said at the rate that is measured.
func TestWarmUpDoesNotCount(t *testing.T) {
	speaker, receiver := net.Pipe()
	d := &delivery{o: &options{}, warm: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.receive(receiver)
	}()
	v := &voice{conn: speaker, way: chats["lines"], message: bytes.Repeat([]byte{'x'}, 200)}
	say := func() {
		if err := v.say(); err != nil {
			t.Error(err)
		}
	}
	say()
	<-d.warm
	d.since.Store(time.Now().Add(time.Hour).UnixNano()) // as if this one had been said before
	say()
	if _, err := speaker.Write([]byte{'\n'}); err != nil { // it is read when the one before has been looked at
		t.Error(err)
	}
	d.since.Store(1)
	say()
	speaker.Close()
	<-done
	if n := d.got.Load(); n != 1 || len(d.times) != 1 {
		t.Errorf("%d messages count, with %d times", n, len(d.times))
	}
}
