//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// runReceive is "tenon receive [CODE]".
func runReceive(p *program, c *call) error {
	if c.peer.share.web != "" {
		return runDrop(p, c)
	}
	if f := &c.peer.share; f.maxSize > 0 || f.uses > 0 || f.expires > 0 || f.cert+f.key != "" {
		return usageError("--max-size, --uses, --expires, --cert and --key are for --web", "for example: tenon receive --web 0.0.0.0:8080 --expires 2h")
	}
	if p.json && c.peer.send.stdout {
		return usageError("--json and --stdout cannot both be", "both have standard output for themselves")
	}
	words := *c
	words.args, words.rest = nil, nil
	fetch, err := words.fetchRequest()
	if err != nil {
		return err
	}
	r := &receiver{p: p, c: c, fetch: fetch, progress: p.newProgress(c), began: time.Now()}
	given := slices.Concat(c.args, c.rest)
	if isBlank(given) {
		return errNoCode
	}
	if r.code, err = p.readCode(c, strings.Join(given, " ")); err != nil {
		return err
	}
	err = p.with(c, r.receive)
	r.progress.end()
	return p.stopped(err)
}

// A receiver takes what is sent.
type receiver struct {
	p        *program
	c        *call
	t        *talk
	code     string
	fetch    api.FetchRequest
	progress *progress
	began    time.Time
}

// receive meets who sends, and takes it.
func (r *receiver) receive(t *talk) error {
	r.t = t
	p, c := r.p, r.c
	ctx, found, cancel := p.looking(c, r.code, "tenon send")
	defer cancel()
	request := api.ReceiveRequest{Code: r.code, Self: c.peer.as}
	teller := codeTeller{p: p, c: c, show: func(code string) {
		r.code = code
		p.tell(c, "on the other computer: tenon send FILE --code %s", quoteWords(code))
	}}
	for e, err := range teller.follow(ctx, t.Receive(ctx, request)) {
		if err != nil {
			return err
		}
		if e.Type == api.SendMet {
			found()
			p.met(c, e)
			return r.take(ctx, e)
		}
	}
	return errors.New("the node has ended the meeting")
}

// take takes what is sent, of whatever sort.
func (r *receiver) take(ctx context.Context, e api.SendEvent) error {
	switch g := e.Given; {
	case g == nil:
		return errors.New("the node does not say what is sent")
	case g.Text != "" && r.p.json:
		return nil // it was printed
	case g.Text != "":
		return r.p.show(g.Text)
	case g.Ticket != "" && r.c.peer.send.stdout:
		return transport.WithHint(transport.Mark(errors.New("files are sent, and no stream for standard output"), tenon.ErrUsage), r.again(""))
	case g.Ticket != "":
		return r.files(ctx, e)
	case !r.c.peer.send.stdout:
		return transport.WithHint(errors.New("what is sent is a stream, which goes to standard output or nowhere"), r.again("--stdout"))
	}
	return r.stream(ctx, e.Given)
}

// show prints a text that somebody has sent. Where no person reads it, it is as it was.
func (p *program) show(text string) error {
	return p.stdout.data([]byte(strings.TrimSuffix(text, "\n") + "\n"))
}

// again says how to go on with the same code.
func (r *receiver) again(flag string) string {
	return "the same code is good for ten minutes more: tenon receive " + strings.TrimSpace(flag+" "+quoteWords(r.code))
}

// errNotAsked: nobody was there to say yes.
var errNotAsked = errors.New("nobody is there to say whether these files are wanted")

// files takes files, if whoever is asked says yes.
func (r *receiver) files(ctx context.Context, e api.SendEvent) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	line, err := r.call(ctx, e, cancel)
	if err != nil {
		return err
	}
	defer line.end()
	r.fetch.Ticket = e.Given.Ticket
	if !r.c.peer.send.yes {
		if err := r.ask(ctx, line); err != nil {
			return err
		}
	}
	g := &getter{p: r.p, c: r.c, progress: r.progress, target: r.fetch.Target, began: time.Now()}
	if err := g.run(ctx, r.t, r.fetch); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		r.progress.end()
		if g.last.Have > 0 && !errors.Is(err, tenon.ErrDenied) {
			r.p.tell(r.c, "%s are kept; %s", bytesOf(float64(g.last.Have)), r.again(""))
		}
		return err
	}
	line.say(api.GiftAll)
	return nil
}

