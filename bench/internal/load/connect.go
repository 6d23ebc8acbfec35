package load

import (
	"errors"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxConnects bounds the connections of one measurement: each leaves a port in TIME_WAIT.
	maxConnects = 8000
	// holdWorkers is how many connections are opened at once to be held.
	holdWorkers = 16
	// Warm is how many connections are open and held before memory is looked at the first time.
	Warm = 20
)

// connect opens a connection, exchanges one message and closes it, again and again.
func connect(o *options) error {
	c, err := o.once(0)
	if err != nil {
		return err
	}
	note := negotiated(c)
	return o.work(func() (Result, error) {
		var next, done atomic.Int64
		start := time.Now()
		err := each(o.conns, func(int) error {
			for time.Since(start) < o.duration {
				i := next.Add(1)
				if i > maxConnects {
					return nil
				}
				if _, err := o.once(int(i)); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
		return Result{Count: float64(done.Load()), Seconds: time.Since(start).Seconds(), Note: note}, err
	})
}

// once returns the closed connection.
func (o *options) once(i int) (net.Conn, error) {
	c, err := o.dialAs(i)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c, ping(c)
}

// ping exchanges one byte.
func ping(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	b := []byte{'e'}
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

// hold opens connections, proves each with one message unless it is to be silent, and keeps them all.
func hold(o *options) error {
	h := &holder{o: o}
	if err := h.open(Warm); err != nil {
		return err
	}
	debug.FreeOSMemory()
	err := o.work(func() (Result, error) {
		start := time.Now()
		err := h.open(o.conns)
		seconds := time.Since(start).Seconds()
		debug.FreeOSMemory() // what is looked at next is what connections cost, not what opening them did
		return Result{Count: float64(o.conns), Seconds: seconds}, err
	})
	runtime.KeepAlive(h) // what nobody can reach is closed
	return err
}

type holder struct {
	o *options

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// open opens n more.
func (h *holder) open(n int) error {
	var left atomic.Int64
	left.Store(int64(n))
	return each(holdWorkers, func(int) error {
		for left.Add(-1) >= 0 {
			c, err := h.o.dial()
			if err == nil && !h.o.silent {
				err = ping(c)
			}
			if err != nil {
				return errors.Join(errors.New("an idle connection"), err)
			}
			h.mu.Lock()
			h.conns = append(h.conns, c)
			h.mu.Unlock()
		}
		return nil
	})
}
