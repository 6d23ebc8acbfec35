package rooms

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
)

// A person is somebody with a node, as far as rooms are concerned.
type person struct {
	*Rooms
	t    *testing.T
	self string
	net  *peertest.Node
	path string

	mu     sync.Mutex // guards what follows
	access peer.Access
	called map[peer.ID]string
	said   map[peer.ID]string // what others say of themselves
}

func (p *person) Tell(e api.Event)                      { p.t.Logf("%s: %s", p.self, e.Text) }
func (p *person) Attached(string) ([]string, []peer.ID) { return nil, nil }
func (p *person) Attach(context.Context, string, []string, time.Duration) (api.Share, error) {
	return api.Share{}, errors.ErrUnsupported
}
func (p *person) Said(context.Context, string, string) error    { return nil }
func (p *person) Detach(context.Context, string, string) error  { return nil }
func (p *person) Renew()                                        {}
func (p *person) Expect()                                       {}
func (p *person) Self() string                                  { return p.self }
func (p *person) Heir(id peer.ID) peer.ID                       { return id }
func (p *person) Ticket() (addrs, via []string, err error)      { return nil, nil, nil }
func (p *person) Reach(_ peer.ID, addrs, via []string) []string { return slices.Concat(addrs, via) }
func (p *person) Places(peer.ID) []string                       { return nil }
func (p *person) Own() []string                                 { return nil }
func (p *person) Learnt(_, _ peer.ID, addrs []string) []string  { return addrs }
func (p *person) Resembles(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.called {
		if peer.Name(x).Resembles(peer.Name(name)) {
			return true
		}
	}
	return false
}

func (p *person) Access() *peer.Access {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.access
	return &a
}

func (p *person) Called(id peer.ID) (name, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.called[id], p.said[id]
}

func (p *person) Find(text string) (peer.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, name := range p.called {
		if strings.EqualFold(name, text) {
			return id, nil
		}
	}
	id, err := peer.ParseID(text)
	if err != nil {
		err = transport.Mark(err, api.ErrNotFound)
	}
	return id, err
}

