package meet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// Whatever a stranger does before it has named a room ends soon.
func TestStrangers(t *testing.T) {
	peertest.Hostile(t, 2*silence, func(s transport.Stream) {
		n := new(peertest.World).Node("self", nil)
		m := New(n)
		defer m.Close()
		m.handle(s)
	}, nil)
}

// frame makes a frame as somebody does who does not care for limits.
func framed(kind byte, content ...byte) []byte {
	return append([]byte{kind, byte(len(content) >> 16), byte(len(content) >> 8), byte(len(content))}, content...)
}

func rows(bs ...[]byte) (p []byte) {
	for _, b := range bs {
		p = frame.AppendRow(p, b)
	}
	return p
}

func pushes(blobs ...Blob) (p []byte) {
	for _, b := range blobs {
		p = append(p, framed(framePush, rows(b.Bytes)...)...)
	}
	return p
}

// A sending is what a member sends who does not keep to the rules, and whether that ends the session.
type sending struct {
	p    []byte
	ends bool
}

var lost = event(1<<40, "x", "lost")

func frames() map[string]sending {
	return map[string]sending{
		"a frame that is too long":      {[]byte{framePush, 0xff, 0xff, 0xff}, true},
		"a message that is too long":    {[]byte{frameSync, 4, 0, 2}, true},
		"an unknown frame":              {framed(99, 1, 2, 3), false},
		"a second hello":                {framed(frameHello, make([]byte, 33)...), true},
		"gone":                          {framed(frameGone), true},
		"half a frame":                  {framed(framePush, 5, 1), true},
		"no event":                      {framed(framePush), true},
		"an empty event":                {framed(framePush, 0), true},
		"an event that is too long":     {framed(framePush, rows(make([]byte, MaxEvent+1))...), true},
		"an event that is not valid":    {pushes(Blob{Bytes: append(event(1, "x", "").Bytes, "invalid"...)}), true},
		"an endless number":             {framed(framePush, bytes.Repeat([]byte{0xff}, 40)...), true},
		"a number in a long form":       {framed(framePush, 0x81, 0), true},
		"an answer without a question":  {framed(frameEvents, append([]byte{9}, rows(lost.Bytes)...)...), true},
		"an end without a question":     {framed(frameEnd, 77), true},
		"an end with more":              {framed(frameEnd, 1, 2), true},
		"a question for nothing":        {framed(frameWant, 1), true},
		"half an ID":                    {framed(frameWant, make([]byte, 1+33)...), true},
		"a question for too many":       {framed(frameWant, make([]byte, 1+32*(maxAsked+1))...), true},
		"questions for what is not":     {framed(frameWant, make([]byte, 1+32)...), false},
		"an answer to no exchange":      {framed(frameSync, 1, 1, 0, 0, 0), true},
		"an exchange of nobody":         {framed(frameSync, 2, 1, 0, 0, 0), true},
		"half an exchange":              {framed(frameSync, 0, 1), true},
		"rubbish as a mark":             {framed(frameMarks, rows([]byte("invalid"))...), true},
		"a mark that is too long":       {framed(frameMarks, rows(make([]byte, MaxRow+1))...), true},
		"no marks":                      {framed(frameMarks), true},
		"half a known row":              {framed(frameKnown, make([]byte, knownSize+1)...), true},
		"too many known rows":           {framed(frameKnown, make([]byte, knownSize*(maxNamed+1))...), true},
		"known rows twice":              {append(framed(frameKnown), framed(frameKnown)...), true},
		"an empty note":                 {framed(frameNote), true},
		"a note that is too long":       {framed(frameNote, make([]byte, MaxNote+1)...), true},
		"no keys":                       {framed(frameHave), true},
		"half a key":                    {framed(frameHave, make([]byte, keySize+1)...), true},
		"too many keys":                 {framed(frameHave, make([]byte, keySize*(maxHave+1))...), true},
		"keys of what is not":           {framed(frameHave, make([]byte, keySize)...), false},
		"no places":                     {framed(framePeers), true},
		"half a place":                  {framed(framePeers, make([]byte, 31)...), true},
		"a place of nobody":             {framed(framePeers, make([]byte, 33)...), true},
		"too many places":               {framed(framePeers, somewhere(peer.MaxContacts+1, "192.0.2.1:1")...), true},
		"too many addresses":            {framed(framePeers, somewhere(1, slices.Repeat([]string{"192.0.2.1:1"}, peer.MaxContactAddrs+1)...)...), true},
		"an address with an ESC":        {framed(framePeers, somewhere(1, "192.0.2.1\x1b[2J:1")...), true},
		"a place of a stranger":         {framed(framePeers, somewhere(1, "192.0.2.1:1")...), false},
		"a turn with more":              {framed(frameLazy, 1), true},
		"an event without its parents":  {pushes(event(1<<41, "x", "child", lost.ID)), true},
		"an event that is its own past": {pushes(event(5, "x", "early", lost.ID), lost), false},
	}
}

