package notify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A fake is a node whose rooms are said to be so and so.
type fake struct {
	mu       sync.Mutex // guards what follows
	rooms    map[string]*api.Room
	messages map[string]*api.RoomMessage
	offers   []api.RoomOffer
	events   chan api.RoomEvent
	broken   int // so many times it cannot be heard
}

func newFake() *fake {
	return &fake{events: make(chan api.RoomEvent), messages: map[string]*api.RoomMessage{}, rooms: map[string]*api.Room{
		"plans": {ID: "plans", Name: "plans"},
		"bob":   {ID: "bob", Name: "bob", Direct: true},
	}}
}

var errNone = errors.New("there is none")

func get[T any](f *fake, m map[string]*T, id string) (x T, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m[id] == nil {
		return x, errNone
	}
	return *m[id], nil
}

func (f *fake) Room(_ context.Context, id string) (api.Room, error) { return get(f, f.rooms, id) }
func (f *fake) RoomMessage(_ context.Context, _, id string) (api.RoomMessage, error) {
	return get(f, f.messages, id)
}

func (f *fake) RoomOffers(context.Context) ([]api.RoomOffer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.offers, nil
}

func (f *fake) RoomEvents(ctx context.Context, _ uint64) iter.Seq2[api.RoomEvent, error] {
	return func(yield func(api.RoomEvent, error) bool) {
		f.mu.Lock()
		f.broken--
		broken := f.broken >= 0
		f.mu.Unlock()
		if broken {
			yield(api.RoomEvent{}, errNone)
			return
		}
		for {
			select {
			case e := <-f.events:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// say has somebody say something; with changes what of it is different.
func (f *fake) say(room, text string, with func(*api.RoomMessage)) *api.RoomMessage {
	f.mu.Lock()
	m := &api.RoomMessage{ID: fmt.Sprintf("%s-%d", room, len(f.messages)), Room: room, Kind: "text", From: "bob", Text: text, Time: time.Now()}
	if with != nil {
		with(m)
	}
	f.messages[m.ID] = m
	f.rooms[room].Unread++
	told := *m
	f.mu.Unlock()
	f.events <- api.RoomEvent{Type: api.RoomNewMessage, Room: room, Message: &told}
	return m
}

// A record is a sink that notes what it was told.
type record struct {
	mu   sync.Mutex // guards what follows
	told []string
}

func (r *record) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, text)
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func (r *record) notify(n Notification) {
	text := ""
	if n.Message != nil {
		text = n.Message.Text
	}
	r.note(n.Why + " " + n.From + " " + n.Name + " " + text)
}

func (r *record) read(room string) { r.note("read " + room) }
func (r *record) close()           { r.note("closed") }

// told runs something, and returns what is told of it; who is told waits longer than anything of it needs.
func told(t *testing.T, do func(f *fake)) (all []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, r := newFake(), new(record)
		n := begin(Config{Node: f}, []sink{r})
		do(f)
		time.Sleep(time.Minute)
		synctest.Wait()
		n.Close() //nolint:errcheck // it returns nil
		all = r.all()
	})
	return all
}

func mention(m *api.RoomMessage) { m.MentionMe = true }

// A person is told of what names him or is said to him alone, and of invitations, if he does not know already.
func TestWhatIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(f *fake)
		want string
	}{
		"a mention":     {func(f *fake) { f.say("plans", "@me", mention) }, "mention bob plans @me"},
		"to him alone":  {func(f *fake) { f.say("bob", "hi", nil) }, "direct bob bob hi"},
		"to all":        {func(f *fake) { f.say("plans", "hi", nil) }, ""},
		"his own":       {func(f *fake) { f.say("bob", "hi", func(m *api.RoomMessage) { m.Mine = true }) }, ""},
		"what was done": {func(f *fake) { f.say("bob", "bob left", func(m *api.RoomMessage) { m.Kind = "control" }) }, ""},
		"muted":         {func(f *fake) { f.rooms["bob"].Muted = true; f.say("bob", "hi", nil) }, ""},
		"muted mention": {func(f *fake) { f.rooms["plans"].Muted = true; f.say("plans", "@me", mention) }, "mention bob plans @me"},
		"read at once": {func(f *fake) {
			f.say("bob", "hi", nil)
			f.mu.Lock()
			f.rooms["bob"].Unread = 0
			f.mu.Unlock()
		}, ""},
		"read, and something newer not": {func(f *fake) {
			m := f.say("bob", "hi", nil)
			time.Sleep(time.Millisecond)
			f.say("bob", "there", nil)
			f.mu.Lock()
			f.rooms["bob"].Read = m.ID
			f.mu.Unlock()
		}, "direct bob bob there"},
		"what came late": {func(f *fake) {
			m := f.say("plans", "now", nil)
			f.rooms["plans"].Read = m.ID
			f.say("plans", "@me", func(m *api.RoomMessage) { m.MentionMe, m.Late, m.Time = true, true, m.Time.Add(-time.Hour) })
		}, "mention bob plans @me"},
		"taken back": {func(f *fake) {
			m := f.say("bob", "hi", nil)
			f.mu.Lock()
			m.Deleted = true
			f.mu.Unlock()
		}, ""},
		"changed": {func(f *fake) {
			m := f.say("bob", "hi", nil)
			f.mu.Lock()
			m.Text = "hello"
			f.mu.Unlock()
		}, "direct bob bob hello"},
		"of who is hidden": {func(f *fake) {
			m := f.say("bob", "hi", nil)
			f.mu.Lock()
			delete(f.messages, m.ID)
			f.mu.Unlock()
		}, ""},
		"readable later": {func(f *fake) {
			m := f.say("bob", "", func(m *api.RoomMessage) { m.Waiting = true })
			time.Sleep(time.Hour)
			f.mu.Lock()
			m.Waiting, m.Text = false, "hi"
			told := *m
			f.mu.Unlock()
			f.events <- api.RoomEvent{Type: api.RoomChanged, Room: "bob", Message: &told}
			f.events <- api.RoomEvent{Type: api.RoomChanged, Room: "bob", Message: &told} // a reaction
		}, "direct bob bob hi"},
		"an offer": {func(f *fake) {
			f.offers = []api.RoomOffer{{ID: "club", Name: "club", From: "dora"}}
			f.events <- api.RoomEvent{Type: api.RoomOffered, Room: "club"}
		}, "offer dora club "},
		"an offer that was accepted": {func(f *fake) { f.events <- api.RoomEvent{Type: api.RoomOffered, Room: "club"} }, ""},
		"a room that was read": {func(f *fake) {
			f.events <- api.RoomEvent{Type: api.RoomRead, Room: "bob"}
			f.rooms["plans"].Unread = 1
			f.events <- api.RoomEvent{Type: api.RoomRead, Room: "plans"}
		}, "read bob"},
		"a node that ends": {func(f *fake) {
			f.mu.Lock()
			f.broken = 3
			f.mu.Unlock()
			f.say("bob", "hi", nil)
		}, "direct bob bob hi"},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{"closed"}
			if test.want != "" {
				want = []string{test.want, "closed"}
			}
			if got := told(t, test.do); !reflect.DeepEqual(got, want) {
				t.Errorf("told is %q, not %q", got, want)
			}
		})
	}
}

// Nothing is told before a screen had the time to show it, and what waits is bounded.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, r := newFake(), new(record)
		n := begin(Config{Node: f, Delay: time.Minute}, []sink{r})
		for range maxPending + 10 {
			f.say("bob", "hi", nil)
		}
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if all := r.all(); len(all) > 0 {
			t.Errorf("told is %q", all)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := len(r.all()); n != maxPending {
			t.Errorf("%d are told", n)
		}
		n.Close() //nolint:errcheck // it returns nil
	})
}
