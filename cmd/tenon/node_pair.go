//go:build node

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

var errNoCode = usageError("a code is needed", "the other side shows one: see tenon help pair, send and receive")

// isBlank tells whether a code was given that is none, such as a variable of a script that nothing has set: without a
// code, one would be shown, and waited for.
func isBlank(args []string) bool {
	return len(args) > 0 && strings.TrimSpace(strings.Join(args, "")) == ""
}

// runPair is "tenon pair [CODE]".
func runPair(p *program, c *call) error {
	code := strings.Join(c.args, " ")
	if isBlank(c.args) {
		return errNoCode
	}
	if c.peer.join && code == "" {
		var err error
		if code, err = p.askFor(c, "the code that the other side shows: "); err != nil {
			return err
		}
		if code == "" {
			return errNoCode
		}
	}
	if code != "" { // a mistake is told before anything is begun
		if _, _, err := pair.ParseCode(code); err != nil {
			return transport.Usage(err)
		}
	}
	return p.with(c, func(t *talk) error {
		ctx := p.ctx
		request := api.PairRequest{Code: code, As: c.peer.name, Self: c.peer.as}
		events := t.PairOffer
		if code != "" {
			events = t.PairJoin
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, cmp.Or(c.peer.timeout, defaultJoin), nobodyShows("tenon pair"))
			defer cancel()
			p.tell(c, "looking for the other side")
		}
		done, err := p.pairing(ctx, c, events(ctx, request), "tenon pair", "paired")
		if err != nil || p.json {
			return p.stopped(err)
		}
		return p.confirm(c, t, done)
	})
}

// pairing tells what happens until the two are paired, or else: what is the command that takes the code, and as what
// both are then.
func (p *program) pairing(ctx context.Context, c *call, events iter.Seq2[api.PairEvent, error], command, as string) (done api.PairEvent, err error) {
	teller := codeTeller{p: p, c: c, show: func(code string) {
		if !p.json {
			p.stdout.line(code)
		}
		p.tell(c, "on the other computer: %s %s", command, quoteWords(code))
	}}
	for e, err := range events {
		switch {
		case err != nil && ctx.Err() != nil:
			return done, context.Cause(ctx)
		case err != nil:
			return done, err
		}
		if p.json {
			if err := p.stdout.json(e); err != nil {
				return done, err
			}
		}
		teller.tell(e.Type, e.Code, e.Text)
		if e.Type == api.PairDone {
			if !p.json && e.Peer != nil {
				p.stdout.linef("%s with %s, %s", as, e.Peer.Name, e.Peer.Short)
				p.stdout.linef("both sides see: %s", strings.Join(e.Words, " "))
			}
			return e, nil
		}
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	return done, errors.New("the node has ended the pairing")
}

// quoteWords puts a code so that a shell takes it as one word.
func quoteWords(code string) string {
	if strings.ContainsAny(code, " ") {
		return "'" + code + "'"
	}
	return code
}

// confirm asks whether the words are the same at both sides, where somebody is there
// to ask. Whoever says no has met somebody else.
func (p *program) confirm(c *call, t *talk, done api.PairEvent) error {
	peer := done.Peer
	if peer != nil && done.Text != "" {
		p.tell(c, "%s", done.Text)
	}
	if c.peer.yes || peer == nil || !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	answer, err := p.ask(c, "does the other side see the same words? [Y/n] ")
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !strings.HasPrefix(strings.ToLower(answer), "n") {
		name := peer.Name
		if done.Text != "" {
			if name, err = p.askName(c, t, peer); err != nil {
				return err
			}
		}
		p.tell(c, "tenon grant SERVICE %s lets it use something of yours", name)
		return nil
	}
	if err := t.Forget(p.ctx, peer.ID); err != nil {
		return err
	}
	return errors.New("somebody stood between the two computers: the peer is forgotten")
}

// askName asks what to call a peer whose suggestion was taken, until it can be called that.
func (p *program) askName(c *call, t *talk, peer *api.Peer) (string, error) {
	for {
		name, err := p.ask(c, "what to call the other side? ["+peer.Name+"] ")
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if name == "" {
			return peer.Name, nil
		}
		renamed, err := t.Rename(p.ctx, peer.ID, name)
		if err == nil {
			return renamed.Name, nil
		}
		printError(p.stderr, err)
	}
}

// ask reads a line, after a question if somebody is at the terminal. Spaces around it do not count.
func (p *program) ask(c *call, question string) (string, error) {
	line, err := p.askLine(c, question)
	return strings.TrimSpace(line), err
}

func (p *program) askLine(c *call, question string) (string, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		p.stderr.draw(question)
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go readLine(os.Stdin, func(line string, err error) { got <- answer{line, err} })
	select {
	case a := <-got:
		p.stderr.clear()
		if a.line != "" && errors.Is(a.err, io.EOF) {
			a.err = nil
		}
		return strings.TrimRight(a.line, "\r\n"), a.err
	case <-p.ctx.Done(): // the goroutine ends with the process
		p.stderr.clear()
		return "", context.Cause(p.ctx)
	}
}

// askFor is ask for what has to be said: where there is nobody to say it, the answer is "".
func (p *program) askFor(c *call, question string) (string, error) {
	text, err := p.ask(c, question)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text, err
}

// maxAnswer is the length of the longest line that ask reads.
const maxAnswer = 4096

func readLine(from io.Reader, tell func(string, error)) {
	tell(bufio.NewReader(io.LimitReader(from, maxAnswer)).ReadString('\n'))
}
