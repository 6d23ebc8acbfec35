package chat

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
)

// Export writes all that there is of the room, with the secrets by which it is read: whoever has it can read what the
// user can.
func (r *Room) Export(ctx context.Context, w io.Writer) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	h := log.Heading{Name: r.now.Load().Name, Secrets: map[string][]byte{}}
	for id, s := range r.secrets {
		key := s.Reveal()
		h.Secrets[id.String()] = key[:]
	}
	give()
	return r.log.Export(ctx, w, h)
}

// Import adds what Export has written, checked as if a member had sent it, and returns the room. One that the user
// has not got is there to be read; if he is a member of it, it goes on. Ended tells that what was written is known to be whole: exports
// of before do not say where they end.
func (c *Chat) Import(ctx context.Context, from io.Reader) (r *Room, ended bool, err error) {
	var h log.Heading
	fresh := false
	err = log.ReadExport(from, func(head log.Heading) (err error) {
		h = head
		b, err := hex.DecodeString(h.Room)
		if err != nil || len(b) != 32 {
			return log.ErrExport
		}
		if r, err = c.Room(event.ID(b)); err != nil {
			fresh = true
			r, err = c.join(ctx, place{room: event.ID(b), state: Left, name: h.Name})
		}
		return err
	}, func(part []log.Exported) error { return r.imported(ctx, part) })
	if err == nil && r.acts.created == nil {
		err = fmt.Errorf("%w: it has no beginning", log.ErrExport)
	}
	if err == nil {
		err = r.takeSecrets(ctx, h.Secrets)
	}
	if err == nil && fresh {
		err = r.resume(ctx)
	}
	if err != nil && fresh && r != nil {
		r.Forget(context.WithoutCancel(ctx)) //nolint:errcheck // there is an error already
	}
	return r, h.Ends, err
}

// imported takes events of an export.
func (r *Room) imported(ctx context.Context, part []log.Exported) error {
	var events []*event.Event
	for _, x := range part {
		e, err := event.Read(append(x.Bytes, x.Payload...))
		if err != nil {
			return fmt.Errorf("%w: %w", log.ErrExport, err)
		}
		if e.Room != r.id {
			return fmt.Errorf("%w: %w", log.ErrExport, errStrange)
		}
		events = append(events, e)
	}
	if err := event.VerifyAll(events); err != nil {
		return fmt.Errorf("%w: %w", log.ErrExport, err)
	}
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	r.importing = true
	defer func() { r.importing = false }()
	_, err = r.admit(ctx, events, false)
	return err
}

// takeSecrets takes those of an export that are what epochs of the room have promised.
func (r *Room) takeSecrets(ctx context.Context, secrets map[string][]byte) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if err := r.past.begin(ctx, nil); err != nil {
		return err
	}
	defer r.past.end()
	for text, key := range secrets {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 32 || len(key) != 32 || r.secrets[event.ID(b)] != nil {
			continue
		}
		id, s := event.ID(b), event.SecretFrom([32]byte(key))
		rows, err := r.log.Get(ctx, log.ID(id))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		e, err := event.Read(whole(&rows[0]))
		if err != nil {
			return err
		}
		if epoch, ok := e.Body.(*event.Epoch); !ok || epoch.Commit != s.Commit() {
			continue
		}
		if err := r.chat.vault.keep(ctx, r.id, id, s); err != nil {
			return err
		}
		r.secrets[id] = s
	}
	r.importing = true
	defer func() { r.importing = false }()
	return r.openWaiting(ctx)
}

// resume notes that all was read, and goes on with a room of which the user is a member still.
func (r *Room) resume(ctx context.Context) error {
	last, err := r.log.Before(ctx, log.Last, 1)
	if err != nil || len(last) == 0 {
		return err
	}
	if err := r.SetRead(ctx, eventKey(last[0].Key)); err != nil {
		return err
	}
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	member := r.state.RoleNow(r.chat.me) > event.Nobody
	if member {
		p := r.place
		p.state, p.secret = Inside, r.acts.created.MeetSecret()
		err = r.keep(ctx, p)
	}
	give()
	if err != nil || !member {
		return err
	}
	return r.succeed(ctx)
}
