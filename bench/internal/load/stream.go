package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"time"
)

// blockSize is what a blast writes at once, unless it is told otherwise. It divides ackEvery.
const blockSize = 256 << 10

// blastByte fills the blocks. Messages of a ping-pong are zeroes.
const blastByte = 'x'

// maxPings bounds what a ping-pong remembers per connection.
const maxPings = 1 << 20

// blast sends to a sink for the duration, then up to the next acknowledgement, and waits for that.
func blast(o *options) error {
	c, err := o.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	// Not of zeroes: pages that nobody has written to are all the same one, and always in the cache.
	s := &sender{c: c, block: bytes.Repeat([]byte{blastByte}, o.block), acks: make(chan uint64, 1)}
	go s.readAcks()
	if err := s.send(0); err != nil { // warms every buffer, and proves that bytes arrive
		return err
	}
	return o.work(func() (Result, error) {
		before, start := s.total, time.Now()
		err := s.send(o.duration)
		return Result{Count: float64(s.total - before), Seconds: time.Since(start).Seconds(), Note: negotiated(c)}, err
	})
}

// sender is a connection to a sink.
type sender struct {
	c     net.Conn
	block []byte
	total uint64
	acks  chan uint64 // the latest acknowledgement that nobody has looked at; closed when no more come
}

// send writes for d and until the total is a multiple of ackEvery, and returns when that is acknowledged.
func (s *sender) send(d time.Duration) error {
	for start := time.Now(); ; {
		n, err := s.c.Write(s.block)
		if err != nil {
			return err
		}
		if s.total += uint64(n); s.total%ackEvery == 0 && time.Since(start) >= d {
			break
		}
	}
	for acked := range s.acks {
		if acked >= s.total {
			return nil
		}
	}
	return errors.New("the connection ended before everything had arrived")
}

func (s *sender) readAcks() {
	defer close(s.acks)
	var b [8]byte
	for {
		if _, err := io.ReadFull(s.c, b[:]); err != nil {
			return
		}
		select {
		case <-s.acks:
		default:
		}
		s.acks <- binary.BigEndian.Uint64(b[:])
	}
}

// pingPong exchanges messages on every connection, one at a time each.
func pingPong(o *options) error {
	debug.SetGCPercent(-1) // it allocates its samples beforehand and nothing after
	conns := make([]net.Conn, o.conns)
	for i := range conns {
		c, err := o.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := o.pings(c, 100*time.Millisecond, make([]time.Duration, 0, 20)); err != nil {
			return err
		}
		conns[i] = c
	}
	samples := make([][]time.Duration, len(conns))
	for i := range samples {
		samples[i] = make([]time.Duration, 0, maxPings/len(conns))
	}
	return o.work(func() (Result, error) {
		start := time.Now()
		err := each(len(conns), func(i int) (err error) {
			samples[i], err = o.pings(conns[i], o.duration, samples[i])
			return err
		})
		seconds := time.Since(start).Seconds()
		all := slices.Concat(samples...)
		if len(all) == 0 {
			return Result{}, errors.Join(err, errors.New("no round trip"))
		}
		slices.Sort(all)
		return Result{Count: float64(len(all)), Seconds: seconds,
			P50: all[len(all)/2].Seconds(), P99: all[len(all)*99/100].Seconds()}, err
	})
}

// beside exchanges messages on one connection while another is full.
func beside(o *options) error {
	debug.SetGCPercent(-1)
	bulk, err := o.dial()
	if err != nil {
		return err
	}
	defer bulk.Close()
	s := &sender{c: bulk, block: bytes.Repeat([]byte{blastByte}, o.block), acks: make(chan uint64, 1)}
	go s.readAcks()
	if err := s.send(0); err != nil {
		return err
	}
	c, err := o.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := o.pings(c, 100*time.Millisecond, make([]time.Duration, 0, 20)); err != nil {
		return err
	}
	samples := make([]time.Duration, 0, maxPings)
	return o.work(func() (Result, error) {
		full := make(chan error, 1)
		go func() { full <- s.send(o.duration) }()
		start := time.Now()
		all, err := o.pings(c, o.duration, samples)
		seconds := time.Since(start).Seconds()
		if err := errors.Join(err, <-full); err != nil || len(all) == 0 {
			return Result{}, errors.Join(err, errors.New("no round trip"))
		}
		slices.Sort(all)
		return Result{Count: float64(len(all)), Seconds: seconds,
			P50: all[len(all)/2].Seconds(), P99: all[len(all)*99/100].Seconds()}, nil
	})
}

// pings appends to times until it is full or d is over.
func (o *options) pings(c net.Conn, d time.Duration, times []time.Duration) ([]time.Duration, error) {
	out, in := make([]byte, o.size), make([]byte, o.size)
	start := time.Now()
	for before := start; len(times) < cap(times) && before.Sub(start) < d; {
		if o.pause > 0 {
			time.Sleep(o.pause)
			before = time.Now()
		}
		if _, err := c.Write(out); err != nil {
			return times, err
		}
		if _, err := io.ReadFull(c, in); err != nil {
			return times, err
		}
		now := time.Now()
		times = append(times, now.Sub(before))
		before = now
	}
	return times, nil
}

// each calls do for 0 to n-1 at once, waits for all, and joins their errors.
func each(n int, do func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- do(i) }()
	}
	var all error
	for range n {
		if err := <-errs; err != nil && all == nil {
			all = err
		}
	}
	return all
}
