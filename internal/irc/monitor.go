package irc

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ergochat/irc-go/ircmsg"
)

// maxMonitors is how many nicks a client can have watched.
const maxMonitors = 100

// monitorCmd is MONITOR (https://ircv3.net/specs/extensions/monitor).
func (s *session) monitorCmd(_ context.Context, p []string, _ *ircmsg.Message) error {
	var nicks []string
	if len(p) > 1 {
		nicks = strings.FieldsFunc(p[1], func(r rune) bool { return r == ',' })
	}
	switch p[0] {
	case "+":
		s.watch(nicks)
	case "-":
		s.world.mu.Lock()
		for _, n := range nicks {
			delete(s.monitors, fold(n))
		}
		s.world.mu.Unlock()
	case "C", "c":
		s.world.mu.Lock()
		clear(s.monitors)
		s.world.mu.Unlock()
	case "L", "l":
		for _, line := range commas(slices.Sorted(maps.Values(s.monitors))) {
			s.numeric(rplMonList, line)
		}
		s.numeric(rplEndOfMonList, "that is all")
	case "S", "s":
		s.tellMonitored(slices.Sorted(maps.Values(s.monitors)))
	}
	return nil
}

// watch adds nicks, and tells who of them is connected.
func (s *session) watch(nicks []string) {
	var added []string
	for i, n := range nicks {
		if len(n) > maxNick {
			continue
		}
		if len(s.monitors) >= maxMonitors && s.monitors[fold(n)] == "" {
			s.numeric(errMonListFull, "100", ircmsg.TruncateUTF8Safe(oneWord(strings.Join(nicks[i:], ",")), maxChannel), "the list is full")
			break
		}
		s.world.mu.Lock()
		s.monitors[fold(n)] = oneWord(n)
		s.world.mu.Unlock()
		added = append(added, oneWord(n))
	}
	s.tellMonitored(added)
}

func (s *session) tellMonitored(nicks []string) {
	var on, off []string
	s.world.mu.Lock()
	for _, n := range nicks {
		if p := s.world.byNick[fold(n)]; p != nil && p.online {
			on = append(on, p.source())
		} else {
			off = append(off, n)
		}
	}
	s.world.mu.Unlock()
	for _, line := range commas(on) {
		s.numeric(rplMonOnline, line)
	}
	for _, line := range commas(off) {
		s.numeric(rplMonOffline, line)
	}
}

// commas puts nicks into lines.
func commas(nicks []string) (all []string) {
	for _, line := range lines(nicks, 350) {
		all = append(all, strings.ReplaceAll(line, " ", ","))
	}
	return all
}

// tellPresence tells that somebody has come or gone. It is called with the lock of the world held.
func (s *session) tellPresence(p *person) {
	_, watched := s.monitors[fold(p.nick)]
	if watched {
		m := &msg{cmd: rplMonOnline, params: []string{s.world.me.nick, p.source()}}
		if !p.online {
			m.cmd, m.params[1] = rplMonOffline, p.nick
		}
		s.tell(m)
	}
	if s.sees(p) || watched && s.caps.has(capMonitor) {
		m := &msg{cmd: "AWAY", from: p}
		if !p.online {
			m.params = []string{notConnected}
		}
		s.tell(m)
	}
}

// sees tells whether somebody is in a room that the client shows. It is called with the lock of the world held.
func (s *session) sees(p *person) bool {
	for c := range s.joined {
		if _, ok := c.members[p.id]; ok {
			return true
		}
	}
	return false
}
