//go:build node

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
)

// maxSaid is how much of standard input is read, of which not all can be said: the node says how much it is that can.
const maxSaid = 128 << 10

// runSay is "tenon say ROOM|PEER [TEXT...]".
func runSay(p *program, c *call) error {
	words := slices.Concat(c.args, c.rest)
	if len(words) == 0 {
		return usageError("a room or a peer is needed, and something to say", "for example: tenon say plans 'the bill is paid'")
	}
	f := &c.peer.room
	switch {
	case f.reply != "" && f.edit != "":
		return usageError("--reply and --edit cannot both be", "what is edited answers what it has answered before")
	case f.me && len(f.files) > 0:
		return usageError("--file and --me cannot both be", "")
	case f.edit != "" && len(f.files) > 0:
		return usageError("--file and --edit cannot both be", "a message of which files are shared can be taken back")
	}
	paths, err := absoluteAll(f.files)
	if err != nil {
		return err
	}
	text := strings.Join(words[1:], " ")
	if len(words) == 1 && len(paths) == 0 || len(words) == 2 && words[1] == "-" {
		if text, err = p.readAll(); err != nil {
			return err
		}
		text = strings.TrimRight(text, "\r\n")
	}
	if text == "" && len(paths) == 0 {
		return usageError("there is nothing to say", "for example: tenon say plans 'the bill is paid'")
	}
	if len(text) >= maxSaid {
		return usageError("that is more than a message can have", "tenon say ROOM --file FILE shares it")
	}
	if f.me {
		text = "/me " + text
	}
	return p.withRunning(c, func(t *talk) error {
		r, err := p.roomOrPeer(t, words[0])
		if err != nil {
			return err
		}
		said, err := t.SayInRoom(p.ctx, r.ID, api.RoomSay{Text: text, Reply: f.reply, Edit: f.edit, Paths: paths})
		if err == nil && p.json {
			err = p.stdout.jsonText(said)
		}
		return err
	})
}

// roomOrPeer returns a room, or begins the conversation with a peer of that name.
func (p *program) roomOrPeer(t *talk, name string) (api.Room, error) {
	r, err := t.Room(p.ctx, name)
	if errors.Is(err, api.ErrNotFound) && !strings.HasPrefix(name, "#") {
		direct, failed := t.DirectRoom(p.ctx, name)
		if failed == nil || !errors.Is(failed, api.ErrNotFound) && isPeer(p, t, name) || strings.HasPrefix(name, "@") {
			return direct, failed
		}
	}
	return r, err
}

// isPeer tells whether a peer has that name.
func isPeer(p *program, t *talk, name string) bool {
	peers, err := t.Peers(p.ctx)
	return err == nil && slices.ContainsFunc(peers, func(x api.Peer) bool {
		return strings.EqualFold(x.Name, strings.TrimPrefix(name, "@")) || strings.EqualFold(x.ID, name)
	})
}

// readAll reads standard input to its end.
func (p *program) readAll() (string, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, maxSaid))
		done <- read{b, err}
	}()
	select {
	case r := <-done:
		return string(r.text), r.err
	case <-p.ctx.Done(): // the goroutine ends with the process
		return "", context.Cause(p.ctx)
	}
}
