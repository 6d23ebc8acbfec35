//go:build node

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// What was there before is no speed: only what comes is, so the time left is right from the first look.
func TestNodePace(t *testing.T) {
	var p pace
	now := time.Now()
	if p.left(1000) != "" {
		t.Errorf("before anything has come: %q", p.left(1000))
	}
	p.add(now, 100)
	if got := p.left(6000); got != "1m00s left" {
		t.Error(got)
	}
	p.add(now.Add(250*time.Millisecond), 0) // one look without a byte
	if got := p.left(6000); got != "1m04s left" {
		t.Errorf("it jumps: %s", got)
	}
	for i := range 400 {
		p.add(now.Add(time.Duration(i)*time.Second), 0)
	}
	if got := p.left(6000); got != "" {
		t.Errorf("when nothing comes any more: %s", got)
	}
}

func TestNodeProgressLines(t *testing.T) {
	g := &getter{last: api.Share{Name: "photos", Bytes: 4 << 20, Have: 3 << 20, GotPS: 512 << 10, SentPS: 1 << 10}}
	g.pace.add(time.Now(), g.last.GotPS)
	for _, x := range []struct {
		columns int
		change  func()
		want    string
	}{
		{79, func() {}, "photos: 3.0 MiB of 4.0 MiB, and more to come, 512 KiB/s, sends 1.0 KiB/s, looking for who has it"},
		{79, func() { g.last.Root = "ab"; g.last.Peers = []api.SharePeer{{}, {}} }, "photos: 75% 3.0 MiB of 4.0 MiB, 512 KiB/s, 2s left, 2 peers, sends 1.0 KiB/s"},
		{90, func() { g.last.SentPS = 0 }, "photos: 75% [#######...] 3.0 MiB of 4.0 MiB, 512 KiB/s, 2s left, 2 peers"},
		{300, func() { g.last.Name = strings.Repeat("x", 100) }, strings.Repeat("x", 23) + "…: 75% [" + strings.Repeat("#", 22) + strings.Repeat(".", 8) + "] 3.0 MiB of 4.0 MiB, 512 KiB/s, 2s left, 2 peers"},
		{79, func() { g.done, g.last.Name = true, "photos" }, "photos: handed on, 2 peers"},
	} {
		x.change()
		if got := g.line(x.columns); got != x.want {
			t.Errorf("%d columns: got\n%s, want\n%s", x.columns, got, x.want)
		}
	}
	hashing, hashed, got := shareStates()
	hashed.SentPS = 2048
	for s, want := range map[*api.Share]string{
		&hashing: "my photos: hashing 3.0 MiB/s, 1.0 MiB in 2 files, a/b.jpg",
		&hashed:  "my photos: 2.0 MiB in 3 files, sends 2.0 KiB/s, bob 50%",
		&got:     "my photos: 2.0 MiB in 3 files, 1 have all",
	} {
		if line := shareLine(*s, 3<<20, ""); line != want {
			t.Errorf("got %s, want %s", line, want)
		}
	}
	if line := shareLine(hashed, 0, "2s left"); line != "my photos: 2.0 MiB in 3 files, sends 2.0 KiB/s, bob 50%, 2s left" {
		t.Error(line)
	}
	if percent(partOf(999, 1000)) != "99%" || percent(partOf(5, 5)) != "100%" || percent(partOf(7, 0)) != "0%" || percent(partOf(9, 5)) != "100%" {
		t.Error("percents are rounded up, or leave 0 to 100")
	}
}

// A sharer sees how long the slowest needs. What somebody had before he came, or has not got for a while, is no pace.
func TestNodeTimeLeft(t *testing.T) {
	var g getters
	now := time.Now()
	s := api.Share{State: api.ShareReady, Bytes: 1000 << 10, Peers: []api.SharePeer{{ID: "bob", Has: 0.5}, {ID: "carol"}}}
	if text := g.left(now, s); text != "" {
		t.Errorf("at the first look: %s", text)
	}
	s.Peers[0].Has, s.Peers[1].Has = 0.6, 0.1
	if text := g.left(now.Add(time.Second), s); text != "9s left" {
		t.Errorf("carol needs 9 times what she has got in a second: %s", text)
	}
	s.Peers[1].Has = 1
	if text := g.left(now.Add(2*time.Second), s); !strings.HasSuffix(text, "s left") || len(g) != 2 {
		t.Errorf("bob goes on: %s", text)
	}
	s.Peers = nil
	if text := g.left(now.Add(3*time.Second), s); text != "" || len(g) != 0 {
		t.Errorf("nobody is there: %s, %v", text, g)
	}
}

// Where nobody looks at a terminal, a line comes now and then.
func TestNodeProgressInALog(t *testing.T) {
	var out bytes.Buffer
	p := &program{ctx: t.Context(), stderr: newConsole(&out)}
	g := p.newProgress(new(call))
	now := time.Now()
	for i := range 300 { // 75 seconds
		g.show(now.Add(time.Duration(i)*250*time.Millisecond), func(int) string { return "photos: 1%" })
	}
	g.end()
	if out.String() != "tenon: photos: 1%\ntenon: photos: 1%\n" {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	quiet := p.newProgress(&call{global: globalFlags{quiet: true}})
	quiet.show(now, func(int) string { return "x" })
	quiet.show(now.Add(time.Hour), func(int) string { return "x" })
	if out.Len() > 0 {
		t.Errorf("with --quiet: %q", out.String())
	}
}
