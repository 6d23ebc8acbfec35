package datagram

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A datagram with no label of its sender is thrown away: one that there is not, that is of
// another peer, that is not open yet, or over.
func TestStrays(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		mallory := p.w.Node("mallory", nil)
		defer mallory.Close() //nolint:errcheck // it returns nil
		p.b.Serve("hello", func(transport.Stream) {})
		if _, err := mallory.Open(p.t.Context(), p.b.Self(), "hello"); err != nil {
			t.Fatal(err)
		}
		send := func(from *peertest.Node, label uint32, what string) {
			t.Helper()
			before := p.mb.Strays()
			if err := from.SendDatagram(p.b.Self(), label, []byte(what)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * delay)
			if p.mb.Strays() != before+1 {
				t.Errorf("%s is taken", what)
			}
		}
		// Whoever answers is open when it was asked, and not before.
		n, f := p.lanes()
		early := p.mb.Answer(p.a.Self(), f)
		send(p.a, early.label, "before it is open")
		n.Close()     //nolint:errcheck // it is over
		early.Close() //nolint:errcheck // it is over
		near, far := p.open()
		for _, label := range []uint32{0, far.label + 1, 1<<32 - 1} {
			send(p.a, label, "of no Conn")
		}
		send(mallory, far.label, "of another peer")
		p.write(near, "of the Conn")
		p.reads(far, time.Second, "of the Conn", "i/o timeout")
		far.Close() //nolint:errcheck // it is over
		send(p.a, far.label, "of one that is over")
	})
}

// Whoever sends more than is read has what is too much dropped, which is counted; each Conn
// has its bounds, each peer, and all together. Empty messages cost something, too.
func TestFlood(t *testing.T) {
	for name, size := range map[string]int{"long": 1000, "empty": 0} {
		t.Run(name, func(t *testing.T) {
			o := Options{Queue: 10_000, Memory: 25_000, AllMemory: 30_000}
			virtually(t, o, func(p *pair) {
				var near, far []*Conn
				for range 4 {
					n, f := p.open()
					near, far = append(near, n), append(far, f)
				}
				for i, n := range near {
					for range 400 {
						p.write(n, string(make([]byte, size)))
					}
					time.Sleep(time.Second)
					most := min(int64(i+1)*o.Queue, o.Memory)
					if used := p.mb.memory.Used(); used > most || used < most/2 {
						t.Errorf("%d bytes are held of %d Conns", used, i+1)
					}
				}
				for i, f := range far {
					s := f.Status()
					if s.Dropped == 0 || s.Dropped+s.Received != 400 {
						t.Errorf("Conn %d: %+v", i, s)
					}
					for range s.Received {
						p.reads(f, time.Second, string(make([]byte, size)))
					}
					p.write(near[i], "and on")
					p.reads(f, time.Second, "and on")
				}
			})
		})
	}
}

// A peer that tells labels again and again, or ones that cannot be, gets nothing by it.
func TestLyingLabels(t *testing.T) {
	virtually(t, Options{}, func(p *pair) {
		n, f := p.lanes()
		far := p.mb.Answer(p.a.Self(), f)
		told := 0
		n.OnLabel(func(uint32) { told++ })
		for i := range 1000 {
			if err := n.WriteLabel(uint32(i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		came := make(chan uint32, 1)
		stopA := p.ma.stop
		stopA()
		defer p.a.ServeDatagrams(func(_ peer.ID, label uint32, _ []byte) { came <- label })()
		p.write(far, "x")
		if label := <-came; label != 1 {
			t.Errorf("it is sent with label %d", label)
		}
		p.read(n, time.Second) // what is told comes with what is read
		if told != 1 {
			t.Errorf("it was answered %d times", told)
		}
		n.Close() //nolint:errcheck // it is over
	})
}

// What the lane carries is not dropped when nobody reads: who writes waits, and others do not.
func TestLaneWaits(t *testing.T) {
	virtually(t, Options{Queue: 5_000}, func(p *pair) {
		p.w.NoDatagrams(p.a, p.b, true)
		near, far := p.open()
		sent := 0
		near.SetWriteDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // it shows below
		for ; near.WriteMsg(make([]byte, 1000), transport.Meta{}) == nil; sent++ {
			if sent > 100_000 {
				t.Fatal("it never waits")
			}
		}
		near.SetWriteDeadline(time.Time{}) //nolint:errcheck // it shows below
		if used := p.mb.memory.Used(); used > 5_000 {
			t.Errorf("%d bytes are held", used)
		}
		go p.write(near, "the last") // behind what the deadline has left of a message
		for range sent {
			p.reads(far, time.Minute, string(make([]byte, 1000)))
		}
		p.reads(far, time.Minute, "the last")
	})
}

// Whatever comes as datagrams and frames panics nobody, and leaves nothing behind.
func FuzzMux(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 1, 5, 0, 0, 0, 2, 'x'}, []byte{6, 0, 0, 4, 0, 0, 0, 9, 1, 0, 0, 1, 'y'})
	f.Add([]byte{0, 1, 2, 3}, []byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, datagrams, frames []byte) {
		virtually(t, Options{Queue: 1000}, func(p *pair) {
			s, err := p.la.Open(p.t.Context(), p.b.Self(), "test")
			if err != nil {
				t.Fatal(err)
			}
			far := p.mb.Answer(p.a.Self(), lane(<-p.accepted))
			go s.Write(frames) //nolint:errcheck // hostile
			for len(datagrams) > 0 {
				n := min(int(datagrams[0]), len(datagrams)-1)
				if label, b, ok := peer.ParseDatagram(datagrams[1 : 1+n]); ok {
					p.a.SendDatagram(p.b.Self(), label%4, b) //nolint:errcheck // hostile
				}
				datagrams = datagrams[1+n:]
				far.WriteMsg([]byte("x"), transport.Meta{}) //nolint:errcheck // it may be over
				synctest.Wait()
			}
			time.Sleep(time.Second)
			if used := p.mb.memory.Used(); used > 1000+1<<20+perMessage {
				t.Errorf("%d bytes are held", used)
			}
			s.Close() //nolint:errcheck // it is over
			for {
				far.SetReadDeadline(time.Now().Add(time.Second)) //nolint:errcheck // it shows below
				if _, _, err := far.LendMsg(); err != nil {
					break
				}
			}
		})
	})
}
