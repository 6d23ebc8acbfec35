//go:build node

package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/torrent"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// runGet is "tenon get [TICKET]".
func runGet(p *program, c *call) error {
	request, err := c.fetchRequest()
	if err != nil {
		return err
	}
	if len(c.args) == 1 && torrent.Is(c.args[0]) {
		return p.getTorrent(c, request)
	}
	if c.peer.share.torrent.given() {
		return usageError("--tracker, --peer, --dht and --torrent-listen are for magnet links and .torrent files", "tenon get MAGNET --dht")
	}
	if request.Ticket, err = p.readTicket(c); err != nil {
		return err
	}
	if c.peer.share.stdout {
		return p.stopped(p.with(c, func(t *talk) error { return p.getTo(t, request) }))
	}
	g := p.newGetter(c, request)
	return g.end(p.lasting(c, func(t *talk, _ bool) error { return g.run(p.ctx, t, request) }))
}

func (p *program) newGetter(c *call, request api.FetchRequest) *getter {
	return &getter{p: p, c: c, progress: p.newProgress(c), target: request.Target, began: time.Now(), told: map[string]string{}}
}

// end says what is there if not all of it is.
func (g *getter) end(err error) error {
	g.progress.end()
	if err != nil && !g.done {
		g.goesOn()
	}
	return g.p.stopped(err)
}

// getTo writes one file to standard output.
func (p *program) getTo(t *talk, request api.FetchRequest) error {
	err := t.FetchTo(p.ctx, request, dataWriter{p.stdout})
	if errors.Is(err, syscall.EPIPE) {
		return silent{128 + int(syscall.SIGPIPE)}
	}
	return err
}

// A dataWriter writes to standard output what others have sent.
type dataWriter struct{ to *console }

