package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
)

// A world is where people meet.
type world struct {
	peertest.World
	*testing.T
	all  []*person
	ends []func()
}

// A person has a device with a Chat.
type person struct {
	*Chat
	w      *world
	name   string
	dir    string
	node   *peertest.Node
	db     *store.DB
	config func(*Config)
}

// virtually runs f in virtual time, and looks at the end whether all databases are in order.
func virtually(t *testing.T, f func(w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		defer func() {
			for _, p := range w.all {
				p.stop()
			}
			for _, end := range w.ends {
				end()
			}
		}()
		f(w)
	})
}

func must[T any](w *world) func(v T, err error) T {
	return func(v T, err error) T {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
		return v
	}
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// person begins somebody's Chat. Who is welcome is everybody.
func (w *world) person(name string, config ...func(*Config)) *person {
	w.Helper()
	p := &person{w: w, name: name, dir: w.TempDir(), config: func(c *Config) {
		for _, f := range config {
			f(c)
		}
	}}
	w.all = append(w.all, p)
	p.start()
	return p
}

func (p *person) start() {
	p.w.Helper()
	p.node = p.w.Node(p.name, nil)
	var err error
	p.db, err = store.Open(context.Background(), p.dir)
	p.w.do(err)
	c := Config{Network: p.node, DB: p.db, Device: p.node.Key(), Identity: identityOf(p.name), Rate: 1 << 20,
		Welcome: func(Offer) bool { return true }}
	p.config(&c)
	p.Chat, err = Open(context.Background(), c)
	p.w.do(err)
}

// identityOf returns the key of a person: "anna/2" is another device of "anna".
func identityOf(name string) *peer.Key {
	var seed [32]byte
	name, _, _ = strings.Cut(name, "/")
	copy(seed[:], "identity of "+name)
	return peer.KeyFromSeed(seed)
}

// stop ends the Chat, and looks at the database.
func (p *person) stop() {
	if p.Chat == nil {
		return
	}
	p.Chat.Close()
	p.Chat = nil
	p.node.Close() //nolint:errcheck // it returns nil
	p.w.do(p.db.Check(context.Background()))
	p.w.do(p.db.Close())
}

// part has nothing go between two any more, or everything again.
func (w *world) part(a, b *person) { w.Break(a.node, b.node) }
func (w *world) join(a, b *person) { w.Heal(a.node, b.node) }

// until waits until something is so.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	wait := time.Second
	for begin := time.Now(); time.Since(begin) < time.Hour; wait += wait / 4 {
		synctest.Wait()
		if is() {
			return
		}
		time.Sleep(wait) // virtual
	}
	w.Fatalf("it does not come about: %s", what)
}

// in returns the person's room.
func (p *person) in(r *Room) *Room {
	p.w.Helper()
	own, err := p.Room(r.ID())
	p.w.do(err)
	return own
}

// group makes a room in which all are.
func (w *world) group(d Draft, owner *person, others ...*person) *Room {
	w.Helper()
	r := must[*Room](w)(owner.Create(w.Context(), d))
	for _, p := range others {
		w.do(r.Add(w.Context(), p.Me(), event.Member, p.node.Self()))
	}
	w.inside(r, others...)
	w.same(r, append(others, owner)...)
	return r
}

func (w *world) inside(r *Room, people ...*person) {
	w.Helper()
	for _, p := range people {
		w.until(p.name+" is inside", func() bool {
			own, err := p.Room(r.ID())
			return err == nil && own.Info().State == Inside && own.Info().Role > event.Nobody
		})
	}
}

// same waits until all have the same events, and fails if they do not show the same.
func (w *world) same(r *Room, people ...*person) {
	w.Helper()
	why := ""
	defer func() {
		if why != "" {
			w.Log(why)
		}
	}()
	w.until("all have the same", func() bool {
		want, n := people[0].in(r).index.Fingerprint(rbsr.Key{}, rbsr.End)
		for _, p := range people[1:] {
			if got, m := p.in(r).index.Fingerprint(rbsr.Key{}, rbsr.End); got != want {
				why = fmt.Sprintf("%s has %d events, %s %d", people[0].name, n, p.name, m)
				return false
			}
		}
		why = ""
		return true
	})
	// Keys are shared after that, and what has waited for them is opened.
	w.until("all see the same", func() bool {
		want := people[0].digest(r)
		for _, p := range people[1:] {
			if got := p.digest(r); got != want {
				why = fmt.Sprintf("%s sees\n%s\nand %s\n%s", people[0].name, want, p.name, got)
				return false
			}
		}
		why = ""
		return true
	})
}

// digest says what somebody sees of who is in the room and what was done to it.
func (p *person) digest(r *Room) string {
	p.w.Helper()
	var b strings.Builder
	own := p.in(r)
	for _, m := range own.Info().Members {
		fmt.Fprintf(&b, "%x %v %d %v\n", m.Identity[:4], m.Role, len(m.Devices), m.Forked)
	}
	for k := (event.Key{}); ; {
		page := must[[]Entry](p.w)(own.After(p.w.Context(), k, 100))
		for _, x := range page {
			k = x.Key
			fmt.Fprintf(&b, "%d %v %x", x.Time>>16, x.Kind, x.Author[:4])
			if own.Info().History { // else not all have all keys
				fmt.Fprintf(&b, " %q %v %v", x.Message.Text, x.Message.Deleted, x.Message.Reactions)
			}
			b.WriteByte('\n')
		}
		if len(page) < 100 {
			return b.String()
		}
	}
}

// say says something.
func (p *person) say(r *Room, text string) event.Key {
	p.w.Helper()
	return must[event.Key](p.w)(p.in(r).Say(p.w.Context(), Message{Text: text}))
}

// sees returns the texts that somebody can read.
func (p *person) sees(r *Room) (texts []string) {
	p.w.Helper()
	for k := (event.Key{}); ; {
		page := must[[]Entry](p.w)(p.in(r).After(p.w.Context(), k, 100))
		for _, x := range page {
			if k = x.Key; !x.Kind.Control() && !x.Waiting && !x.Message.Deleted {
				texts = append(texts, x.Message.Text)
			}
		}
		if len(page) < 100 {
			return texts
		}
	}
}

func (p *person) hears(r *Room, text string) {
	p.w.Helper()
	p.w.until(p.name+" hears "+text, func() bool { return slices.Contains(p.sees(r), text) })
}
