//go:build node

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/share/drop"
	"github.com/tenon-net/tenon/internal/share/stage"
	"github.com/tenon-net/tenon/internal/site"
	"github.com/tenon-net/tenon/transport"
)

// runDrop is "tenon receive --web HOST:PORT": no node has a part in it.
func runDrop(p *program, c *call) error {
	d, err := p.newDropper(c)
	if err != nil {
		return err
	}
	err = d.run(p.ctx)
	d.progress.end()
	return p.stopped(errors.Join(err, d.end()))
}

// A dropper shows a page on which people drop files, and tells what comes.
type dropper struct {
	p        *program
	c        *call
	target   string
	drop     *drop.Drop
	server   *site.Server
	progress *progress
	events   chan drop.Event
	pace     pace
	was      drop.Status
	at       time.Time
	ended    bool // it is not to go on
}

// newDropper looks at what is asked for, and begins to listen.
func (p *program) newDropper(c *call) (*dropper, error) {
	f := &c.peer.share
	switch {
	case len(c.args)+len(c.rest) > 0 || c.peer.send.stdout || c.peer.send.timeout != 0:
		return nil, usageError("--web goes with no code", "whoever has the link drops files: tenon receive --web 0.0.0.0:8080 --to downloads")
	case len(f.only)+len(f.exclude) > 0 || f.skipLinks || f.down > 0:
		return nil, usageError("--only, --exclude, --skip-links and --down are not for --web", "--max-size and --uses say how much is taken")
	case f.overwrite && f.rename:
		return nil, usageError("--overwrite and --rename cannot both be", "one replaces what is there, the other leaves it, and is so anyway")
	}
	config := site.Config{At: f.web, Cert: f.cert, Key: f.key}
	if err := config.Check(); err != nil {
		return nil, transport.Usage(err)
	}
	d := &dropper{p: p, c: c, progress: p.newProgress(c), events: make(chan drop.Event, 1024), at: time.Now()}
	var err error
	if d.target, err = c.place(); err != nil {
		return nil, err
	}
	if err = os.MkdirAll(d.target, 0o777); err != nil {
		return nil, err
	}
	d.drop, err = drop.New(drop.Config{Target: d.target, Overwrite: f.overwrite, Any: c.peer.send.yes, MaxSize: f.maxSize, Files: f.uses,
		Events: func(e drop.Event) {
			select {
			case d.events <- e:
			case <-p.ctx.Done(): // nobody reads any more
			}
		}})
	switch {
	case errors.Is(err, stage.ErrBusy):
		return nil, transport.WithHint(err, "--to takes another directory")
	case err != nil:
		return nil, err
	}
	if d.server, err = site.Listen(config, d.drop.Path(), d.drop); err != nil {
		return nil, errors.Join(err, d.drop.Close(false))
	}
	return d, nil
}

// farewellTime is how long the answers to the last requests may take when enough files have come.
const farewellTime = 5 * time.Second

