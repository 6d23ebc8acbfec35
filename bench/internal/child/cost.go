package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is USER_HZ, the unit of times in /proc/PID/stat; it is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuclockSched is CPUCLOCK_SCHED of linux/posix-timers.h: the clock of a whole process, in nanoseconds.
const cpuclockSched = 2

// CPU is the user and system time that the group has used so far, threads and reaped children that
// have ended included. Live processes count in nanoseconds, reaped children in clock ticks.
// A child that nobody in the group waits for (ncat's) is lost when it ends.
func (p *Process) CPU() (time.Duration, error) {
	members, err := group(p.Group())
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, m := range members {
		sum += m.reaped
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^m.pid<<3|cpuclockSched), &ts); err == nil {
			sum += time.Duration(ts.Nano())
		}
	}
	return sum, nil
}

// Memory is the proportional set size of the group in bytes: shared pages count once.
func (p *Process) Memory() (int64, error) { return p.sum("smaps_rollup", "Pss:") }

// Shared is the part of Memory that is in shared memory: memfd, /dev/shm.
func (p *Process) Shared() (int64, error) { return p.sum("smaps_rollup", "Pss_Shmem:") }

// Threads is how many threads the group has.
func (p *Process) Threads() (int, error) {
	n, err := p.sum("status", "Threads:")
	return int(n), err
}

// sum adds up a number that the group's processes have in a file of proc(5), in bytes if it counts kB.
func (p *Process) sum(file, name string) (int64, error) {
	members, err := group(p.Group())
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, m := range members {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", m.pid, file))
		if err != nil {
			continue // it has ended, or is a zombie
		}
		sum += number(b, name)
	}
	return sum, nil
}

// KernelMemory is what the kernel uses for itself in the whole system, in bytes: slabs (sockets are
// there), stacks, page tables, per-CPU data. Other programs move it too, so take differences that are big.
func KernelMemory() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return number(b, "Slab:") + number(b, "KernelStack:") + number(b, "PageTables:") + number(b, "Percpu:"), nil
}

// number finds "name   123" in b, or "name   123 kB", which it returns in bytes; 0 if it is not there.
func number(b []byte, name string) int64 {
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != name {
			continue
		}
		n, _ := strconv.ParseInt(string(f[1]), 10, 64)
		if len(f) > 2 && string(f[2]) == "kB" {
			n *= 1024
		}
		return n
	}
	return 0
}

// member is one process of a group.
type member struct {
	pid    int
	reaped time.Duration // CPU time of the children that it has waited for
}

func group(pgid int) ([]member, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []member
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // ended meanwhile
		}
		if m, pg, err := parseStat(pid, b); err == nil && pg == pgid {
			out = append(out, m)
		}
	}
	return out, nil
}

var errStat = errors.New("malformed /proc/PID/stat")

// parseStat reads fields 5 (pgrp), 16 and 17 (cutime, cstime) of proc(5), /proc/PID/stat.
func parseStat(pid int, b []byte) (m member, pgrp int, err error) {
	end := bytes.LastIndexByte(b, ')') // the name before it may hold anything
	if end < 0 {
		return m, 0, errStat
	}
	f := bytes.Fields(b[end+1:]) // f[0] is field 3
	if len(f) < 15 {
		return m, 0, errStat
	}
	var n [3]int
	for i, field := range []int{5, 16, 17} {
		if n[i], err = strconv.Atoi(string(f[field-3])); err != nil {
			return m, 0, errStat
		}
	}
	return member{pid, time.Duration(n[1]+n[2]) * clockTick}, n[0], nil
}
