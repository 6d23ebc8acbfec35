//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// runStatus is "tenon status".
func runStatus(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon status takes no arguments", "tenon peers and tenon services say more")
	}
	return p.withRunning(c, func(t *talk) error {
		s, err := t.Status(p.ctx)
		if err != nil {
			return err
		}
		joints, err := t.Joints(p.ctx)
		if err != nil {
			return err
		}
		relayed, err := t.Relayed(p.ctx)
		if err != nil {
			return err
		}
		if p.json {
			return p.stdout.json(struct {
				api.Status
				All     []api.Joint   `json:"all_joints"`
				Relayed []api.Account `json:"relayed,omitempty"`
			}{s, joints, relayed})
		}
		for _, line := range statusLines(s) {
			p.stdout.line(line)
		}
		if len(joints) > 0 {
			p.stdout.line("")
			for _, line := range jointTable(joints).lines() {
				p.stdout.line(line)
			}
		}
		for _, line := range relayedLines(relayed) {
			p.stdout.line(line)
		}
		return nil
	})
}

// maxRelayed is of how many peers tenon status shows what was relayed for them; --json
// has all.
const maxRelayed = 20

// relayedLines is a table of those for whom a relay has carried most.
func relayedLines(all []api.Account) []string {
	if len(all) == 0 {
		return nil
	}
	t := newTable("RELAYED FOR", "TODAY", "MONTH")
	for _, a := range all[:min(len(all), maxRelayed)] {
		t.add(nameOr(a.Name, a.Peer), bytesOf(float64(a.Today)), bytesOf(float64(a.Month)))
	}
	lines := append([]string{""}, t.lines()...)
	if more := len(all) - maxRelayed; more > 0 {
		lines = append(lines, fmt.Sprintf("%d more", more))
	}
	return lines
}

// nameOr returns a name, and the beginning of the ID of whoever has none.
func nameOr(name, id string) string {
	if name == "" {
		return id[:min(len(id), len("tenonid")+12)]
	}
	return name
}

// statusLines is a status for people. What is dangerous comes first.
func statusLines(s api.Status) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, name := range s.Anyone {
		say("ANYONE may use %s, paired or not: tenon revoke %s anyone ends that", name, name)
	}
	for _, w := range s.Warnings {
		say("warning: %s", w)
	}
	name := s.Identity.Name
	if name != "" {
		name += ", "
	}
	say("up for %s as %s%s, process %d", ago(s.Since), name, s.Identity.Short, s.PID)
	say("%s, %d online; %s, %s", count(s.Peers, "peer"), s.Online, count(s.Services, "service"), count(s.Joints, "joint"))
	if s.Pairing {
		say("pairing is open")
	}
	say("state in %s", s.Dir)
	if s.Config != "" {
		say("configured by %s", s.Config)
	}
	if len(s.Addrs) > 0 {
		say("reached at %s", strings.Join(s.Addrs, " "))
	}
	if len(s.Relays) > 0 {
		say("relays %s", strings.Join(s.Relays, " "))
	}
	if s.Relaying != "" {
		say("a relay for %s, at ports %s", s.Relaying, strings.Join(s.Ports, ", "))
	}
	if h := s.Hold; h != nil {
		say("holds shares for %s, sealed: %s in %s", cmp.Or(strings.Join(h.To, ", "), "nobody any more"), size(h.Bytes), count(h.Shares, "share"))
	}
	if m := s.Mailbox; m != nil {
		say("a mailbox for rooms of %s, with %s in %s; %s came today, of %s that may in a day", m.For, size(m.Bytes), count(m.Blobs, "blob"), size(m.TodayBytes), size(m.DayBytes))
	}
	for _, l := range s.Links {
		text := fmt.Sprintf("link %s, %s: %s <-> %s", l.Name, l.State, l.From, l.To)
		if l.Error != "" {
			text += ": " + l.Error
		}
		lines = append(lines, text)
	}
	return lines
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// jointTable is a table of joints.
func jointTable(joints []api.Joint) *table {
	t := newTable("JOINT", "PEER", "SERVICE", "SENT", "GOT", "SENDS", "GETS", "FOR", "PATH")
	for _, j := range joints {
		who, service, path := nameOr(j.Name, j.Peer), "ours: "+j.Service, string(j.Path)
		if j.Out {
			service = j.Service
		}
		if j.Datagrams {
			path += ", datagrams"
		}
		if j.Dropped > 0 {
			path += fmt.Sprintf(", %d dropped", j.Dropped)
		}
		if j.Addr != "" {
			path += " " + j.Addr
		}
		if !j.Paused.IsZero() {
			path = "paused for " + ago(j.Paused)
		}
		t.add(fmt.Sprint(j.Number), who, service, bytesOf(float64(j.Sent)), bytesOf(float64(j.Got)),
			bytesOf(j.SentPS)+"/s", bytesOf(j.GotPS)+"/s", ago(j.Since), path)
	}
	return t
}