// A dropEvent is what --json tells.
type dropEvent struct {
	Type        string   `json:"type"` // "link", "progress", "begun", "landed", "given up", "refused"
	Links       []string `json:"links,omitempty"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Name        string   `json:"name,omitempty"`
	Path        string   `json:"path,omitempty"`
	From        string   `json:"from,omitempty"`
	Text        string   `json:"text,omitempty"`
	Bytes       int64    `json:"bytes,omitempty"`
	Of          int64    `json:"of,omitempty"`
	Files       int      `json:"files,omitempty"` // that have come
	Coming      int      `json:"coming,omitempty"`
}

// run takes files until it is over.
func (d *dropper) run(ctx context.Context) error {
	served := make(chan struct{})
	go d.serve(served)
	defer func() {
		d.stop()
		<-served
	}()
	if err := d.show(); err != nil {
		return err
	}
	var late <-chan time.Time
	if after := d.c.peer.share.expires; after > 0 {
		late = time.After(after)
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-d.events:
			if err := d.see(e); err != nil {
				return err
			}
		case now := <-tick.C:
			if err := d.look(now, d.drop.Status()); err != nil {
				return err
			}
		case <-late:
			d.ended = true
			if d.drop.Status().Landed == 0 {
				return transport.Mark(errors.New("the time of the link has run out, and no file has come"), tenon.ErrTimeout)
			}
			return d.rest()
		case <-d.drop.Over():
			d.ended = true
			return d.rest()
		}
	}
}

func (d *dropper) serve(done chan<- struct{}) {
	defer close(done)
	d.server.Serve()
}

// stop has nobody send anything any more; what happens meanwhile is told.
func (d *dropper) stop() {
	closed := make(chan struct{})
	go d.close(closed)
	for {
		select {
		case e := <-d.events:
			d.see(e) //nolint:errcheck // standard output tells
		case <-closed:
			d.rest() //nolint:errcheck // standard output tells
			return
		}
	}
}

func (d *dropper) close(done chan<- struct{}) {
	defer close(done)
	select {
	case <-d.drop.Over(): // whoever has sent the last file is told that it is there
		ctx, stop := context.WithTimeout(context.Background(), farewellTime)
		defer stop()
		d.server.Finish(ctx)
	default:
		d.server.Close()
	}
}

// rest tells what has happened and was not told yet.
func (d *dropper) rest() error {
	for {
		select {
		case e := <-d.events:
			if err := d.see(e); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// show says where the page is.
func (d *dropper) show() error {
	p, links := d.p, d.server.Links()
	if p.json {
		return p.stdout.json(dropEvent{Type: "link", Links: links, Fingerprint: d.server.Fingerprint()})
	}
	for _, link := range links {
		p.stderr.linef("tenon: in a browser: %s", link)
	}
	p.tellHow(d.c, d.server.Secure(), d.server.Fingerprint())
	if err := p.showQR(d.c, links[0]); err != nil {
		return err
	}
	p.tell(d.c, "what is dropped there comes into %s, until this program ends%s", d.target, d.limits())
	if s := d.drop.Status(); s.Coming > 0 {
		p.tell(d.c, "%s from before can go on: %s", count(s.Coming, "file"), someOf(s.Names, 5))
	}
	return nil
}

func (d *dropper) limits() string {
	f, text := &d.c.peer.share, ""
	if f.expires > 0 {
		text += ", for " + about(f.expires) + " at most"
	}
	if f.uses > 0 {
		text += ", " + count(f.uses, "file") + " at most"
	}
	if f.maxSize > 0 {
		text += ", " + bytesOf(float64(f.maxSize)) + " at most"
	}
	return text
}

// see tells what has happened to a file.
func (d *dropper) see(e drop.Event) error {
	p := d.p
	if p.json {
		v := dropEvent{Type: string(e.Kind), Name: e.Name, From: e.From, Text: e.Text, Bytes: e.Bytes}
		if e.As != "" {
			v.Path = filepath.Join(d.target, e.As)
		}
		return p.stdout.json(v)
	}
	from := ""
	if e.From != "" {
		from = ", from " + e.From
	}
	switch e.Kind {
	case drop.Landed:
		p.stdout.line(filepath.Join(d.target, e.As))
		text := e.As
		if e.As != e.Name {
			text = e.Name + " is there as " + e.As
		}
		p.tell(d.c, "%s: %s%s", text, bytesOf(float64(e.Bytes)), from)
	case drop.Refused:
		p.tell(d.c, "%s is not taken%s: %s", quoted(e.Name), from, e.Text)
	case drop.Given:
		p.tell(d.c, "%s does not come%s: %s", quoted(e.Name), from, e.Text)
	}
	return nil
}

func quoted(name string) string {
	if name == "" {
		return "a file"
	}
	return strconv.Quote(name)
}

// look shows how far it is.
func (d *dropper) look(now time.Time, s drop.Status) error {
	was, passed := d.was, now.Sub(d.at)
	d.was, d.at = s, now
	if got := s.Bytes + s.LandedBytes - was.Bytes - was.LandedBytes; passed > 0 && got >= 0 && was.Names != nil {
		d.pace.add(now, float64(got)/passed.Seconds())
	}
	switch {
	case s.Coming == 0:
		d.pace = pace{}
		d.progress.end()
		return nil
	case d.p.json:
		if fmt.Sprint(was) == fmt.Sprint(s) {
			return nil
		}
		return d.p.stdout.json(dropEvent{Type: "progress", Files: s.Landed, Coming: s.Coming, Bytes: s.Bytes, Of: s.OfBytes})
	}
	d.progress.show(now, func(columns int) string { return dropLine(s, d.pace, columns) })
	return nil
}

// dropLine is how far it is.
func dropLine(s drop.Status, p pace, columns int) string {
	what := clip(s.Names[0], 24)
	if s.Coming > 1 {
		what = count(s.Coming, "file")
	}
	part := partOf(s.Bytes, s.OfBytes)
	head := strings.TrimSpace(what + ": " + percent(part) + " " + bar(part, columns))
	return head + " " + phrases(bytesOf(float64(s.Bytes))+" of "+bytesOf(float64(s.OfBytes)), rate(p.rate), p.left(s.OfBytes-s.Bytes))
}

// end says what is kept, and how to go on.
func (d *dropper) end() error {
	s := d.drop.Status()
	if s.Landed > 0 {
		d.p.tell(d.c, "%s, %s", count(s.Landed, "file"), bytesOf(float64(s.LandedBytes)))
	}
	if s.Coming > 0 && !d.ended {
		d.p.tell(d.c, "not whole yet: %s; what has come is kept for a day in %s; this goes on with it, at the same link: %s",
			someOf(s.Names, 5), d.drop.Dir(), d.again())
	}
	return d.drop.Close(d.ended)
}

// again is the command that goes on, at the port that there was.
func (d *dropper) again() string {
	words := slices.Clone(d.c.words)
	links := d.server.Links()
	_, at, _ := strings.Cut(links[0], "://")
	at, _, _ = strings.Cut(at, "/")
	port := at[strings.LastIndexByte(at, ':'):]
	for i, word := range words {
		value, joined := strings.CutPrefix(word, "--web=")
		if !joined {
			if i == 0 || words[i-1] != "--web" {
				continue
			}
			value = word
		}
		if j := strings.LastIndexByte(value, ':'); j >= 0 {
			value = value[:j] + port
		}
		if joined {
			value = "--web=" + value
		}
		words[i] = value
	}
	return typedAgain(words)
}
