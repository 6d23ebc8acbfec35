//go:build node

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// runSend is "tenon send PATH... | --text TEXT | -".
func runSend(p *program, c *call) error {
	request, err := c.sendRequest()
	if err != nil {
		return err
	}
	pipe := request.Text == "" && request.Paths == nil
	if pipe && c.peer.send.code == "-" {
		return usageError("standard input is what is sent, and cannot say the code, too", "--code @FILE or --code env:NAME reads it")
	}
	if request.Code, err = p.readCode(c, c.peer.send.code); err != nil {
		return err
	}
	s := &sender{p: p, c: c, progress: p.newProgress(c), began: time.Now()}
	err = p.with(c, func(t *talk) error {
		if pipe {
			return s.pipe(t, request)
		}
		return s.send(t, request)
	})
	s.progress.end()
	return p.stopped(err)
}

// sendRequest is what the command line asks for, without the code. It has neither a text nor
// paths where standard input is to be sent.
func (c *call) sendRequest() (r api.SendRequest, err error) {
	paths := slices.Concat(c.args, c.rest)
	pipe := slices.Equal(c.args, []string{"-"}) && len(c.rest) == 0
	text := c.set.Lookup("text").Given()
	switch {
	case text && len(paths) > 0:
		return r, usageError("a text is sent, or files: not both", "tenon send --text TEXT")
	case text && c.peer.send.text == "":
		return r, usageError("the text is empty", "tenon send --text TEXT")
	case text && !utf8.ValidString(c.peer.send.text):
		return r, usageError("it is not a text: it is not in UTF-8", "tenon send - sends all that it reads")
	case text:
		r.Text = c.peer.send.text
		return r, nil
	case pipe:
		r.Name = c.peer.share.name
		return r, nil
	case len(paths) == 0:
		return r, usageError("a file is needed, --text TEXT, or - for standard input", "for example: tenon send photos")
	}
	s, err := c.shareRequest()
	return api.SendRequest{Paths: s.Paths, Name: s.Name, Exclude: s.Exclude, Only: s.Only, GitIgnore: s.GitIgnore, Up: s.Up}, err
}

// A sender tells how something is sent.
type sender struct {
	p        *program
	c        *call
	progress *progress
	began    time.Time
	met      bool
	pace     pace
	notes    noteTeller
	getters  getters
	last     api.Share
	sent     int64 // of standard input
}

// send sends files or a text.
func (s *sender) send(t *talk, r api.SendRequest) error {
	done := false
	err := s.meet(t, r, func(e api.SendEvent) {
		switch e.Type {
		case api.SendProgress:
			s.last = *e.Share
			s.notes.tell(s.p, s.c, s.last.Notes)
			s.pace.add(time.Now(), s.last.SentPS)
			s.progress.show(time.Now(), s.line)
		case api.SendCame, api.SendLeft:
			s.p.tell(s.c, "%s", e.Text)
		case api.SendDone:
			if done = true; e.Share != nil {
				s.last = *e.Share
				s.notes.tell(s.p, s.c, s.last.Notes)
			}
		}
	})
	switch {
	case err != nil:
		return err
	case !done:
		return errors.New("the node has ended the transfer")
	}
	s.progress.end()
	text := ""
	if r.Text == "" {
		text = fmt.Sprintf(": %s, %s%s", count(s.last.Files, "file"), bytesOf(float64(s.last.Bytes)), leftOut(s.last))
	}
	s.p.tell(s.c, "the other side has everything%s", text)
	return nil
}

// line is how far it is.
func (s *sender) line(int) string {
	if !s.met {
		return shareTitle(s.last) + ": " + phrases(bytesOf(float64(s.last.Bytes))+" in "+count(s.last.Files, "file"), "waiting for the other side")
	}
	return shareLine(s.last, 0, s.getters.left(time.Now(), s.last))
}

// meet has the node meet the other side, and tells what happens until the node has no more to say.
func (s *sender) meet(t *talk, r api.SendRequest, tell func(api.SendEvent)) error {
	p, c := s.p, s.c
	ctx, found, cancel := p.looking(c, r.Code, "tenon receive")
	defer cancel()
	teller := codeTeller{p: p, c: c, show: func(code string) {
		if !p.json {
			p.stdout.line(code)
		}
		p.tell(c, "on the other computer: tenon receive %s", quoteWords(code))
	}}
	for e, err := range teller.follow(ctx, t.Send(ctx, r)) {
		if err != nil {
			return err
		}
		if e.Type == api.SendMet {
			found()
			s.met = true
			p.met(c, e)
		}
		tell(e)
	}
	return nil
}

