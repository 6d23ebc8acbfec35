package reach

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
)

// TestDatagrams sends through a service that is UDP while packets are lost on the way: the
// messages behind a lost one arrive as fast as all others. Beside it goes the same without
// datagrams, to compare: there none is lost, and those behind one wait.
func TestDatagrams(t *testing.T) {
	const trip = 40 * time.Millisecond
	many, loss := 200, 5.0
	if *full {
		many, loss = 5000, 1
	}
	i := newInternet(t)
	i.makeBlob(1)
	alice, bob := i.pair()
	home := i.RouterWith(natlab.RouterOptions{Kind: natlab.Port, Families: natlab.V4, Wire: &natlab.Wire{Delay: trip / 2}})
	i.move(alice, bob, i.RouterWith(natlab.RouterOptions{Kind: natlab.Public, Families: natlab.V4}), home)
	target := udpEchoAt(t, alice.host)
	alice.must("serve", "dns", target, "--to", "paired")
	alice.background("peer-listen:lane,messages,to=paired", target)
	ports := map[string]string{"dns": "5301", "lane": "5302"}
	conns := map[string]net.Conn{}
	for name, port := range ports {
		bob.background("udp-listen:127.0.0.1:"+port, "peer:alice/"+name)
		if err := bob.host.Do(func() (err error) { conns[name], err = net.Dial("udp", "127.0.0.1:"+port); return err }); err != nil {
			t.Fatal(err)
		}
		defer conns[name].Close()
		if !answersWithin(conns[name], time.Minute) {
			t.Fatalf("nothing comes back from %s", name)
		}
	}
	began := time.Now()
	for _, c := range []*computer{alice, bob} {
		for end := time.Now().Add(time.Minute); !strings.Contains(c.must("--json", "status"), `"datagrams":true`); {
			if time.Now().After(end) {
				t.Fatalf("%s sends no datagrams: %s", c.name, c.must("--json", "status"))
			}
		}
	}
	t.Logf("datagrams after %v", time.Since(began).Round(time.Millisecond))
	home.SetWire(natlab.Wire{Delay: trip / 2, Loss: loss})
	done := make(chan sample, 1)
	go func() { done <- measure(conns["lane"], many) }()
	dns := measure(conns["dns"], many)
	lane := <-done
	home.SetWire(natlab.Wire{Delay: trip / 2})
	t.Logf("at %v %% loss: with datagrams %v", loss, dns)
	t.Logf("without: %v", lane)
	behind := dns.behindLost()
	if len(behind) == 0 {
		t.Fatal("nothing was lost: there are no datagrams")
	}
	if got, all := median(behind), median(dns.came()); got > all+trip {
		t.Errorf("%d messages behind a lost one take %v, all %v", len(behind), got, all)
	}
	if n := len(lane.came()); n < many {
		t.Errorf("without datagrams %d of %d came", n, many)
	}
}

// background runs the program until the test ends, and returns when it listens.
func (c *computer) background(args ...string) {
	c.t.Helper()
	cmd := c.command(append(args, "--ready-fd", "3")...)
	c.ready(cmd)
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		stop := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer stop.Stop()
		_ = cmd.Wait()
	})
}

// udpEchoAt answers datagrams in a host, and returns the address to send them to from there.
func udpEchoAt(t *testing.T, h *natlab.Host) string {
	t.Helper()
	var u net.PacketConn
	err := h.Do(func() (err error) { u, err = net.ListenPacket("udp", "127.0.0.1:0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := make([]byte, 64<<10)
		for {
			n, from, err := u.ReadFrom(p)
			if err != nil {
				return
			}
			u.WriteTo(p[:n], from)
		}
	}()
	t.Cleanup(func() {
		u.Close()
		<-done
	})
	return "udp:" + u.LocalAddr().String()
}

// answersWithin sends again and again, until something comes back, and takes all that does.
func answersWithin(c net.Conn, limit time.Duration) bool {
	p, there := make([]byte, 2000), false
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if !there {
			c.Write(make([]byte, 8)) // a number that is not sent again
		}
		c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := c.Read(p); err == nil {
			there = true
		} else if there {
			return true
		}
	}
	return there
}

// A sample is how long each of some messages has taken to come back; 0 is never.
type sample []time.Duration

// measure sends messages of 200 bytes, one every 10 ms.
func measure(c net.Conn, many int) sample {
	s := make(sample, many+1)
	began := time.Now()
	go func() {
		p := make([]byte, 200)
		for n := 1; n <= many; n++ {
			time.Sleep(time.Until(began.Add(time.Duration(n) * 10 * time.Millisecond)))
			binary.BigEndian.PutUint64(p, uint64(n))
			binary.BigEndian.PutUint64(p[8:], uint64(time.Since(began)))
			c.Write(p)
		}
	}()
	p := make([]byte, 2000)
	for left := many; left > 0; {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(p); err != nil {
			break
		}
		n := int(binary.BigEndian.Uint64(p))
		if n > 0 && n <= many && s[n] == 0 {
			s[n] = time.Since(began) - time.Duration(binary.BigEndian.Uint64(p[8:]))
			left--
		}
	}
	return s[1:]
}

func (s sample) came() (all []time.Duration) {
	for _, d := range s {
		if d > 0 {
			all = append(all, d)
		}
	}
	return all
}

// behindLost are those that came, and of which the one before did not.
func (s sample) behindLost() (all []time.Duration) {
	for n := 1; n < len(s); n++ {
		if s[n] > 0 && s[n-1] == 0 {
			all = append(all, s[n])
		}
	}
	return all
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

func (s sample) String() string {
	all := s.came()
	slices.Sort(all)
	if len(all) == 0 {
		return "nothing came"
	}
	at := func(of float64) time.Duration { return all[int(float64(len(all)-1)*of)].Round(100 * time.Microsecond) }
	return fmt.Sprintf("%d of %d came; p50 %v, p90 %v, p99 %v, max %v", len(all), len(s), at(0.5), at(0.9), at(0.99), at(1))
}