// floods are the same, and more.
func floods() map[string]sending {
	whole := append([]byte{0, 1, 0, 0, 1}, make([]byte, 16)...)
	var deep []byte
	for _, b := range slices.Backward(chain("deep", 1<<40, 5000)) {
		deep = append(deep, pushes(b)...)
	}
	return map[string]sending{
		"100,000 keys of what is not":    {haves(100_000), false},
		"turns, 100,000 times":           {bytes.Repeat(append(framed(frameLazy), framed(frameEager)...), 50_000), false},
		"places of 32,000 strangers":     {bytes.Repeat(framed(framePeers, somewhere(peer.MaxContacts, slices.Repeat([]string{strings.Repeat("x", peer.MaxContactAddr)}, peer.MaxContactAddrs)...)...), 1000), false},
		"too many questions":             {bytes.Repeat(framed(frameWant, make([]byte, 1+32*maxAsked)...), 1000), true},
		"many exchanges at once":         {bytes.Repeat(framed(frameSync, whole...), 100), true},
		"20,000 notes":                   {bytes.Repeat(framed(frameNote, 1), 20_000), false},
		"5,000 events, the last first":   {deep, false},
		"the same event 30,000 times":    {bytes.Repeat(pushes(lost), 30_000), false},
		"11,000 events without parents":  {pushes(strays(11_000, 100)...), false},
		"events of 64 KiB without those": {pushes(strays(300, 64<<10)...), false},
	}
}

func haves(n int) (p []byte) {
	for n > 0 {
		part := make([]byte, 0, maxHave*keySize)
		for range min(n, maxHave) {
			part = append(binary.BigEndian.AppendUint64(part, uint64(n)), make([]byte, 32)...)
			n--
		}
		p = append(p, framed(frameHave, part...)...)
	}
	return p
}

// somewhere are places of n devices that nobody knows, all with the same addresses.
func somewhere(n int, addrs ...string) (p []byte) {
	for i := range n {
		id := peer.KeyFromSeed(sha256.Sum256(fmt.Appendf(nil, "device %d", i))).ID()
		p = peer.AppendContacts(p, peer.Contact{ID: id, Addrs: addrs})
	}
	return p
}

// strays are events whose parents nobody has.
func strays(n, size int) (blobs []Blob) {
	for i := range n {
		blobs = append(blobs, event(1<<41+uint64(i), "stray", string(make([]byte, size)), sha256.Sum256(fmt.Appendf(nil, "nothing %d", i))))
	}
	return blobs
}