// newPerson starts somebody's rooms, who suggests to be called so.
func newPerson(t *testing.T, world *peertest.World, key, self string) *person {
	t.Helper()
	p := &person{t: t, self: self, net: world.Node(key, nil), path: filepath.Join(t.TempDir(), "rooms.db"), called: map[peer.ID]string{},
		access: peer.Access{Paired: map[peer.ID]bool{}, Blocked: map[peer.ID]bool{}}}
	var seed [32]byte
	who, _, _ := strings.Cut(key, "/") // "anna/2" is another device of anna
	copy(seed[:], "person "+who)
	var err error
	p.Rooms, err = New(t.Context(), Config{Host: p, Path: p.path, Identity: peer.KeyFromSeed(seed)})
	must(t, err)
	must(t, p.Begin(t.Context(), p.net, p.net.Key(), nil))
	t.Cleanup(func() {
		must(t, p.Close())
		p.net.Close() //nolint:errcheck // it returns nil
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// pair makes two known to each other.
func pair(a *person, nameOfB string, b *person, nameOfA string) {
	for _, x := range []struct {
		p, of *person
		name  string
	}{{a, b, nameOfB}, {b, a, nameOfA}} {
		x.p.mu.Lock()
		x.p.called[x.of.net.Self()] = x.name
		paired := map[peer.ID]bool{x.of.net.Self(): true}
		for id := range x.p.access.Paired {
			paired[id] = true
		}
		x.p.access.Paired = paired
		x.p.mu.Unlock()
	}
}

// until waits until something is so, which an event of p's rooms tells.
func until(p *person, what string, is func() bool) {
	p.t.Helper()
	late := time.After(time.Minute)
	for {
		c, swapped := p.current()
		changed := c.NoticesChanged()
		if is() {
			return
		}
		select {
		case <-changed:
		case <-swapped:
		case <-late:
			p.t.Fatalf("%s: it does not come about: %s", p.self, what)
		}
	}
}

// room makes a room in which all are.
func room(t *testing.T, name string, owner *person, others ...*person) api.Room {
	t.Helper()
	r := value[api.Room](t)(owner.Create(t.Context(), api.NewRoom{Name: name, History: true}))
	in := value[api.RoomInvited](t)(owner.Invite(t.Context(), r.ID, api.RoomInvite{}))
	for _, p := range others {
		value[api.Room](t)(p.Join(t.Context(), in.Ticket))
		until(p, "inside", func() bool { return value[api.Room](t)(p.Room(t.Context(), r.ID)).State == api.RoomInside })
	}
	until(owner, "all are there", func() bool { return value[api.Room](t)(owner.Room(t.Context(), r.ID)).Members == 1+len(others) })
	return r
}

func (p *person) says(name, text string) api.RoomMessage {
	p.t.Helper()
	return value[api.RoomMessage](p.t)(p.Say(p.t.Context(), name, api.RoomSay{Text: text}))
}

// hears waits for a message.
func (p *person) hears(name, text string) (m api.RoomMessage) {
	p.t.Helper()
	until(p, "hears "+text, func() bool {
		page, err := p.Messages(p.t.Context(), name, api.RoomQuery{})
		if errors.Is(err, api.ErrNotFound) {
			return false
		}
		must(p.t, err)
		i := slices.IndexFunc(page.Messages, func(m api.RoomMessage) bool { return m.Text == text })
		if i >= 0 {
			m = page.Messages[i]
		}
		return i >= 0
	})
	return m
}

// What somebody suggests to be called counts, unless another one is called so, or like it; and nothing that anybody
// writes reaches further than its line.
func TestNamesAndTextsOfOthers(t *testing.T) {
	var w peertest.World
	anna, bert := newPerson(t, &w, "anna", "anna"), newPerson(t, &w, "bert", "bert")
	liar, strange := newPerson(t, &w, "liar", "BERT"), newPerson(t, &w, "strange", "x\x1b[2J\u202e\nforged")
	pair(anna, "bert", bert, "boss")
	r := room(t, "plans", anna, bert, liar, strange)
	var names []string
	for _, m := range value[[]api.RoomMember](t)(anna.Members(t.Context(), "#PLANS")) {
		names = append(names, m.Name)
	}
	if len(names) != 4 || names[0] != "anna" || names[1] != "bert" || !strings.HasPrefix(names[2], "BERT~") || strings.ContainsAny(names[3], "\x1b\n\u202e") {
		t.Errorf("they are called %q", names)
	}
	if err := anna.SetRole(t.Context(), "plans", names[2], "reader"); err != nil {
		t.Errorf("by the name that is shown: %v", err)
	}
	strange.says(r.ID, "\x1b[2J\r\nsecond\tline\u202e\xc2\x85")
	if m := anna.hears(r.ID, "\\x1b[2J\nsecond\tline\\u202e\\u0085"); strings.ContainsAny(m.From, "\x1b\n") {
		t.Errorf("it is from %q", m.From)
	}
	// Emoji of several parts and scripts with joiners are what they were; names are stricter.
	for _, text := range []string{"👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3", "می\u200cخواهم", "क्\u200dष"} {
		anna.says(r.ID, text)
		if m := bert.hears(r.ID, text); m.Text != text {
			t.Errorf("%q becomes %q", text, m.Text)
		}
	}
	if _, err := anna.Create(t.Context(), api.NewRoom{Name: "👨\u200d👩"}); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("a room with a joiner in its name: %v", err)
	}
	for _, text := range []string{"", " \n", "\xff", strings.Repeat("x", 70_000)} {
		if _, err := anna.Say(t.Context(), r.ID, api.RoomSay{Text: text}); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	if _, err := anna.Say(t.Context(), r.ID, api.RoomSay{Text: "x", Paths: []string{"/x"}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a file: %v", err)
	}
	if _, err := strange.Say(t.Context(), r.ID, api.RoomSay{Edit: "0123", Paths: []string{"/x"}}); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("a file in place of what was said: %v", err)
	}
	for _, name := range []string{"", "#", "a\nb", "\u202e", "@anna", strings.Repeat("x", 65), "tenon1xyz"} {
		if _, err := anna.Create(t.Context(), api.NewRoom{Name: name}); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("a room %q: %v", name, err)
		}
	}
}

// Where a name means two rooms, the error lists them; each has an ID that means it alone.
func TestAmbiguousRooms(t *testing.T) {
	var w peertest.World
	anna, bert := newPerson(t, &w, "anna", "anna"), newPerson(t, &w, "bert", "bert")
	pair(anna, "bert", bert, "anna")
	own := room(t, "plans", anna)
	if _, err := anna.Create(t.Context(), api.NewRoom{Name: "Plans"}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another one of the name: %v", err)
	}
	if r, err := anna.Create(t.Context(), api.NewRoom{Name: "plans", Existing: true}); err != nil || r.ID != own.ID {
		t.Errorf("%+v, %v", r, err)
	}
	other := room(t, "plans", bert, anna)
	_, err := anna.Room(t.Context(), "plans")
	if hint := transport.Hint(err); !errors.Is(err, transport.ErrUsage) || !strings.Contains(hint, own.ID[:12]) || !strings.Contains(hint, other.ID[:12]) {
		t.Errorf("%v, %s", err, hint)
	}
	for _, id := range []string{own.ID, strings.ToUpper(own.ID[:8])} {
		if r, err := anna.Room(t.Context(), id); err != nil || r.ID != own.ID {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	// One that was left does not count beside one that was not.
	must(t, anna.Leave(t.Context(), own.ID, false))
	if r, err := anna.Room(t.Context(), "plans"); err != nil || r.ID != other.ID {
		t.Errorf("%+v, %v", r, err)
	}
	must(t, anna.Forget(t.Context(), own.ID, false))
	if all := value[[]api.Room](t)(anna.List(t.Context())); len(all) != 1 {
		t.Errorf("%d rooms are left", len(all))
	}
}

// What a paired peer begins is there at once, what others offer is not; and what is blocked is not shown.
func TestOffers(t *testing.T) {
	var w peertest.World
	anna, bert, carl := newPerson(t, &w, "anna", "anna"), newPerson(t, &w, "bert", "bert"), newPerson(t, &w, "carl", "carl")
	pair(anna, "bert", bert, "anna")
	carl.called[anna.net.Self()] = "anna" // and anna does not know carl
	value[api.Room](t)(bert.Direct(t.Context(), "anna"))
	bert.says("anna", "hello")
	if m := anna.hears("bert", "hello"); m.From != "bert" {
		t.Errorf("it is from %s", m.From)
	}
	value[api.Room](t)(carl.Direct(t.Context(), "anna"))
	carl.says("anna", "who are you?")
	value[api.Room](t)(carl.Create(t.Context(), api.NewRoom{Name: "spam"}))
	value[api.RoomInvited](t)(carl.Invite(t.Context(), "spam", api.RoomInvite{Peer: "anna"}))
	until(anna, "two offers", func() bool { return len(value[[]api.RoomOffer](t)(anna.Offers())) == 2 })
	if all := value[[]api.Room](t)(anna.List(t.Context())); len(all) != 1 {
		t.Errorf("%d rooms are there", len(all))
	}
	must(t, anna.Decline(t.Context(), "spam"))
	offers := value[[]api.RoomOffer](t)(anna.Offers())
	value[api.Room](t)(anna.Accept(t.Context(), offers[0].ID[:8]))
	anna.hears(offers[0].ID, "who are you?")
	if _, err := anna.Accept(t.Context(), "spam"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("what was declined: %v", err)
	}
	anna.mu.Lock()
	anna.access.Blocked = map[peer.ID]bool{bert.net.Self(): true}
	anna.mu.Unlock()
	for _, m := range value[api.RoomPage](t)(anna.Messages(t.Context(), "bert", api.RoomQuery{})).Messages {
		if m.Text == "hello" {
			t.Error("what is blocked is shown")
		}
	}
}

// Who follows what arrives sees each message once, and again when it has changed, whatever pages there are.
func TestArrived(t *testing.T) {
	var w peertest.World
	anna := newPerson(t, &w, "anna", "anna")
	r := room(t, "notes", anna)
	page := value[api.RoomPage](t)(anna.Messages(t.Context(), r.ID, api.RoomQuery{Limit: 1}))
	first := anna.says(r.ID, "one")
	for _, text := range []string{"two", "three", "four"} {
		anna.says(r.ID, text)
	}
	read := func(limit int) (texts []string) {
		for {
			next := value[api.RoomPage](t)(anna.Messages(t.Context(), r.ID, api.RoomQuery{Arrived: page.Last, Limit: limit}))
			for _, m := range next.Messages {
				texts = append(texts, m.Text)
			}
			if next.Last == page.Last {
				return texts
			}
			page = next
		}
	}
	if got := strings.Join(read(1), " "); got != "one two three four" {
		t.Errorf("there came %q", got)
	}
	anna.says(r.ID, "five")
	value[api.RoomMessage](t)(anna.Say(t.Context(), r.ID, api.RoomSay{Text: "one, changed", Edit: first.ID[:10]}))
	if got := strings.Join(read(50), ", "); got != "five, one, changed" {
		t.Errorf("there came %q", got)
	}
	must(t, anna.Delete(t.Context(), r.ID, first.ID))
	if next := value[api.RoomPage](t)(anna.Messages(t.Context(), r.ID, api.RoomQuery{Arrived: page.Last})); len(next.Messages) != 1 || !next.Messages[0].Deleted || next.Messages[0].Text != "" {
		t.Errorf("%+v", next)
	}
	old := value[api.RoomPage](t)(anna.Messages(t.Context(), r.ID, api.RoomQuery{Limit: 2}))
	older := value[api.RoomPage](t)(anna.Messages(t.Context(), r.ID, api.RoomQuery{Limit: 2, Before: old.Older}))
	if len(older.Messages) != 2 || older.Messages[1].Text != "three" || old.Messages[0].Text != "four" {
		t.Errorf("%+v, before it %+v", old, older)
	}
}

// Events begin with ready and say what has happened; who was away for too long is told so.
func TestEvents(t *testing.T) {
	var w peertest.World
	anna := newPerson(t, &w, "anna", "anna")
	r := room(t, "notes", anna)
	var types []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		anna.Events(ctx, 0, func(e api.RoomEvent) {
			if types = append(types, e.Type); len(types) == 1 {
				close(began)
			}
			if e.Message != nil && e.Message.Text == "hello" {
				cancel()
			}
		}, func(news, swapped <-chan struct{}) bool {
			select {
			case <-news:
			case <-swapped:
			case <-ctx.Done():
				return false
			}
			return true
		})
	}()
	<-began
	anna.says(r.ID, "hello")
	<-done
	if types[0] != api.RoomsReady || !slices.Contains(types, api.RoomNewMessage) {
		t.Errorf("there came %q", types)
	}
	types = nil
	anna.Events(t.Context(), 1, func(e api.RoomEvent) { types = append(types, e.Type) }, func(_, _ <-chan struct{}) bool { return false })
	if len(types) < 2 || types[0] != api.RoomsReady || types[1] != api.RoomsLost {
		t.Errorf("after a long time: %q", types)
	}
}

func TestMentions(t *testing.T) {
	var w peertest.World
	anna := newPerson(t, &w, "anna", "anna")
	bert, bertram := newPerson(t, &w, "bert", "bert"), newPerson(t, &w, "bertram", "bertram")
	r := room(t, "plans", anna, bert, bertram)
	until(anna, "names", func() bool { return len(value[[]api.RoomMember](t)(anna.Members(t.Context(), r.ID))) == 3 })
	_, x, err := anna.find(r.ID)
	must(t, err)
	i := x.Info()
	for text, want := range map[string]string{
		"@bert":                             "bert",
		"hello @Bert, and @bertram.":        "bert bertram",
		"(@bert)":                           "bert",
		"me@bert.example, @bertolt, @ bert": "",
		"`@bert` and ``x ` @bert``":         "",
		"```\n@bert\n``` @bertram":          "bertram",
		"`not closed @bert":                 "bert",
		"@bert @bert @anna":                 "bert anna",
		"@bert~":                            "",
	} {
		var got []string
		names := anna.names(&i)
		for _, who := range mentionsIn(text, names, &i) {
			got = append(got, names.call(who))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q names %q", text, got)
		}
	}
}

// What is kept of a room comes out of a file again, at somebody who has the same identity and nothing else, who
// goes on in it; and what is not a room does not go in.
func TestImportElsewhere(t *testing.T) {
	var w peertest.World
	anna := newPerson(t, &w, "anna", "anna")
	r := room(t, "notes", anna)
	anna.says(r.ID, "keep this")
	var file strings.Builder
	must(t, anna.Export(t.Context(), r.ID, &file))
	other, stranger := newPerson(t, &w, "anna/2", "anna"), newPerson(t, &w, "bert", "bert")
	for _, p := range []*person{other, stranger} {
		c, err := p.now()
		must(t, err)
		x, ended, err := c.Import(t.Context(), strings.NewReader(file.String()))
		must(t, err)
		if !ended {
			t.Error("an export does not say that it is whole")
		}
		if m := p.hears(x.ID().String(), "keep this"); m.Late {
			t.Error("what is imported is late")
		}
		if i := x.Info(); (i.State == chat.Inside) != (p == other) {
			t.Errorf("%s is %v", p.self, i.State)
		}
		if _, _, err := c.Import(t.Context(), strings.NewReader(strings.Replace(file.String(), `"bytes":"A`, `"bytes":"B`, 1))); err == nil {
			t.Error("an event that was changed is imported")
		}
	}
	if _, err := stranger.Say(t.Context(), r.ID, api.RoomSay{Text: "x"}); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("who is not in it says something: %v", err)
	}
}

// Who takes part by his phone, too, is not called like that.
func TestNameOfWhoHasAPhone(t *testing.T) {
	var w peertest.World
	bert, zoe := newPerson(t, &w, "bert", "bert"), newPerson(t, &w, "zoe", "zoe")
	r := room(t, "plans", bert, zoe)
	var file strings.Builder
	must(t, zoe.Export(t.Context(), r.ID, &file))
	phone := newPerson(t, &w, "zoe/2", "phone")
	bert.mu.Lock()
	bert.said = map[peer.ID]string{zoe.net.Self(): "zoe", phone.net.Self(): "phone"}
	bert.mu.Unlock()
	_, whole, err := value[*chat.Chat](t)(phone.now()).Import(t.Context(), strings.NewReader(file.String()))
	if must(t, err); !whole {
		t.Error("the export does not say where it ends")
	}
	phone.says(r.ID, "by phone")
	if m := bert.hears(r.ID, "by phone"); m.From != "zoe" {
		t.Errorf("it is from %s", m.From)
	}
}

// Two who know each other from a room have the same names in a conversation that they begin, before either says anything in it.
func TestNamesFromOtherRooms(t *testing.T) {
	var w peertest.World
	anna, bert := newPerson(t, &w, "anna", "anna"), newPerson(t, &w, "bert", "bert")
	room(t, "open", anna, bert)
	if r := value[api.Room](t)(bert.Direct(t.Context(), anna.net.Self().String())); r.Name != "anna" {
		t.Errorf("it is called %s", r.Name)
	}
	until(anna, "it is offered", func() bool { return len(value[[]api.RoomOffer](t)(anna.Offers())) == 1 })
	if o := value[[]api.RoomOffer](t)(anna.Offers())[0]; o.From != "bert" {
		t.Errorf("it is offered by %s", o.From)
	}
	value[api.Room](t)(anna.Accept(t.Context(), "bert"))
	bert.says("@anna", "just to you")
	if m := anna.hears("@bert", "just to you"); m.From != "bert" {
		t.Errorf("it is from %s", m.From)
	}
}

// Whoever is known from a room alone cannot be spoken to by his name, which anybody might take: what can be done instead is said.
func TestMemberWhoIsNoPeer(t *testing.T) {
	var w peertest.World
	anna, bert := newPerson(t, &w, "anna", "anna"), newPerson(t, &w, "bert", "bert")
	room(t, "open", anna, bert)
	_, alone := anna.Direct(t.Context(), "bert")
	_, room := anna.Room(t.Context(), "bert")
	_, marked := anna.Direct(t.Context(), "@bert")
	for what, err := range map[string]error{"conversation": alone, "room": room, "@": marked} {
		if hint := transport.Hint(err); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), `bert is in the room "open", and no peer of yours`) || !strings.Contains(hint, "tenon pair") || !strings.Contains(hint, "'@bert ...'") {
			t.Errorf("%s: %v: %s", what, err, hint)
		}
	}
	for _, other := range []string{"nobody", "#bert", "anna"} {
		if _, err := anna.Room(t.Context(), other); !errors.Is(err, api.ErrNotFound) || strings.Contains(err.Error(), "no peer of yours") {
			t.Errorf("%s: %v", other, err)
		}
	}
	pair(anna, "bert", bert, "anna")
	value[api.Room](t)(anna.Direct(t.Context(), "bert"))
}
