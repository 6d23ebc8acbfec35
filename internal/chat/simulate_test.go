package chat

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

var (
	simFlag    = flag.Bool("simulate", false, "simulate many members; make rooms does")
	seedFlag   = flag.Uint64("seed", 0, "of the simulation; 0 = another one each time")
	roundsFlag = flag.Int("rounds", 1, "of the simulation")
)

// Many members, parted at random again and again, who talk, change what they have said, come, are removed, and
// restart, end with the same room: same events, same members, same order.
func TestManyMembers(t *testing.T) {
	asked(t)
	seed := uint64(time.Now().UnixNano())
	if s := *seedFlag; s != 0 {
		seed = s
	}
	t.Logf("-seed %d", seed)
	members := 30
	if raced {
		members = 12 // the database is twenty times as slow
	}
	simulate(t, seed, members, *roundsFlag)
}

// Few members, many rounds.
func TestManyRounds(t *testing.T) {
	asked(t)
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) { simulate(t, seed+1, 4, 2) })
	}
}

// weeks leaves a test out in which weeks go by if the race detector makes it slow.
func weeks(t *testing.T) {
	if raced && !*simFlag {
		t.Skip("it takes a minute with -race: ./check runs it without")
	}
}

func asked(t *testing.T) {
	if !*simFlag {
		t.Skip("it takes a minute with -race: ./check simulates without, make rooms more")
	}
}

func simulate(t *testing.T, seed uint64, members, rounds int) {
	virtually(t, func(w *world) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		for i := range members {
			w.person(fmt.Sprint("member ", i))
		}
		owner := w.all[0]
		r := must[*Room](w)(owner.Create(w.Context(), Draft{Name: "all", History: true}))
		i := must[Invite](w)(r.Invite(w.Context(), Terms{}))
		for n, p := range w.all[1:] {
			if n%2 == 0 {
				must[*Room](w)(p.Join(w.Context(), i))
				continue
			}
			role := event.Member
			if rnd.IntN(4) == 0 {
				role = event.Owner
			}
			w.do(r.Add(w.Context(), p.Me(), role, p.node.Self()))
		}
		w.inside(r, w.all[1:]...)
		part := make([]int, members)
		for range rounds {
			parts := 1 + rnd.IntN(4)
			for i := range part {
				part[i] = rnd.IntN(parts)
			}
			for i, a := range w.all {
				for j, b := range w.all[:i] {
					switch {
					case part[i] == part[j]:
						w.Heal(a.node, b.node)
					case rnd.IntN(2) == 0:
						w.Break(a.node, b.node)
					default:
						w.Silence(a.node, b.node)
					}
				}
			}
			for n := range 10 {
				w.act(rnd, r, w.all[rnd.IntN(members)], n)
				time.Sleep(time.Duration(rnd.IntN(20_000)) * time.Millisecond)
			}
		}
		for i, a := range w.all {
			for _, b := range w.all[:i] {
				w.Heal(a.node, b.node)
			}
		}
		var in []*person
		w.until(fmt.Sprintf("seed %d: all agree who is in", seed), func() bool {
			in = in[:0]
			for _, p := range w.all {
				if owner.in(r).state == nil {
					return false
				}
				if roleIn(owner.in(r), p.Me()) > event.Nobody {
					in = append(in, p)
				}
			}
			for _, p := range in {
				if i := p.in(r).Info(); len(i.Members) != len(in) || i.Role == event.Nobody || i.State != Inside {
					return false
				}
			}
			return true
		})
		w.same(r, in...)
		// And they talk with each other.
		owner.say(r, "at the end")
		for _, p := range in {
			p.hears(r, "at the end")
		}
		t.Logf("%d of %d are in, with %d events", len(in), members, owner.in(r).index.Len())
	})
}

func roleIn(r *Room, who event.Identity) event.Role {
	for _, m := range r.Info().Members {
		if m.Identity == who {
			return m.Role
		}
	}
	return event.Nobody
}

// act has somebody do something at random; that it is refused is none of our business.
func (w *world) act(rnd *rand.Rand, r *Room, p *person, n int) {
	ctx, own := w.Context(), p.in(r)
	var target event.ID
	if page, err := own.Before(ctx, event.Key{}, 10); err == nil && len(page) > 0 {
		target = page[rnd.IntN(len(page))].ID
	}
	other := w.all[1+rnd.IntN(len(w.all)-1)]
	what := rnd.IntN(16)
	if what >= 3 && what <= 5 && rnd.IntN(2) == 0 {
		own = w.all[0].in(r) // who may
	}
	switch what {
	case 0:
		own.Edit(ctx, target, Message{Text: fmt.Sprint("edited ", n)}) //nolint:errcheck // see above
	case 1:
		own.Delete(ctx, target) //nolint:errcheck // see above
	case 2:
		own.React(ctx, target, "+1", rnd.IntN(2) == 0) //nolint:errcheck // see above
	case 3:
		own.Remove(ctx, other.Me()) //nolint:errcheck // see above
	case 4:
		own.Add(ctx, other.Me(), event.Member, other.node.Self()) //nolint:errcheck // see above
	case 5:
		own.SetRole(ctx, other.Me(), event.Role(1+rnd.IntN(3))) //nolint:errcheck // see above
	case 6:
		p.stop()
		p.start()
	default:
		own.Say(ctx, Message{Text: fmt.Sprint("said ", n)}) //nolint:errcheck // see above
	}
}