// A member who does not keep to the rules hurts nobody but itself: others get what is said, what is held is
// bounded and given back, and who has broken the rules is not let in again for a while.
func TestHostileMembers(t *testing.T) {
	all := frames()
	maps.Copy(all, floods())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				a := w.party("a")
				bad := w.Node("bad", nil)
				defer bad.Close() //nolint:errcheck // it returns nil
				w.admit(bad.Self())
				s := enter(t, bad, a)
				played := make(chan struct{})
				most := int64(0)
				go func() {
					defer close(played)
					s.Write(c.p)                 //nolint:errcheck // hostile
					time.Sleep(90 * time.Second) // reads nothing meanwhile
					s.Close()                    //nolint:errcheck // it returns nil
				}()
				for range 100 {
					time.Sleep(10 * time.Millisecond)
					synctest.Wait()
					most = max(most, a.meet.held.Used())
				}
				if most > maxRoomHeld+maxFrame {
					t.Errorf("%d bytes are held for it", most)
				}
				b := w.party("b")
				a.MembersChanged()
				time.Sleep(3 * time.Second)
				e := a.say("hello")
				time.Sleep(time.Second)
				if !b.has(e) {
					t.Error("another one has not got what was said")
				}
				<-played
				synctest.Wait()
				_, err := try(bad, a)
				if shut := err != nil; shut != c.ends && name != "gone" {
					t.Errorf("it may come again: %v, want %v", !shut, !c.ends)
				}
			})
		})
	}
}

// try opens a stream as a member does.
func try(from *peertest.Node, to *party) (transport.Stream, error) {
	s, err := from.Open(to.ctx, to.node.Self(), Proto)
	if err != nil {
		return nil, err
	}
	writeHello(s, tag(secret, from.Self(), to.node.Self())) //nolint:errcheck // the answer tells
	p := make([]byte, frame.HeadSize+33)
	if _, err := io.ReadFull(s, p); err != nil {
		return nil, err
	}
	s.SetReadDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the read tells
	// The whole first frame, which tells what rows there are: whoever reads on reads frames.
	_, err = io.ReadFull(s, p[:frame.HeadSize])
	if err == nil {
		_, err = io.CopyN(io.Discard, s, int64(p[1])<<16|int64(p[2])<<8|int64(p[3]))
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		return nil, err
	}
	s.SetReadDeadline(time.Time{}) //nolint:errcheck // the next read tells
	return s, nil
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func enter(t *testing.T, from *peertest.Node, to *party) transport.Stream {
	t.Helper()
	s, err := try(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A liar says that it has events, and does not give them.
func TestLiar(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		events := chain("good", 1<<40, 100)
		a := w.party("a")
		liar := w.Node("liar", nil)
		defer liar.Close() //nolint:errcheck // it returns nil
		w.admit(liar.Self())
		var claims rbsr.Set
		claims.Add(keysOf(events)...)
		s := enter(t, liar, a)
		lied := make(chan error, 1)
		go func() {
			x, m := rbsr.Begin(&claims, rbsr.Key{})
			s.Write(framed(frameSync, append([]byte{0}, m...)...)) //nolint:errcheck // hostile
			in := bufio.NewReader(s)
			for {
				kind, p, err := readFrame(in)
				switch {
				case err != nil:
					lied <- err
					return
				case kind == frameSync && p[0] == 1:
					if m, _ := x.Take(p[1:]); m != nil {
						s.Write(framed(frameSync, append([]byte{0}, m...)...)) //nolint:errcheck // hostile
					}
				case kind == frameWant:
					n, _, _ := frame.Number(p)
					s.Write(framed(frameEnd, binary.AppendUvarint(nil, n)...)) //nolint:errcheck // hostile
				}
			}
		}()
		if err := <-lied; errors.Is(err, io.EOF) {
			t.Errorf("the liar's stream has ended in order: %v", err)
		}
		w.party("good", with(events...))
		w.equal(10 * time.Minute)
	})
}

// Of a flood of one author only so much is taken at once as the rate allows, and what others say
// arrives as ever. Later all have the same.
func TestFlood(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		limited := func(c *Config) { c.Rate = DefaultRate }
		flooder, a, b := w.party("flooder"), w.party("a", limited), w.party("b", limited)
		time.Sleep(5 * time.Second)
		flood := chain("flooder", clock(), 500)
		for i := range flood {
			flood[i] = event(clock()+uint64(i), "flooder", fmt.Sprint(i))
		}
		flooder.add(flood...)
		flooder.Push(flood...)
		time.Sleep(time.Second)
		if n := a.set.index.Len(); n > 2*DefaultRate {
			t.Errorf("a has taken %d events", n)
		}
		e := a.say("hello")
		time.Sleep(time.Second)
		if !b.has(e) {
			t.Error("b has not got what a says")
		}
		w.equal(time.Hour)
		if n := b.set.index.Len(); n != 501 {
			t.Errorf("b has %d events", n)
		}
	})
}

