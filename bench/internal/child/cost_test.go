package child

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "42 (a) (b c) S 1 40 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100"
	m, pgrp, err := parseStat(42, []byte(line))
	if err != nil || pgrp != 40 || m != (member{42, 150 * time.Millisecond}) {
		t.Errorf("got %v, pgrp %d, %v", m, pgrp, err)
	}
	for _, bad := range []string{"", "42 (a", "42 (a) S 1", "42 (a) S 1 x 40 0 -1 4194560 1 2 3 4 5 6 7 8 20"} {
		if _, _, err := parseStat(42, []byte(bad)); !errors.Is(err, errStat) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestNumber(t *testing.T) {
	b := []byte("Rss:   10 kB\nPss:        3 kB\nPss_Dirty: 1 kB\nThreads:\t7\n")
	for name, want := range map[string]int64{"Pss:": 3 * 1024, "Threads:": 7, "Swap:": 0} {
		if n := number(b, name); n != want {
			t.Errorf("%s %d, want %d", name, n, want)
		}
	}
}

// A shell that has burned CPU in itself, in a live child and in a reaped one is charged for all three.
func TestGroup(t *testing.T) {
	burn := "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
	cmd := exec.Command("sh", "-c", "("+burn+"); ("+burn+"; exec sleep 60) & "+burn+"; wait")
	p, err := Start(t.Context(), cmd, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	grown := func() error {
		if cpu, err := p.CPU(); err != nil || cpu < 20*time.Millisecond {
			return errors.New("too little CPU time")
		}
		return nil
	}
	if err := p.Await(t.Context(), 30*time.Second, grown); err != nil {
		t.Error(err)
	}
	if n, err := p.Memory(); err != nil || n < 64*1024 {
		t.Errorf("memory %d, %v", n, err)
	}
	if n, err := p.Threads(); err != nil || n < 2 {
		t.Errorf("%d threads of at least two processes, %v", n, err)
	}
	p.Stop()
	if members, err := group(p.Group()); err != nil {
		t.Error(err)
	} else if len(members) > 1 { // the orphan may be a zombie until init reaps it
		t.Errorf("left: %v", members)
	}
}

func TestAwaitSaysWhyItEnded(t *testing.T) {
	p, err := Start(t.Context(), exec.Command("sh", "-c", "echo no such thing >&2; exit 3"), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	err = p.Await(t.Context(), 10*time.Second, func() error { return errors.New("refused") })
	want := "sh -c echo no such thing >&2; exit 3: ended early: exit status 3: no such thing"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
