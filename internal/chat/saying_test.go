package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
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
