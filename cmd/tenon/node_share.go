//go:build node

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// runShare is "tenon share PATH...".
func runShare(p *program, c *call) error {
	if f := c.peer.share.torrent; f.seed || f.given() {
		return p.stopped(p.seed(c))
	}
	request, err := c.shareRequest()
	if err != nil {
		return err
	}
	w := p.newShareWatch(c)
	err = p.lasting(c, func(t *talk, passing bool) error { return w.run(p.ctx, t, request, passing) })
	w.farewell()
	return p.stopped(err)
}

// shareRequest is what the command line asks for.
func (c *call) shareRequest() (r api.ShareRequest, err error) {
	f := &c.peer.share
	r = api.ShareRequest{Name: f.name, To: splitNames(f.to), Public: f.public, Expires: api.Duration(f.expires), Uses: f.uses, Hold: splitNames(f.hold),
		Exclude: f.exclude, Only: f.only, GitIgnore: f.gitIgnore, Check: f.check, Up: f.up, Web: f.web}
	if r.Cert, r.Key, err = f.certificate(); err != nil {
		return r, err
	}
	paths := slices.Concat(c.args, c.rest)
	switch {
	case len(paths) == 0:
		return r, usageError("a file or a folder is needed", "for example: tenon share photos --expires 24h")
	case r.Public && len(r.To) > 0:
		return r, usageError("--public and --to cannot both be", "public is for everybody")
	case slices.Contains(c.args, "-"):
		return r, usageError("standard input is no file", "tenon send - gives one other what it reads; ./- is a file of that name")
	case slices.Contains(paths, ""):
		return r, usageError("the name of a file is empty", "for example: tenon share photos --expires 24h")
	}
	r.Paths, err = absoluteAll(paths)
	return r, err
}

// absoluteAll returns paths of files that there are, for a node that is somewhere else.
func absoluteAll(paths []string) (all []string, err error) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err != nil {
			return nil, transport.Usage(err)
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		all = append(all, path)
	}
	return all, nil
}

// showTicket prints the ticket of a share, for whoever is to have it.
func (p *program) showTicket(c *call, s api.Share) error {
	if c.peer.share.wait {
		s.Ticket = s.Fixed
	}
	s.Fixed = "" // one is enough
	if p.json {
		return errors.Join(p.stdout.json(s), p.written())
	}
	p.stdout.line(s.Ticket)
	if err := p.written(); err != nil { // nobody has it
		return err
	}
	for _, link := range s.Links {
		p.tell(c, "for browsers: %s", link)
	}
	if len(s.Links) > 0 {
		p.tellHow(c, strings.HasPrefix(s.Links[0], "https:"), s.Fingerprint)
	}
	if err := p.showQR(c, s.Ticket); err != nil {
		return err
	}
	if p.stdout.terminal() {
		p.tell(c, "on the other computer: tenon get, which asks for the ticket, or tenon get TICKET")
		p.tell(c, "it is for %s%s", shareAudience(s), shareLimits(s))
	}
	return nil
}

// tellHow says who can read what goes through links.
func (p *program) tellHow(c *call, secure bool, fingerprint string) {
	switch {
	case !secure:
		p.tell(c, "that is HTTP, which who is on the way can read; https://HOST:PORT is not")
	case fingerprint != "":
		p.tell(c, "browsers warn of the certificate, which was made for this, and show its SHA-256 fingerprint: if it is this one, nobody is in between: %s", fingerprint)
	}
}

// certificate returns where that of a page is, for a node that is somewhere else.
func (f *shareFlags) certificate() (cert, key string, err error) {
	for _, file := range []struct {
		named string
		at    *string
	}{{f.cert, &cert}, {f.key, &key}} {
		if file.named == "" {
			continue
		}
		if f.web == "" {
			return "", "", usageError("--cert and --key are for --web https://HOST:PORT", "")
		}
		if *file.at, err = filepath.Abs(file.named); err != nil {
			return "", "", err
		}
	}
	return cert, key, nil
}

// shareAudience says who may fetch a share.
func shareAudience(s api.Share) string {
	switch {
	case s.Public:
		return "EVERYBODY: it is public"
	case len(s.To) > 0:
		return strings.Join(s.To, ", ")
	case s.State == api.ShareGetting:
		return ""
	case s.State == api.ShareHeld:
		return s.Owner
	}
	return "whoever has the ticket"
}

// shareLimits says how long, and for how many, a share is.
func shareLimits(s api.Share) string {
	var text string
	if !s.NotAfter.IsZero() {
		text += ", for " + about(time.Until(s.NotAfter))
	}
	if s.Uses > 0 {
		text += ", for " + count(s.Uses, "peer")
	}
	return text
}

// gotBy says how many have all of a share, and who.
func gotBy(s api.Share) string {
	switch n := len(s.Fetched); n {
	case 0:
		return "nobody has got all of it"
	case 1:
		return "1 peer has got all of it: " + s.Fetched[0]
	default:
		return fmt.Sprintf("%d peers have got all of it: %s", n, someOf(s.Fetched, 20))
	}
}

// someOf lists the first of some names.
func someOf(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// usedUp tells whether as many have a share as it is for.
func usedUp(s api.Share) bool { return s.Uses > 0 && len(s.Fetched) >= s.Uses }

// over is what the end of a share means for who waits for it: nothing, unless its time has
// run out and nobody has got it.
func over(s api.Share) error {
	if len(s.Fetched) > 0 || s.NotAfter.IsZero() || time.Now().Before(s.NotAfter) {
		return nil
	}
	return transport.Mark(errors.New("the time of the share has run out, and nobody has got all of it"), tenon.ErrTimeout)
}

// shareWord is what names a share on a command line.
func shareWord(s api.Share) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+=", r)
	}
	if s.Name != "" && strings.TrimFunc(s.Name, plain) == "" {
		return s.Name
	}
	return shortShare(s)
}

// shortShare is as much of the ID of a share as tells it from others.
func shortShare(s api.Share) string { return s.ID[:min(len(s.ID), 10)] }