// withoutTicket leaves out what is secret.
func withoutTicket(e api.SendEvent) api.SendEvent {
	if e.Share != nil {
		e.Share = new(e.Share.WithoutTickets())
	}
	if e.Given != nil {
		e.Given = new(*e.Given)
		e.Given.Ticket = ""
	}
	return e
}

// pipe sends standard input, by a service that is offered for that alone.
func (s *sender) pipe(t *talk, r api.SendRequest) error {
	r.Service = "send-" + randomWord()
	acc, err := t.via.Offer(s.p.ctx, api.OfferRequest{Service: r.Service})
	if err != nil {
		return err
	}
	defer acc.Close() //nolint:errcheck // it was only for this
	if err := s.meet(t, r, func(api.SendEvent) {}); err != nil {
		return err
	}
	conn, err := acceptOne(s.p.ctx, acc)
	if err != nil {
		return err
	}
	defer context.AfterFunc(s.p.ctx, func() { transport.Abort(conn, context.Cause(s.p.ctx)) })() //nolint:errcheck // it is said once
	if err := s.pour(conn); err != nil {
		transport.Abort(conn, err) //nolint:errcheck // err is what counts
		if s.p.ctx.Err() != nil {
			return context.Cause(s.p.ctx)
		}
		return err
	}
	s.progress.end()
	s.p.tell(s.c, "the other side has everything: %s", bytesOf(float64(s.sent)))
	transport.Abort(conn, errOver) //nolint:errcheck // to close it would wait for an answer, and all is said
	return nil
}

// pour sends all that is read, and waits until the other side says that it has it.
func (s *sender) pour(conn transport.Stream) error {
	heard := make(chan error, 1)
	go hear(conn, heard)
	poured := make(chan error, 1)
	go func() { poured <- s.copy(conn) }()
	for {
		select {
		case err := <-poured: // the goroutine that reads ends with the process if it is not this
			if err != nil {
				return s.because(heard, err)
			}
			poured = nil
		case err := <-heard:
			if err != nil || poured == nil {
				return err
			}
			select { // it has heard the end before this goroutine has
			case err := <-poured:
				return err
			case <-time.After(lastWord):
				return errors.New("the other side ends before it has everything")
			}
		case <-s.p.ctx.Done():
			return context.Cause(s.p.ctx)
		}
	}
}

// because returns what the other side has said in place of what came of it.
func (s *sender) because(heard <-chan error, err error) error {
	select {
	case why := <-heard:
		if why != nil {
			return why
		}
	case <-time.After(time.Second):
	case <-s.p.ctx.Done():
	}
	return err
}

// hear waits for what who receives says at the end.
func hear(conn io.Reader, heard chan<- error) {
	var said [1]byte
	switch _, err := io.ReadFull(conn, said[:]); {
	case err == nil && said[0] == api.GiftAll:
		heard <- nil
	case err == nil && said[0] == api.GiftUnwanted:
		heard <- errUnwanted
	default:
		heard <- fmt.Errorf("the other side has gone before it had everything: %w", io.ErrUnexpectedEOF)
	}
}

// endPatience is how long a signal may be behind the end of standard input.
const endPatience = 50 * time.Millisecond

// ended says that all was sent. Ctrl-C ends the program that writes to standard input and this one at the same
// time: that is not an end of what is sent, though it ends what is read.
func (s *sender) ended(conn transport.Stream) error {
	select {
	case <-s.p.ctx.Done():
		return context.Cause(s.p.ctx)
	case <-time.After(endPatience):
		return conn.CloseWrite()
	}
}

// copy sends standard input, and tells how much that was.
func (s *sender) copy(conn transport.Stream) error {
	buf := make([]byte, pipeBuffer)
	for {
		n, err := os.Stdin.Read(buf)
		if n > 0 {
			if _, err := conn.Write(buf[:n]); err != nil {
				return err
			}
			s.sent += int64(n)
			s.progress.show(time.Now(), func(int) string { return soFar(s.sent, s.began) })
		}
		switch {
		case errors.Is(err, io.EOF):
			return s.ended(conn)
		case err != nil:
			return err
		}
	}
}