// ask shows what would come, and asks whether it is wanted.
func (r *receiver) ask(ctx context.Context, line *line) error {
	shown := *r.c // as tenon get --list does
	shown.peer.share.list = true
	request := r.fetch
	request.List = true
	shown.global.quiet = !shown.global.verbose // of who takes part
	list := &getter{p: r.p, c: &shown, progress: r.progress, target: request.Target, began: time.Now()}
	if err := list.run(ctx, r.t, request); err != nil {
		return err
	}
	if !attended() {
		return transport.WithHint(transport.Mark(errNotAsked, tenon.ErrUsage), r.again("--yes"))
	}
	answer, err := r.p.ask(r.c, "take it, into "+r.fetch.Target+"? [y/N] ")
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case strings.HasPrefix(strings.ToLower(answer), "y"):
		return nil
	}
	line.say(api.GiftUnwanted)
	return transport.Mark(errors.New("nothing was taken"), tenon.ErrDenied)
}

// stream writes what comes to standard output, as it comes.
func (r *receiver) stream(ctx context.Context, g *api.Gift) error {
	conn, err := r.dial(ctx, g)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { transport.Abort(conn, context.Cause(ctx)) })() //nolint:errcheck // it is said once
	var got int64
	buf := make([]byte, pipeBuffer)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := r.p.stdout.data(buf[:n]); err != nil {
				transport.Abort(conn, err) //nolint:errcheck // err is what counts
				if errors.Is(err, syscall.EPIPE) {
					return silent{128 + int(syscall.SIGPIPE)}
				}
				return err
			}
			got += int64(n)
			r.progress.show(time.Now(), func(int) string { return soFar(got, r.began) })
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%w: %w", errCut, err)
		}
	}
	(&line{conn: conn}).say(api.GiftAll)
	return nil
}

// dial opens the stream to who sends.
func (r *receiver) dial(ctx context.Context, g *api.Gift) (transport.Stream, error) {
	c, err := r.t.via.Dial(ctx, api.DialRequest{To: g.Service, Timeout: api.Duration(cmp.Or(r.c.peer.send.timeout, defaultJoin))})
	if err != nil {
		return nil, err
	}
	s, ok := c.(transport.Stream)
	if !ok {
		c.Close() //nolint:errcheck // it is of no use
		return nil, errors.New("the other side does not send bytes")
	}
	return s, nil
}

// A line is to who sends files, for what is to be said.
type line struct{ conn transport.Stream }

// call opens one, and has ctx end if the other side does. One that goes on with what it has sent before may
// have forgotten who it was sent to: then there is none.
func (r *receiver) call(ctx context.Context, e api.SendEvent, cancel context.CancelCauseFunc) (*line, error) {
	conn, err := r.dial(ctx, e.Given)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && e.Again && !errors.Is(err, api.ErrUnreachable):
		return new(line), nil
	case err != nil:
		return nil, err
	}
	go watchLine(conn, cancel)
	return &line{conn}, nil
}

// watchLine waits until the other side says that it has ended, or has.
func watchLine(conn transport.Stream, cancel context.CancelCauseFunc) {
	var said [1]byte
	if _, err := io.ReadFull(conn, said[:]); err == nil && said[0] == api.GiftOver {
		cancel(errStopped)
		return
	}
	cancel(errCut)
}

// end hangs up.
func (l *line) end() {
	if l.conn != nil {
		transport.Abort(l.conn, errOver) //nolint:errcheck // to close it would wait for an answer
	}
}

// say says something to the other side, and waits until that has heard it.
func (l *line) say(what byte) {
	if l.conn == nil {
		return
	}
	defer time.AfterFunc(lastWord, l.end).Stop()
	if _, err := l.conn.Write([]byte{what}); err == nil && l.conn.CloseWrite() == nil {
		io.Copy(io.Discard, l.conn) //nolint:errcheck // its end is what is waited for
		l.conn.Close()              //nolint:errcheck // where that had come before, this waits
	}
	l.end()
}

// data writes what somebody has sent for this standard output: as it is, unless a person
// reads it there.
func (c *console) data(p []byte) error {
	if c.terminal() {
		return c.put(harmlessLines(string(p)), false)
	}
	return c.put(string(p), false)
}
