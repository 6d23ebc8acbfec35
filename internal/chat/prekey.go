package chat

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

const (
	// PrekeyAge is how old the prekey of a device gets before it makes another one.
	PrekeyAge = 7 * 24 * time.Hour

	// PrekeyKept is how long the private keys of a prekey are kept when there is another one: what was wrapped for
	// somebody who is away may take so long. Secrets that were wrapped to it can be opened by nobody afterwards.
	PrekeyKept = 30 * 24 * time.Hour

	prekeyRest  = 24 * time.Hour  // it makes none with an epoch while the latest one is younger
	prekeyAhead = 2 * time.Minute // of the own clock; what is later does not count
)

// An ownPrekey is one of this device, or of what it was before.
type ownPrekey struct {
	public *event.Prekey
	secret *event.PrekeySecret
}

func (c *Chat) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// prekey returns the prekey that counts of this device.
func (c *Chat) prekey() *event.Prekey { return c.vault.latest(c.now()) }

// renew has the device have a prekey that is not older than that, and forget the private keys that nobody is to use
// any more.
func (c *Chat) renew(ctx context.Context, age time.Duration) error {
	made, err := c.vault.renew(ctx, c.Device, c.now(), age)
	if err == nil {
		err = c.vault.forgetPrekeys(ctx, c.now())
	}
	if made {
		for _, r := range c.Rooms() {
			r.poke() // it is told there
		}
	}
	return err
}

func (v *vault) readPrekeys(ctx context.Context) error {
	return v.each(ctx, `SELECT prekey, secret FROM chat_prekeys ORDER BY time`, func(scan func(...any) error) error {
		var public, sealed []byte
		if err := scan(&public, &sealed); err != nil {
			return err
		}
		p, err := event.ParsePrekey(public)
		if err != nil {
			return err
		}
		plain, err := v.unseal(sealed, public)
		if err != nil {
			return err
		}
		s, err := event.ReadPrekeySecret(plain)
		v.prekeys = append(v.prekeys, ownPrekey{p, s})
		return err
	})
}

// latest returns the latest prekey; nil: there is none. Those that were made while the clock was ahead do not count
// yet, if there is another one.
func (v *vault) latest(now time.Time) *event.Prekey {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range slices.Backward(v.prekeys) {
		if !now.Add(prekeyAhead).Before(made(p.public)) {
			return p.public
		}
	}
	if len(v.prekeys) > 0 {
		return v.prekeys[0].public
	}
	return nil
}

func made(p *event.Prekey) time.Time { return time.UnixMilli(int64(p.Time)) } //nolint:gosec // after 292 million years it is in the past

// private returns the private keys of a prekey; nil: there are none, or none any more.
func (v *vault) private(tag [8]byte) *event.PrekeySecret {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.prekeys {
		if p.public.Tag() == tag {
			return p.secret
		}
	}
	return nil
}

// renew makes a prekey for a device, unless its latest one is young enough.
func (v *vault) renew(ctx context.Context, device *peer.Key, now time.Time, age time.Duration) (bool, error) {
	at := uint64(now.UnixMilli()) //nolint:gosec // not before 1970
	if last := v.latest(now); last != nil {
		if last.Device == event.Device(device.ID().Bytes()) && now.Sub(made(last)) < age {
			return false, nil
		}
		at = max(at, last.Time+1)
	}
	s, err := event.NewPrekeySecret()
	if err != nil {
		return false, err
	}
	p, err := event.NewPrekey(device, at, s)
	if err != nil {
		return false, err
	}
	plain, err := s.Reveal()
	if err != nil {
		return false, err
	}
	if err := v.exec(ctx, `INSERT INTO chat_prekeys VALUES (?, ?, ?)`, int64(p.Time), p.Bytes(), v.seal(plain, p.Bytes())); err != nil {
		return false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.prekeys = append(v.prekeys, ownPrekey{&p, s})
	slices.SortFunc(v.prekeys, func(a, b ownPrekey) int { return int(int64(a.public.Time) - int64(b.public.Time)) })
	return true, nil
}

// forgetPrekeys forgets the private keys of those that have been replaced for long enough.
func (v *vault) forgetPrekeys(ctx context.Context, now time.Time) error {
	v.mu.Lock()
	n := 0
	for n+1 < len(v.prekeys) && !now.Before(made(v.prekeys[n+1].public).Add(PrekeyKept)) {
		n++
	}
	if n == 0 {
		v.mu.Unlock()
		return nil
	}
	upTo := v.prekeys[n-1].public.Time
	v.prekeys = slices.Clone(v.prekeys[n:])
	v.mu.Unlock()
	return v.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM chat_prekeys WHERE time <= ?`, int64(upTo))
		return err
	})
}
