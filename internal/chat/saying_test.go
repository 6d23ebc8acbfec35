package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
	"github.com/tenon-net/tenon/internal/chat/room"
)

// What many say at once is there once, and what is said by one call is in its order. No secret seals more than it may.
func TestSaidAtOnce(t *testing.T) {
	const speakers, calls = 8, 5
	each := 40
	if raced {
		each = 5 // the database is twenty times as slow
	}
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{History: true}, anna, bert)
		var all sync.WaitGroup
		for who := range speakers {
			all.Go(func() {
				for call := range calls {
					var part []Message
					for n := range each {
						part = append(part, Message{Text: fmt.Sprint(who, " ", call*each+n)})
					}
					keys, err := r.SayAll(w.Context(), part)
					if err != nil || !slices.IsSortedFunc(keys, event.Key.Compare) {
						t.Errorf("%v, %v", keys, err)
					}
				}
			})
		}
		all.Wait()
		w.same(r, anna, bert)
		next := [speakers]int{}
		for _, text := range bert.sees(r) {
			var who, n int
			if _, err := fmt.Sscan(text, &who, &n); err != nil || next[who] != n {
				t.Fatalf("%q comes after %d messages of %d", text, next[who], who)
			}
			next[who]++
		}
		if slices.Max(next[:]) != calls*each || slices.Min(next[:]) != calls*each {
			t.Errorf("%v messages are there, and %d were said by each", next, calls*each)
		}
		for epoch, n := range sealedWith(w, r) {
			if n > room.EpochEvents {
				t.Errorf("%d messages are sealed with the secret of %s", n, epoch)
			}
		}
	})
}

// sealedWith counts the messages of each epoch.
func sealedWith(w *world, r *Room) map[event.ID]int {
	counts := map[event.ID]int{}
	for at := (log.Key{}); ; {
		rows := must[[]log.Event](w)(r.log.All(w.Context(), at, log.MaxPage))
		for i := range rows {
			at = rows[i].Key
			if e := must[*event.Event](w)(event.Read(whole(&rows[i]))); !e.Kind.Control() {
				counts[e.Epoch]++
			}
		}
		if len(rows) < log.MaxPage {
			return counts
		}
	}
}

// Who waits no longer for the turn has said nothing, and what others say meanwhile is said.
func TestUnsaid(t *testing.T) {
	virtually(t, func(w *world) {
		anna := w.person("anna")
		r := must[*Room](w)(anna.Create(w.Context(), Draft{}))
		give, err := r.take(w.Context())
		w.do(err)
		gone, cancel := context.WithCancel(w.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Say(gone, Message{Text: "unsaid"}); !errors.Is(err, context.Canceled) {
				t.Errorf("who does not wait is told %v", err)
			}
		})
		all.Go(func() {
			if _, err := r.Say(w.Context(), Message{Text: "said"}); err != nil {
				t.Error(err)
			}
		})
		w.until("both wait", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.saying) == 2
		})
		cancel()
		w.until("one does not wait any more", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.saying) == 1
		})
		give()
		all.Wait()
		if got := anna.sees(r); !slices.Equal(got, []string{"said"}) {
			t.Errorf("%q was said", got)
		}
	})
}

// Who says much in a short time, such as a program, a line at a time, waits for some seconds, and all is heard soon, in its order and not late:
// what others do not take at once comes to them ten minutes later.
func TestPaced(t *testing.T) {
	virtually(t, func(w *world) {
		usual := func(c *Config) { c.Rate = 0 }
		anna, bert := w.person("anna", usual), w.person("bert", usual)
		r := w.group(Draft{}, anna, bert)
		second := w.person("anna/2", usual)
		w.do(r.Offer(w.Context(), second.node.Self()))
		w.inside(r, second)
		w.same(r, anna, bert, second)
		time.Sleep(time.Until(time.Now().Truncate(meet.Span).Add(2 * meet.Span)))
		begin, last := time.Now(), event.Key{}
		for n := range 50 {
			anna.say(r, fmt.Sprint(n))
			last = second.say(r, fmt.Sprint("also ", n))
			synctest.Wait()
		}
		if took := time.Since(begin); took < 2*meet.Span || took > 5*meet.Span {
			t.Errorf("it took %v", took)
		}
		begin = time.Now()
		bert.hears(r, "also 49")
		if took := time.Since(begin); took > meet.Span {
			t.Errorf("it comes %v later", took)
		}
		if n := len(bert.sees(r)); n != 100 {
			t.Errorf("%d of 100 come", n)
		}
		if x := must[Entry](w)(bert.in(r).Get(w.Context(), last.ID)); x.Late {
			t.Error("it came late")
		}
		// Who waits can give up, and nobody waits who is alone.
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		var err error
		for n := 0; n < 50 && err == nil; n++ {
			_, err = r.Say(ctx, Message{Text: "more"})
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
		own := must[*Room](w)(bert.Create(w.Context(), Draft{Name: "own"}))
		begin = time.Now()
		for range 50 {
			bert.say(own, "to himself")
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("alone it took %v", took)
		}
	})
}