// Of one who says too much, others have taken something else. What they say comes at once, with what was before it, and for this
// a flood is taken once more as fast, and no faster.
func TestFloodBeforeAWord(t *testing.T) {
	for name, test := range map[string]struct{ before, soon int }{"a little": {2 * DefaultRate, 2*DefaultRate + 1}, "much": {20 * DefaultRate, DefaultRate}} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				time.Sleep(time.Until(time.Now().Truncate(Span).Add(Span))) // what follows is in one
				a, b := w.party("a", func(c *Config) { c.Rate = DefaultRate }), w.party("b")
				flood := chain("flooder", clock(), 1)
				for i := range test.before - 1 {
					flood = append(flood, event(flood[i].Time+1, "flooder", fmt.Sprint(i), flood[i].ID))
				}
				time.Sleep(time.Second)
				b.add(flood...)
				b.Push(flood...)
				time.Sleep(time.Second)
				if n := a.set.index.Len(); n != DefaultRate {
					t.Errorf("of the flood %d events are taken", n)
				}
				b.say("hello")
				time.Sleep(time.Second)
				if n := a.set.index.Len(); n != test.soon { // of much, what is let in lacks what is before it
					t.Errorf("with what b says there are %d, want %d", n, test.soon)
				}
				w.equal(time.Hour)
			})
		})
	}
}

// What was said slowly is taken at once, however late.
func TestRateIsOfTimes(t *testing.T) {
	now := time.Now()
	var s slots
	for i := range 60 * DefaultRate {
		at := now.Add(-recent + time.Duration(i)*Span/DefaultRate)
		b := event(uint64(at.UnixMilli())<<16, "a", fmt.Sprint(i))
		if _, ok := s.take(&candidate{Blob: b}, DefaultRate+1, now); !ok {
			t.Fatalf("event %d was not taken", i)
		}
	}
	for i := range maxSlots * 2 {
		b := event(uint64(now.UnixMilli())<<16, fmt.Sprint("author ", i), "")
		s.take(&candidate{Blob: b}, DefaultRate, now)
	}
	if len(s.counts) > maxSlots+1 {
		t.Errorf("%d are counted", len(s.counts))
	}
}

// Frames from anybody are read without harm; what was read is written the same.
func FuzzFrames(f *testing.F) {
	for _, c := range frames() {
		if len(c.p) < 1000 {
			f.Add(c.p)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(p), readSize)
		for {
			kind, content, err := readFrame(in)
			if err != nil {
				return
			}
			switch kind {
			case frameWant:
				if w, err := parseWant(content); err == nil && !bytes.Equal(w.append(nil), content) {
					t.Errorf("%x is another form of %x", w.append(nil), content)
				}
			case framePeers:
				if got, err := peer.ParseContacts(content); err == nil && !bytes.Equal(peer.AppendContacts(nil, got...), content) {
					t.Errorf("%x is another form of %x", peer.AppendContacts(nil, got...), content)
				}
			case framePush, frameMarks:
				if got, err := frame.Rows(content, MaxEvent); err == nil && !bytes.Equal(rows(got...), content) {
					t.Errorf("%x is another form of %x", rows(got...), content)
				}
			}
		}
	})
}
