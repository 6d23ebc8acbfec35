package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
)

// The first byte that a client sends says what it is.
const (
	speaker  = 'S' // each line that follows is said
	listener = 'L' // it is sent what is heard, a line each
)

// talk has one member say what speakers send, and each of the others tell listeners what it hears. Nothing is listened at
// until all are in the room.
func talk(ctx context.Context, o *options) (any, error) {
	var all []*member
	defer func() {
		for _, m := range all {
			m.close() //nolint:errcheck // the measurement is over
		}
	}()
	for i := range 1 + o.members {
		m, err := newMember(ctx, o.dir, i, all...)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	r, err := room(ctx, all...)
	if err != nil {
		return nil, err
	}
	var hearing []*ears
	for _, m := range all[1:] {
		own, err := m.Room(r.ID())
		if err != nil {
			return nil, err
		}
		e := &ears{room: own, chat: m.Chat}
		hearing = append(hearing, e)
		go e.listen(ctx)
	}
	stop, err := o.startProfile()
	if err != nil {
		return nil, err
	}
	defer stop()
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for next := 0; ; {
		c, err := l.Accept()
		if err != nil {
			return nil, nil
		}
		in := bufio.NewReaderSize(c, 64<<10)
		what, err := in.ReadByte()
		switch {
		case err == nil && what == speaker:
			go speak(ctx, r, c, in)
		case err == nil && what == listener:
			hearing[next%len(hearing)].add(c)
			next++
		default:
			c.Close()
		}
	}
}

// speak says what a speaker sends: all lines that have come at once, when those before them are kept.
func speak(ctx context.Context, r *chat.Room, c net.Conn, in *bufio.Reader) {
	defer c.Close()
	for {
		var all []chat.Message
		for first := true; first || in.Buffered() > 0; first = false {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			all = append(all, chat.Message{Text: strings.TrimSuffix(line, "\n")})
		}
		if _, err := r.SayAll(ctx, all); err != nil {
			return
		}
	}
}

// Ears are the listeners of a member.
type ears struct {
	room *chat.Room
	chat *chat.Chat

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func (e *ears) add(c net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conns == nil {
		e.conns = map[net.Conn]bool{}
	}
	e.conns[c] = true
}

// listen tells listeners what is said, as soon as the room shows it.
func (e *ears) listen(ctx context.Context) {
	var last event.Key
	for ctx.Err() == nil {
		changed := e.chat.NoticesChanged()
		page, err := e.room.After(ctx, last, 500)
		if err != nil {
			return
		}
		var out []byte
		for _, x := range page {
			if last = x.Key; x.Kind == event.KindText {
				out = append(append(out, x.Message.Text...), '\n')
			}
		}
		if len(page) > 0 {
			e.tell(out)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (e *ears) tell(out []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns {
		if _, err := c.Write(out); err != nil && !errors.Is(err, net.ErrClosed) {
			c.Close()
			delete(e.conns, c)
		}
	}
}