func (w dataWriter) Write(p []byte) (int, error) {
	if err := w.to.data(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fetchRequest is what the command line asks for, without the ticket.
func (c *call) fetchRequest() (r api.FetchRequest, err error) {
	f := &c.peer.share
	switch {
	case len(c.args)+len(c.rest) > 1:
		return r, usageError("one ticket is enough", "tenon get TICKET --to DIRECTORY")
	case f.overwrite && f.rename:
		return r, usageError("--overwrite and --rename cannot both be", "one replaces what is there, the other leaves it")
	case f.stdout && (f.list || f.stay || f.overwrite || f.rename || f.target != ""):
		return r, usageError("--stdout goes with no place, no list and no --stay", "of what is written to standard output nothing is kept")
	case f.list && f.stay:
		return r, usageError("--list and --stay cannot both be", "of a list there is nothing to hand on")
	}
	r = api.FetchRequest{List: f.list, Only: f.only, Exclude: f.exclude, Overwrite: f.overwrite, Rename: f.rename,
		SkipLinks: f.skipLinks, Stay: f.stay, Up: f.up, Down: f.down, Forgive: f.forgive}
	r.Target, err = c.place()
	return r, err
}

// place is the directory that --to names, or the working directory.
func (c *call) place() (string, error) {
	if c.peer.share.target == "-" { // elsewhere that is standard output
		return "", usageError("--to names a directory", "tenon get --stdout writes a file to standard output; --to ./- is a directory of that name")
	}
	return filepath.Abs(c.peer.share.target)
}

// readTicket finds the ticket. It is a secret, and other users of the machine see the
// arguments of a program: so it need not be one.
func (p *program) readTicket(c *call) (ticket string, err error) {
	if len(c.args) == 1 && strings.TrimSpace(c.args[0]) == "" { // "$TICKET", where there is none
		return "", usageError("the ticket is empty", "the other side makes one with: tenon share PATH")
	}
	if len(c.args) == 1 && c.args[0] != "-" {
		if ticket, err = opt.ReadSecret(c.args[0]); err != nil {
			return "", transport.Usage(err)
		}
		return strings.TrimSpace(ticket), nil
	}
	if ticket, err = p.askFor(c, "the ticket: "); err != nil {
		return "", err
	}
	if ticket == "" {
		return "", usageError("a ticket is needed", "the other side makes one with: tenon share PATH")
	}
	return ticket, nil
}

// A getter tells how a share is fetched.
type getter struct {
	p        *program
	c        *call
	progress *progress
	target   string
	began    time.Time
	pace     pace
	last     api.Share
	listed   listing
	told     map[string]string // of each peer, what was told last
	done     bool
}

// run fetches until all is there, or with --stay until ctx is done.
func (g *getter) run(ctx context.Context, t *talk, request api.FetchRequest) error {
	for e, err := range t.Fetch(ctx, request) {
		if err == nil {
			err = g.see(time.Now(), e)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !g.done && !request.List:
		return errors.New("the node has ended the transfer")
	}
	g.listed.end(g.p, g.c)
	return nil
}

// see tells what is new.
func (g *getter) see(now time.Time, e api.FetchEvent) error {
	if e.Share != nil {
		g.last = *e.Share
	}
	done := e.Type == api.FetchDone
	defer func() { g.done = g.done || done }()
	if g.p.json {
		if e.Share != nil {
			e.Share = new(e.Share.WithoutTickets())
		}
		return g.p.stdout.json(e)
	}
	switch e.Type {
	case api.FetchList:
		g.listed.add(g.p, e.Entries)
	case api.FetchNote:
		g.tellNote(e)
	case api.FetchProgress:
		g.pace.add(now, g.last.GotPS)
		g.progress.show(now, g.line)
	case api.FetchDone:
		if !g.c.peer.share.list && !g.done {
			g.tellDone(now, e.Paths)
		}
	}
	return nil
}

// tellNote tells what has happened, but not again and again: whoever cannot be reached is tried for ever.
func (g *getter) tellNote(e api.FetchEvent) {
	if g.told[e.Peer] == e.Text && !g.c.global.verbose {
		return
	}
	g.told[e.Peer] = e.Text
	g.p.tell(g.c, "%s", strings.TrimPrefix(e.Peer+": "+e.Text, ": "))
}

// line is how far it is.
func (g *getter) line(columns int) string {
	s := &g.last
	if g.done {
		return phrases(shareTitle(*s)+": handed on", sending(*s), count(len(s.Peers), "peer"))
	}
	have, whole := bytesOf(float64(s.Have)), bytesOf(float64(s.Bytes))
	if s.Root == "" { // the sharer hashes still: there may be more
		return shareTitle(*s) + ": " + phrases(have+" of "+whole+", and more to come", rate(s.GotPS), sending(*s), others(*s))
	}
	part := partOf(s.Have, s.Bytes)
	head := strings.TrimSpace(shareTitle(*s) + ": " + percent(part) + " " + bar(part, columns))
	return head + " " + phrases(have+" of "+whole, rate(s.GotPS), g.pace.left(s.Bytes-s.Have), others(*s), sending(*s))
}

func others(s api.Share) string {
	if len(s.Peers) == 0 {
		return "looking for who has it"
	}
	return count(len(s.Peers), "peer")
}

// tellDone says where it is, how much that was, and how long it took.
func (g *getter) tellDone(now time.Time, paths []string) {
	g.progress.end()
	for _, path := range paths {
		g.p.stdout.line(path)
	}
	s, f := g.last, &g.c.peer.share
	text := count(s.Files, "file") + ", " + bytesOf(float64(s.Bytes)) + ", in " + about(now.Sub(g.began))
	if s.Got == 0 && s.Bytes > 0 {
		text += "; all of it was there already"
	}
	g.p.tell(g.c, "%s", text)
	if f.stay {
		g.p.tell(g.c, "it is handed on until this program ends")
	}
}

// goesOn says what is there of a share that has not come whole, and how to get the rest.
func (g *getter) goesOn() {
	s, what := g.last, "what has come is"
	switch {
	case g.c.peer.share.list, s.Have == 0 && g.p.ctx.Err() == nil:
		return
	case s.Have > 0 && s.Root == "":
		what = bytesOf(float64(s.Have)) + " are"
	case s.Have > 0:
		what = bytesOf(float64(s.Have)) + " of " + bytesOf(float64(s.Bytes)) + " are"
	}
	g.p.tell(g.c, "%s kept in %s; this goes on with it: %s", what, g.target, g.again())
}

// again is the command that goes on: the same, but for a ticket that all could see, which it
// asks for.
func (g *getter) again() string {
	typed := g.c.words
	if i := slices.IndexFunc(typed, func(word string) bool { return slices.Contains(g.c.args, word) && isSecret(word) }); i >= 0 {
		typed = slices.Delete(slices.Clone(typed), i, i+1)
	}
	return typedAgain(typed)
}

// typedAgain is what a person types to run this program with those words.
func typedAgain(words []string) string {
	text := "tenon"
	for _, word := range words {
		text += " " + shellWord(word)
	}
	return text
}

// isSecret tells whether a word is the ticket itself, and not where it is.
func isSecret(word string) bool {
	return word != "-" && !strings.HasPrefix(word, "@") && !strings.HasPrefix(word, "env:") && !torrent.Is(word)
}

// shellWord writes a word so that a shell takes it as one.
func shellWord(word string) string {
	const special = " \t\n\"'`$&|;<>()*?[]#~=%!{}\\"
	if word != "" && !strings.ContainsAny(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