// runDown is "tenon down".
func runDown(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon down takes no arguments", "it ends the node that runs: tenon status says which")
	}
	return p.withRunning(c, func(t *talk) error {
		err := t.Down(p.ctx)
		if err == nil {
			p.tell(c, "the node has ended")
		}
		return err
	})
}

// runReload is "tenon reload".
func runReload(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon reload takes no arguments", "which file is read again, the node was told when it began")
	}
	return p.withRunning(c, func(t *talk) error {
		r, err := t.Reload(p.ctx)
		switch {
		case err != nil:
			return err
		case p.json:
			return p.stdout.json(r)
		}
		for _, change := range r.Changes {
			p.stdout.line(change)
		}
		if len(r.Changes) == 0 {
			p.tell(c, "nothing has changed")
		}
		return nil
	})
}

// runLog is "tenon log [-f]".
func runLog(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon log takes no arguments", "tenon log --audit has who used what")
	}
	if c.peer.audit {
		return p.withAlone(c, func(t *talk) error { return p.auditLog(c, t) })
	}
	return p.withRunning(c, func(t *talk) error {
		for e, err := range t.Events(p.ctx, 0, c.peer.follow) {
			switch {
			case err != nil:
				return p.stopped(err)
			case p.json:
				if err := p.stdout.json(e); err != nil {
					return err
				}
			default:
				p.stdout.line(eventLine(e))
			}
			if err := p.stdout.failed(); err != nil {
				return p.written()
			}
		}
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		if c.peer.follow {
			return errors.New("the node has ended")
		}
		return nil
	})
}

func eventLine(e api.Event) string {
	return e.Time.Local().Format(time.DateTime) + " " + e.Type + ": " + e.Text
}

// auditPage is how many entries are asked for at a time: there may be a million.
const auditPage = 1000

// auditLog prints what is on record, the oldest first.
func (p *program) auditLog(c *call, t *talk) error {
	if c.peer.follow {
		return usageError("--follow and --audit cannot both be", "tenon log -f tells of each use when it begins and ends")
	}
	for from := int64(1); ; {
		entries, err := t.Audit(p.ctx, api.AuditQuery{From: from, Limit: auditPage})
		if err != nil {
			return err
		}
		if err := p.auditEntries(entries, from == 1); err != nil {
			return err
		}
		if len(entries) < auditPage {
			return nil
		}
		from = entries[len(entries)-1].Number + 1
	}
}

// auditEntries prints a page of the audit log, which may be the first.
func (p *program) auditEntries(entries []api.AuditEntry, first bool) error {
	if p.json || first {
		return list(p, entries, "nothing is on record yet", auditHeadings, auditCells)
	}
	page := newTable(auditHeadings...)
	for _, e := range entries {
		page.add(auditCells(e)...)
	}
	for _, line := range page.lines()[1:] {
		p.stdout.line(line)
	}
	return p.stdout.failed()
}

var auditHeadings = []string{"TIME", "EVENT", "PEER", "SERVICE", "RIGHT", "PATH", "SENT", "GOT", "TOOK", "END"}

func auditCells(e api.AuditEntry) []string {
	who, right, sent, got, took := e.Name, e.Right, "", "", ""
	if who == "" {
		who = e.Peer
	}
	if e.Peer != "" {
		right = strings.Replace(right, e.Peer, nameOr(e.Name, e.Peer), 1)
	}
	if e.Event == "use" || e.Event == "dial" {
		sent, got, took = bytesOf(float64(e.Sent)), bytesOf(float64(e.Got)), about(time.Duration(e.Took))
	}
	return []string{e.Time.Local().Format(time.DateTime), e.Event, who, e.Service, right, e.Path, sent, got, took, e.End}
}

// runDoctor is "tenon doctor [PEER]".
func runDoctor(p *program, c *call) error {
	peer := ""
	switch len(c.args) {
	case 0:
	case 1:
		peer = c.args[0]
	default:
		return usageError("one peer is enough", "tenon doctor alice")
	}
	return p.with(c, func(t *talk) error {
		reached := true // as the last step says: without a way to the peer there is none after it
		for step, err := range t.Doctor(p.ctx, peer) {
			if err != nil {
				return p.stopped(err)
			}
			reached = step.OK
			if p.json {
				if err := p.stdout.json(step); err != nil {
					return err
				}
				continue
			}
			for _, line := range stepLines(step) {
				p.stdout.line(line)
			}
		}
		if !reached && peer != "" {
			return silent{exitNetwork}
		}
		return nil
	})
}

// stepLines is a step of the doctor for people.
func stepLines(s api.Step) []string {
	mark := "ok  "
	if !s.OK {
		mark = "no  "
	}
	text := mark + "  " + s.What
	for _, more := range []string{s.Detail, s.Error} {
		if more != "" {
			text += ": " + more
		}
	}
	if s.Took > 0 {
		text += " (" + trip(s.Took) + ")"
	}
	if s.Advice == "" {
		return []string{text}
	}
	return []string{text, "      " + s.Advice}
}
