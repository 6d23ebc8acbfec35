package chat

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
)

// The prekeys that a room knows of its devices: the first ones are in the events by which they have entered, later ones are
// passed on beside the events.

// maxStrays is how many prekeys are held of devices that are not in the room, as far as is known: who enters is told
// prekeys before he has the events of those whose they are.
const maxStrays = 1024

// prekeys are those that were passed on. The Room's mu guards them.
type prekeys struct {
	of     map[event.Device][]*event.Prekey // the latest last
	strays map[event.Device]*event.Prekey
	rewrap bool // a device has said a prekey that it may lack a secret for
}

func (k *prekeys) latest(d event.Device) *event.Prekey {
	if all := k.of[d]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// restorePrekeys reads what is kept.
func (r *Room) restorePrekeys(ctx context.Context) error {
	rows, err := r.log.Prekeys(ctx)
	if err != nil {
		return err
	}
	of := map[event.Device][]*event.Prekey{}
	for _, row := range rows {
		p, err := event.ReadPrekey(row.Bytes)
		if err != nil {
			return err
		}
		of[p.Device] = append(of[p.Device], p)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys.of = of
	if r.keys.strays == nil {
		r.keys.strays = map[event.Device]*event.Prekey{}
	}
	return nil
}

// prekeyOf returns the prekey that counts of a device, or nil. It is called with the turn.
func (r *Room) prekeyOf(d event.Device) *event.Prekey {
	if d == r.chat.self {
		return r.chat.prekey()
	}
	first := r.state.FirstPrekey(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	last := first
	for _, p := range []*event.Prekey{r.keys.latest(d), r.keys.strays[d]} {
		if p != nil && (last == nil || last.Time < p.Time) {
			last = p
		}
	}
	return last
}

// prekeysOf returns those of several devices.
func (r *Room) prekeysOf(devices []event.Device) (all []*event.Prekey) {
	for _, d := range devices {
		all = append(all, r.prekeyOf(d))
	}
	return all
}

// gone tells whether a device may have forgotten a prekey: it is long since it was made, and the device has said another
// one. It is called with the turn.
func (r *Room) gone(d event.Device, tag [8]byte) bool {
	if d == r.chat.self {
		return false
	}
	first := r.state.FirstPrekey(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.keys.of[d]
	if first != nil {
		all = append([]*event.Prekey{first}, all...)
	}
	for i, p := range all {
		if p.Tag() == tag {
			return i < len(all)-1 && !r.chat.now().Before(made(p).Add(PrekeyKept))
		}
	}
	return false
}

// freshPrekey tells whether a row is worth a look: it is malformed, or later than what is known.
func (r *Room) freshPrekey(row []byte) bool {
	d, at := event.Device(row), binary.BigEndian.Uint64(row[32:])
	r.mu.Lock()
	defer r.mu.Unlock()
	last, stray := r.keys.latest(d), r.keys.strays[d]
	return (last == nil || last.Time < at) && (stray == nil || stray.Time < at) && !r.chat.now().Add(prekeyAhead).Before(time.UnixMilli(int64(at))) //nolint:gosec // as in made
}

// takePrekeys takes rows of later prekeys. An error means that no honest member sends them, or that they
// cannot be kept.
func (r *Room) takePrekeys(ctx context.Context, rows [][]byte) error {
	var all []*event.Prekey
	lost := false
	devices := r.now.Load().devices
	for _, row := range rows {
		if !r.freshPrekey(row) {
			continue
		}
		p, err := event.ParsePrekey(row)
		if err != nil {
			return fmt.Errorf("%w: %w", meet.ErrInvalid, err)
		}
		if _, in := devices[p.Device]; !in {
			r.stray(p)
		} else if p.Device != r.chat.self {
			all = append(all, p)
		} else {
			lost = lost || r.chat.vault.private(p.Tag()) == nil
		}
	}
	if lost {
		// An old copy of the database was put back: what others wrap to what it had said since cannot be opened. Once a
		// day is enough, and does not make two copies outdo each other.
		if err := r.chat.renew(ctx, prekeyRest); err != nil {
			return err
		}
	}
	return r.keepPrekeys(ctx, all)
}

func (r *Room) stray(p *event.Prekey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys.strays) >= maxStrays {
		for d := range r.keys.strays { // any one
			delete(r.keys.strays, d)
			break
		}
	}
	r.keys.strays[p.Device] = p
}

// keepPrekeys keeps those that are later than what there is, and has others told of them.
func (r *Room) keepPrekeys(ctx context.Context, all []*event.Prekey) error {
	if len(all) == 0 {
		return nil
	}
	rows := make([]log.Prekey, len(all))
	for i, p := range all {
		rows[i] = log.Prekey{Device: log.ID(p.Device), Time: p.Time, Bytes: p.Bytes()}
	}
	newer, err := r.log.PutPrekeys(ctx, rows...)
	if err != nil || len(newer) == 0 {
		return err
	}
	r.mu.Lock()
	for _, row := range newer {
		i := slices.IndexFunc(all, func(p *event.Prekey) bool { return p.Device == event.Device(row.Device) && p.Time == row.Time })
		of := append(slices.Clip(r.keys.of[all[i].Device]), all[i])
		r.keys.of[all[i].Device] = of[max(0, len(of)-log.KeptPrekeys):]
	}
	r.keys.rewrap, r.mark.news = true, true
	r.mu.Unlock()
	r.poke()
	return nil
}

// ownPrekey returns the prekey of this device that the room has been told; nil: none but that with which it has entered.
func (r *Room) ownPrekey() *event.Prekey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys.latest(r.chat.self)
}

// tendPrekeys tells the room the prekey of this device, if it is a later one, takes those of who has entered, and
// gives secrets again to those who cannot have opened them.
func (r *Room) tendPrekeys(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if r.place.state != Inside || r.may(event.Reader) != nil {
		return nil
	}
	var all []*event.Prekey
	devices := r.now.Load().devices
	own, first := r.chat.prekey(), r.state.FirstPrekey(r.chat.self)
	_, in := devices[r.chat.self]
	r.mu.Lock()
	if last := r.keys.latest(r.chat.self); in && own.Device == r.chat.self && first != nil && first.Time < own.Time && (last == nil || last.Time < own.Time) {
		all = append(all, own)
	}
	for d, p := range r.keys.strays {
		if _, in := devices[d]; in {
			all = append(all, p)
			delete(r.keys.strays, d)
		}
	}
	r.mu.Unlock()
	if err := r.keepPrekeys(ctx, all); err != nil {
		return err
	}
	if len(all) > 0 {
		r.post.poke() // the own one goes into mailboxes
	}
	return r.rewrap(ctx)
}

// rewrap wraps secrets of epochs that this device has made again for devices that have forgotten the prekeys that they were
// wrapped to: it had not heard of later ones. Only as long as a prekey is kept: who has stolen a device gets no older ones
// by it, that its owner had read and forgotten. It is called with the turn.
func (r *Room) rewrap(ctx context.Context) error {
	r.mu.Lock()
	news := r.keys.rewrap
	r.keys.rewrap = false
	r.mu.Unlock()
	if !news || r.may(event.Member) != nil {
		return nil
	}
	for _, x := range r.state.Unopened(maxShared, r.chat.self) {
		if r.knows(x.Epoch) && r.chat.now().Sub(event.Time(x.Time)) < PrekeyKept {
			if err := r.share(ctx, x.Epoch, r.prekeysOf(x.Missing)); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetSecrets forgets, once a day, secrets of epochs with which nothing is sealed any more that is there: where all
// that was said has disappeared, nobody can open what somebody else may have kept of it. It is called with the turn.
func (r *Room) forgetSecrets(ctx context.Context) error {
	now := r.chat.now()
	if !r.acts.timed || now.Sub(r.forgot) < prekeyRest {
		return nil
	}
	r.forgot = now
	sending, _ := r.state.Sending(r.knows)
	var old []event.ID
	for id := range r.secrets {
		if n, ok := r.past.Node(id); ok && id != sending.Epoch && now.Sub(event.Time(n.Time)) >= PrekeyKept {
			old = append(old, id)
		}
	}
	if err := r.past.err; err != nil || len(old) == 0 {
		return err
	}
	used, err := r.log.Sealed(ctx, event.EpochAt, byte(event.KindText))
	if err != nil {
		return err
	}
	for _, id := range old {
		if used[log.ID(id)] {
			continue
		}
		if err := r.chat.vault.exec(ctx, `DELETE FROM chat_secrets WHERE room = ? AND epoch = ?`, r.id[:], id[:]); err != nil {
			return err
		}
		delete(r.secrets, id)
	}
	return nil
}
