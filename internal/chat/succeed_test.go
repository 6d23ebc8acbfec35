package chat

import (
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer"
)

// rekey gives somebody's device a new key. What it had is told to it.
func (p *person) rekey(name string) {
	p.w.Helper()
	old := p.node.Self()
	p.stop()
	config := p.config
	p.name, p.config = name, func(c *Config) {
		config(c)
		c.Identity, c.Earlier = identityOf("anna"), append(c.Earlier, old)
	}
	p.start()
}

// Whoever has a new key talks on, reads what is said and what was, and what its old key signs does not count any more.
// What was said to the old one is read with the new one.
func TestNewKeyOfADevice(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{Name: "three"}, anna, bert, carl)
		anna.say(r, "before")
		bert.hears(r, "before")
		carl.hears(r, "before")
		anna.stop()
		bert.say(r, "to the old key")
		carl.hears(r, "to the old key")
		anna.start()
		w.part(anna, bert)
		w.part(anna, carl)
		old := event.Device(anna.node.Self().Bytes())
		anna.rekey("new")
		anna.say(r, "by a new key")
		w.same(r, anna, bert, carl)
		bert.hears(r, "by a new key")
		anna.hears(r, "to the old key")
		anna.hears(r, "before")
		bert.say(r, "to the new key")
		anna.hears(r, "to the new key")
		for _, p := range []*person{anna, bert, carl} {
			for _, m := range p.in(r).Info().Members {
				if m.Identity == anna.Me() && (len(m.Devices) != 1 || slices.Contains(m.Devices, old)) {
					t.Errorf("%s sees that anna has %x", p.name, m.Devices)
				}
			}
		}
		// Once she is known nobody is asked to let her in any more, and so it is after another start.
		w.until("she is known", func() bool {
			give := must[func()](w)(anna.in(r).take(w.Context()))
			defer give()
			return len(anna.in(r).place.hosts) == 0
		})
		anna.stop()
		anna.start()
		bert.say(r, "again")
		anna.hears(r, "again")
	})
}

// Both of a conversation may have a new key, if they hear of each other's.
func TestNewKeysOfBoth(t *testing.T) {
	virtually(t, func(w *world) {
		var heirs sync.Map // asked while it is changed
		heir := func(c *Config) {
			c.Heir = func(id peer.ID) peer.ID {
				if now, ok := heirs.Load(id); ok {
					return now.(peer.ID)
				}
				return id
			}
		}
		anna, bert := w.person("anna", heir), w.person("bert", heir)
		r := w.group(Draft{Direct: true}, anna, bert)
		was := [2]peer.ID{anna.node.Self(), bert.node.Self()}
		bert.stop()
		anna.rekey("anna anew")
		anna.say(r, "nobody is there")
		bert.config = func(c *Config) {
			heir(c)
			c.Identity, c.Earlier = identityOf("bert"), []peer.ID{was[1]}
		}
		bert.name = "bert anew"
		bert.start()
		heirs.Store(was[0], anna.node.Self())
		heirs.Store(was[1], bert.node.Self())
		bert.hears(r, "nobody is there")
		bert.say(r, "here I am")
		anna.hears(r, "here I am")
	})
}
