//go:build linux

package soak

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// A plan is what a client and its server do to each other. The client sends it
// first, so that the server, in another process, knows.
type plan struct {
	ID         uint64        // says which bytes belong to this joint
	Up, Down   int64         // bytes to send each way
	Stall      time.Duration // of the client, in the middle of its bytes
	Early      bool          // the server ends its direction first
	Hasty      bool          // the client resets before it has heard from the server
	ClientCuts bool          // the client resets in the middle of its bytes
	ServerCuts bool          // the server resets in the middle of its bytes
}

// planLen is the length of a plan as it is sent, in bytes.
var planLen = int64(binary.Size(plan{}))

// greeting is what a server sends first. A client that has it knows that Tenon has
// accepted its connection and joined it; one that has not may have been reset while
// it waited to be accepted, or even before the system told Tenon of it.
const (
	greeting    = '!'
	greetingLen = 1
)

func newPlan(id uint64, r *rand.Rand) plan {
	p := plan{ID: id, Up: sizeOf(r), Down: sizeOf(r), Early: r.IntN(3) == 0}
	if r.IntN(4) != 0 { // so many that all the joints are there at once
		p.Stall = time.Duration(r.Int64N(int64(min(*soak/5, 20*time.Second))))
	}
	switch r.IntN(12) {
	case 0, 1:
		p.ClientCuts, p.Up = true, max(p.Up, 2)
	case 2, 3:
		p.ServerCuts, p.Down = true, max(p.Down, 2)
	case 4:
		p.Hasty, p.ClientCuts, p.Up = true, true, max(p.Up, 2)
	}
	return p
}

// sizeOf prefers small sizes, and has some that fill every buffer on the way.
func sizeOf(r *rand.Rand) int64 {
	switch r.IntN(20) {
	case 0, 1:
		return 0
	case 2:
		return r.Int64N(3 << 20)
	}
	return r.Int64N(20000)
}

func (p plan) cut() bool { return p.ClientCuts || p.ServerCuts }

// at is the byte at a position of a stream.
func at(id uint64, i int64) byte {
	return byte((id*0x9E3779B97F4A7C15>>32 + uint64(i)*0x2545F491) >> 11)
}

func send(w io.Writer, id uint64, from, to int64) error {
	buf := make([]byte, 0, 16<<10)
	for i := from; i < to; {
		buf = buf[:0]
		for ; i < to && len(buf) < cap(buf); i++ {
			buf = append(buf, at(id, i))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// receive reads to the end. The error is nil if that was clean; a byte that is not
// the one that belongs there is an error, and so is one too many.
func receive(r io.Reader, id uint64, want int64) (int64, error) {
	buf := make([]byte, 16<<10)
	for got := int64(0); ; {
		n, err := r.Read(buf)
		for i, b := range buf[:n] {
			if got+int64(i) >= want || b != at(id, got+int64(i)) {
				return got + int64(i), fmt.Errorf("wrong byte at %d of %d", got+int64(i), want)
			}
		}
		got += int64(n)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}
