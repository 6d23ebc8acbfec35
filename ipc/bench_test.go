//go:build linux

package ipc

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// The benchmarks have their other side in a second process, and measure a unix
// socket of package net beside the rings. TENON_IPC_CPUS=1 with taskset -c 1 has
// both on one processor, TENON_IPC_PIN=1 each on one of its own.

// remote starts a child that dials, and returns the connection to it.
func remote(b *testing.B, kind, part string) (net.Conn, *MsgConn) {
	name := newPlace(b)
	var accept func() (net.Conn, *MsgConn, error)
	if kind == "unix" {
		l, err := net.Listen("unix", name)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		accept = func() (net.Conn, *MsgConn, error) { c, err := l.Accept(); return c, nil, err }
	} else {
		l, err := (&Listen{Name: name, Messages: kind == "shm-msg"}).Listen(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		accept = func() (net.Conn, *MsgConn, error) {
			c, err := l.Accept()
			if err != nil {
				return nil, nil, err
			}
			if m, ok := c.(*MsgConn); ok {
				return nil, m, nil
			}
			return c.(*Conn), nil, nil
		}
	}
	startChild(b, os.Getenv("TENON_IPC_CPUS"), part, kind, name)
	c, m, err := accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if m != nil {
			m.Close()
		} else {
			c.Close()
		}
	})
	return c, m
}

// pin keeps the caller on processor n, if TENON_IPC_PIN is set: on a busy machine
// the system puts both sides on one processor most of the time.
func pin(t testing.TB, n int) {
	if os.Getenv("TENON_IPC_PIN") == "" {
		return
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, kind := range []string{"unix", "shm", "shm-msg"} {
		b.Run(kind, func(b *testing.B) {
			c, m := remote(b, kind, "echo")
			pin(b, 0)
			p := make([]byte, 64)
			times := make([]time.Duration, 0, 1<<20)
			before := cpuTime()
			for b.Loop() {
				start := time.Now()
				var err error
				if m != nil {
					if err = m.WriteMsg(p, transport.Meta{}); err == nil {
						_, _, err = m.ReadMsg(p)
					}
				} else if _, err = c.Write(p); err == nil {
					_, err = io.ReadFull(c, p)
				}
				if err != nil {
					b.Fatal(err)
				}
				if len(times) < cap(times) {
					times = append(times, time.Since(start))
				}
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
			b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		for _, kind := range []string{"unix", "shm"} {
			b.Run(fmt.Sprintf("%s/%dk", kind, size>>10), func(b *testing.B) {
				c, _ := remote(b, kind, "drain")
				p := make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := c.Write(p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkMessages(b *testing.B) {
	_, m := remote(b, "shm-msg", "drain")
	p := make([]byte, 64)
	for b.Loop() {
		if err := m.WriteMsg(p, transport.Meta{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
}
