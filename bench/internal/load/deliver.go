package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stamped begins the text of every message; no protocol has this byte in what it puts around it. The time follows
	// at which it was said, as hexDigits.
	stamped   = '|'
	hexDigits = 16

	// ahead is how many messages are under way at most when as many are said as can be: nobody has to drop any.
	ahead = 1024
	// settle bounds the wait for what is under way at the end.
	settle = 15 * time.Second
)

// deliver has speakers say messages that every receiver gets: at a rate, or as fast as they arrive. Count is
// how many receivers have got, all together.
func deliver(o *options) error {
	d := &delivery{o: o, warm: make(chan struct{}, o.receivers)}
	for range o.receivers {
		c, err := o.chatConn(false)
		if err != nil {
			return err
		}
		defer c.Close()
		go d.receive(c)
	}
	var speakers []*voice
	for range o.conns {
		c, err := o.chatConn(true)
		if err != nil {
			return err
		}
		defer c.Close()
		speakers = append(speakers, &voice{conn: c, way: chats[o.speaks], message: bytes.Repeat([]byte{'x'}, o.size)})
	}
	if err := d.warmUp(speakers); err != nil {
		return err
	}
	return o.work(func() (Result, error) { return d.run(speakers) })
}

// delivery is what receivers have got.
type delivery struct {
	o     *options
	got   atomic.Int64
	since atomic.Int64 // what was said from then on counts, in nanoseconds since 1970; 0: nothing does yet
	warm  chan struct{}

	mu    sync.Mutex // guards times
	times []time.Duration
}

// warmUp says something until every receiver has got something: subscriptions take effect in their own time.
func (d *delivery) warmUp(speakers []*voice) error {
	limit := time.After(settle)
	for n := 0; n < d.o.receivers; {
		if err := speakers[0].say(); err != nil {
			return err
		}
		wait := time.After(50 * time.Millisecond)
	more:
		for n < d.o.receivers {
			select {
			case <-d.warm:
				n++
			case <-wait:
				break more
			case <-limit:
				return fmt.Errorf("%d of %d receivers got a message", n, d.o.receivers)
			}
		}
	}
	for _, s := range speakers {
		if err := s.say(); err != nil {
			return err
		}
	}
	time.Sleep(200 * time.Millisecond) // until all that has arrived
	return nil
}

func (d *delivery) run(speakers []*voice) (Result, error) {
	start := time.Now()
	d.since.Store(start.UnixNano())
	var said int64
	var err error
	if d.o.rate > 0 {
		said, err = d.paced(speakers, start)
	} else {
		said, err = d.flatOut(speakers, start)
	}
	if err != nil {
		return Result{}, err
	}
	want := said * int64(d.o.receivers)
	for end := time.Now().Add(settle); d.got.Load() < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r := Result{Count: float64(d.got.Load()), Seconds: time.Since(start).Seconds()}
	r.Lost = int(want - d.got.Load())
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.times) == 0 {
		return r, errors.New("nothing was delivered")
	}
	slices.Sort(d.times)
	r.P50, r.P99 = d.times[len(d.times)/2].Seconds(), d.times[len(d.times)*99/100].Seconds()
	return r, nil
}

// paced says so many messages a second, each when its time has come.
func (d *delivery) paced(speakers []*voice, start time.Time) (said int64, err error) {
	for {
		since := time.Since(start)
		if since >= d.o.duration {
			return said, nil
		}
		for ; said < int64(since.Seconds()*float64(d.o.rate)); said++ {
			if err := speakers[said%int64(len(speakers))].say(); err != nil {
				return said, err
			}
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// flatOut says as much as arrives.
func (d *delivery) flatOut(speakers []*voice, start time.Time) (int64, error) {
	var said atomic.Int64
	err := each(len(speakers), func(i int) error {
		for time.Since(start) < d.o.duration {
			if (said.Load()-ahead)*int64(d.o.receivers) > d.got.Load() {
				time.Sleep(100 * time.Microsecond)
				continue
			}
			said.Add(1)
			if err := speakers[i].say(); err != nil {
				return err
			}
		}
		return nil
	})
	return said.Load(), err
}

// receive counts the messages that a connection brings. It looks for their beginnings alone, so that it costs the same whatever the
// protocol is.
func (d *delivery) receive(c net.Conn) {
	buf, have := make([]byte, 256<<10), 0
	first := true
	var times []time.Duration
	arrived := false
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		now, b := time.Now(), buf[:have+n]
		since := d.since.Load()
		times = times[:0]
		for {
			i := bytes.IndexByte(b, stamped)
			if i < 0 {
				b = b[len(b):]
				break
			}
			if b = b[i:]; len(b) <= hexDigits {
				break
			}
			var at [hexDigits / 2]byte
			if _, err := hex.Decode(at[:], b[1:1+hexDigits]); err == nil {
				arrived = true
				// What was said to warm up may arrive late, and is not what is measured.
				if said := int64(binary.BigEndian.Uint64(at[:])); since != 0 && said >= since {
					times = append(times, now.Sub(time.Unix(0, said)))
				}
			}
			b = b[1+hexDigits:]
		}
		have = copy(buf, b)
		if arrived && first {
			first = false
			d.warm <- struct{}{}
		}
		if len(times) > 0 {
			d.mu.Lock()
			d.times = append(d.times, times...)
			d.mu.Unlock()
			d.got.Add(int64(len(times)))
		}
	}
}

// A voice is a connection of a speaker. It is for one goroutine.
type voice struct {
	conn    net.Conn
	way     chatWay
	message []byte
	out     []byte
}

// say says a message with the time in it.
func (v *voice) say() error {
	v.message[0] = stamped
	var at [hexDigits / 2]byte
	binary.BigEndian.PutUint64(at[:], uint64(time.Now().UnixNano()))
	hex.Encode(v.message[1:], at[:])
	v.out = v.way.say(v.out[:0], v.message)
	_, err := v.conn.Write(v.out)
	return err
}
