//go:build node

package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
)

// runShares is "tenon shares".
func runShares(p *program, c *call) error {
	switch f := &c.peer.share; {
	case f.partial:
		return runPartial(p, c)
	case f.remove != "":
		return usageError("--remove is for --partial", "tenon unshare SHARE ends what is shared")
	case len(c.args) > 0:
		return usageError("directories are for --partial", "tenon unshare SHARE ends one; tenon shares --partial DIRECTORY lists what interrupted transfers have left")
	}
	return p.withAlone(c, func(t *talk) error {
		shares, err := t.Shares(p.ctx)
		if err != nil {
			return err
		}
		for i := range shares {
			shares[i] = shares[i].WithoutTickets() // sharing the same again prints them
		}
		err = list(p, shares, "nothing is shared: tenon share PATH",
			[]string{"NAME", "SHARE", "STATE", "SIZE", "FILES", "FOR", "SENDS", "GETS", "PEERS"}, shareCells)
		if err != nil || p.json {
			return err
		}
		p.shareNotes(c, shares)
		return nil
	})
}

func shareCells(s api.Share) []string {
	size := bytesOf(float64(s.Bytes))
	if s.State == api.ShareGetting || s.State == api.ShareHeld && s.Have < s.Bytes {
		size = bytesOf(float64(s.Have)) + " of " + size
	}
	return []string{s.Name, shortShare(s), stateOf(s), size, fmt.Sprint(s.Files), shareAudience(s) + shareLimits(s),
		rate(s.SentPS), rate(s.GotPS), phrases(havings(s.Peers), holdings(s.Holders), haveAll(s))}
}

func stateOf(s api.Share) string {
	switch {
	case s.State == api.ShareFailed:
		return s.State + ": " + s.Error
	case s.State == api.ShareGetting && s.Root != "" && s.Have >= s.Bytes:
		return "here" // it is handed on
	case s.State == api.ShareGetting && s.Root != "":
		return s.State + " " + percent(partOf(s.Have, s.Bytes))
	}
	return s.State
}

func rate(n float64) string {
	if n < 1 {
		return ""
	}
	return bytesOf(n) + "/s"
}

// shareNotes says below the table what is not in the shares, and who is not asked.
func (p *program) shareNotes(c *call, shares []api.Share) {
	for _, s := range shares {
		most := maxNotes
		if c.global.verbose {
			most = len(s.Notes)
		}
		for _, ban := range s.Banned {
			p.stdout.linef("%s: %s is not asked any more: it has sent wrong data of %s at byte %d, %s ago", s.Name, ban.Name, cmp.Or(ban.File, "the list"), ban.Offset, ago(ban.When))
		}
		for i, note := range s.Notes {
			if i == most {
				p.stdout.linef("%s: %d more like that: -v lists them", s.Name, len(s.Notes)-most)
				break
			}
			p.stdout.linef("%s: %s", s.Name, noteText(note))
		}
		for _, note := range s.Unsent {
			p.stdout.linef("%s: %s", s.Name, noteText(note))
		}
	}
}

// runUnshare is "tenon unshare SHARE".
func runUnshare(p *program, c *call) error {
	if len(c.args) != 1 {
		return usageError("a share is needed: its name, or the beginning of what tenon shares calls SHARE", "for example: tenon unshare photos")
	}
	return p.withAlone(c, func(t *talk) error {
		err := t.Unshare(p.ctx, c.args[0])
		if err == nil {
			p.tell(c, "%s is not shared any more; who has all of it keeps it", c.args[0])
		}
		return err
	})
}

// A listing prints what is in a share, as it comes.
type listing struct {
	files, hidden, programs, trusted, taken int
	bytes                                   int64
}

func (l *listing) add(p *program, entries []api.ShareEntry) {
	for _, e := range entries {
		var marks []string
		mark := func(is bool, n *int, what string) {
			if is {
				*n++
				marks = append(marks, what)
			}
		}
		mark(e.Hidden, &l.hidden, "hidden")
		mark(e.Program, &l.programs, "executable")
		mark(e.Trusted, &l.trusted, "obeyed by programs")
		mark(e.Taken, &l.taken, "there already")
		if e.Kind == "file" {
			l.files++
			l.bytes += e.Size
		}
		p.stdout.line(entryLine(e, marks))
	}
}

// entryLine is a line like those of ls -l.
func entryLine(e api.ShareEntry, marks []string) string {
	kind, size, path, when := "-", bytesOf(float64(e.Size)), e.Path, e.Time.Local().Format("2006-01-02 15:04")
	switch e.Kind {
	case "file":
		if e.Time.IsZero() {
			when = ""
		}
	case "dir":
		kind, size, path = "d", "", path+"/"
	case "symlink":
		kind, size, path, when = "l", "", path+" -> "+e.Link, ""
	}
	mode, err := strconv.ParseUint(e.Mode, 8, 32)
	rights := fs.FileMode(mode).Perm().String()[1:]
	if err != nil {
		rights = e.Mode // a link has none
	}
	line := fmt.Sprintf("%s%-9s  %9s  %-16s  %s", kind, rights, size, when, path)
	if len(marks) > 0 {
		line += "  (" + strings.Join(marks, ", ") + ")"
	}
	return line
}

// end says how much there is.
func (l *listing) end(p *program, c *call) {
	if !c.peer.share.list {
		return
	}
	text := count(l.files, "file") + ", " + bytesOf(float64(l.bytes))
	for _, of := range []struct {
		n    int
		what string
	}{{l.hidden, "hidden"}, {l.programs, "executable"}, {l.trusted, "obeyed by programs"}, {l.taken, "there already"}} {
		if of.n > 0 {
			text += fmt.Sprintf("; %d %s", of.n, of.what)
		}
	}
	p.tell(c, "%s", text)
}
