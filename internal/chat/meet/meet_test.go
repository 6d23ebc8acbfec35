package meet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
)

var secret = []byte("the secret of the room")

var errEvent = errors.New("not an event")

// event makes an event: its time, its author, its parents and a text.
func event(at uint64, author string, text string, parents ...[32]byte) Blob {
	b := binary.BigEndian.AppendUint64(nil, at)
	a := sha256.Sum256([]byte(author))
	b = append(b, a[:]...)
	b = append(b, byte(len(parents)))
	for _, p := range parents {
		b = append(b, p[:]...)
	}
	e, err := parse(append(b, text...))
	if err != nil {
		panic(err)
	}
	return e
}

func parse(b []byte) (e Blob, err error) {
	if len(b) < 41 || len(b) < 41+32*int(b[40]) {
		return e, errEvent
	}
	e.Time, e.ID, e.Bytes = binary.BigEndian.Uint64(b), sha256.Sum256(b), b
	copy(e.Author[:], b[8:])
	for p := range slices.Chunk(b[41:41+32*int(b[40])], 32) {
		e.Parents = append(e.Parents, [32]byte(p))
	}
	if string(b[41+32*int(b[40]):]) == "invalid" {
		return e, errEvent
	}
	return e, nil
}

// each has events parsed one by one.
func each(parse func([]byte) (Blob, error)) func([][]byte) ([]Blob, error) {
	return func(rows [][]byte) (blobs []Blob, err error) {
		blobs = make([]Blob, len(rows))
		for i := 0; i < len(rows) && err == nil; i++ {
			blobs[i], err = parse(rows[i])
		}
		return blobs, err
	}
}

// clock returns the time of an event that happens now.
func clock() uint64 { return uint64(time.Now().UnixMilli()) << 16 }

// memory is a Set in memory. It fails the test if an event comes before its parents, or twice.
type memory struct {
	t     testing.TB
	index rbsr.Set

	mu     sync.Mutex // guards what follows
	events map[[32]byte]Blob
	order  [][32]byte
	rows   [][]byte
	got    map[string]int64 // rows, and their numbers
	takes  int
	told   int // rows that came, with those that were there
	refuse func(Blob) bool
	full   bool // nothing can be kept
}

var errFull = errors.New("the disk is full")

func (m *memory) Index() *rbsr.Set { return &m.index }

func (m *memory) Lacks(_ context.Context, ids [][32]byte) (lacking [][32]byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if _, ok := m.events[id]; !ok {
			lacking = append(lacking, id)
		}
	}
	return lacking, nil
}

func (m *memory) Get(_ context.Context, ids [][32]byte) (blobs []Blob, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if b, ok := m.events[id]; ok {
			blobs = append(blobs, b)
		}
	}
	return blobs, nil
}

func (m *memory) Take(_ context.Context, blobs []Blob) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takes++
	if m.full {
		return errFull
	}
	for _, b := range blobs {
		if m.refuse != nil && m.refuse(b) {
			continue
		}
		if _, ok := m.events[b.ID]; ok {
			m.t.Errorf("an event that is there is taken again")
		}
		for _, p := range b.Parents {
			if _, ok := m.events[p]; !ok {
				m.t.Errorf("an event is taken before its parent")
			}
		}
		m.events[b.ID] = b
		m.order = append(m.order, b.ID)
		m.index.Add(b.Key)
	}
	return nil
}

func (m *memory) Marks(_ context.Context, after int64, limit int) (rows [][]byte, last int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to := min(after+int64(limit), int64(len(m.rows)))
	return slices.Clone(m.rows[after:to]), to, nil
}

func (m *memory) TakeMarks(_ context.Context, _ peer.ID, rows [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told += len(rows)
	if m.full && len(rows) > 0 {
		return errFull
	}
	for _, row := range rows {
		if string(row) == "invalid" {
			return fmt.Errorf("%w: %w", ErrInvalid, errEvent)
		}
		if m.got[string(row)] == 0 {
			m.rows = append(m.rows, row)
			m.got[string(row)] = int64(len(m.rows))
		}
	}
	return nil
}

// A world is where parties meet.
type world struct {
	peertest.World
	t   testing.TB
	all []*party

	mu     sync.Mutex       // guards what follows
	ids    []peer.ID        // of all members
	guests map[peer.ID]bool // those of them who have not entered
}

// A party is a node with one room.
type party struct {
	*Room
	world *world
	node  *peertest.Node
	meet  *Meeting
	set   *memory
	book  *book
	said  []string // what Event was told of
	notes chan string
	mu    sync.Mutex // guards said
}

// virtually runs f in virtual time.
func virtually(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		defer func() {
			for _, p := range w.all {
				p.meet.Close()
				p.node.Close() //nolint:errcheck // it returns nil
				if used := p.meet.held.Used(); used != 0 {
					t.Errorf("%s holds %d bytes at the end", p.node.Name(), used)
				}
			}
		}()
		f(t, w)
	})
}

// party makes a node with a room of which all parties are members.
func (w *world) party(name string, config ...func(*Config)) *party {
	p := &party{world: w, node: w.Node(name, nil), notes: make(chan string, 1000),
		set: &memory{t: w.t, events: map[[32]byte]Blob{}, got: map[string]int64{}}, book: &book{world: w, heard: map[peer.ID][]string{}}}
	c := Config{Secret: secret, Set: p.set, Places: p.book, Parse: each(parse), Members: w.members, Rate: 1 << 30,
		Note: func(_ peer.ID, note []byte) { p.notes <- string(note) },
		Event: func(_ peer.ID, what string, err error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.said = append(p.said, fmt.Sprint(what, " ", err))
		}}
	for _, f := range config {
		f(&c)
	}
	p.meet = New(p.node)
	w.all = append(w.all, p)
	w.admit(p.node.Self())
	p.Room = p.meet.Open(c)
	return p
}

// admit makes somebody a member.
func (w *world) admit(id peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = append(w.ids, id)
}

// remove makes a member none.
func (w *world) remove(id peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids = slices.DeleteFunc(slices.Clone(w.ids), func(i peer.ID) bool { return i == id })
}

func (w *world) members() []peer.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ids)
}

// add gives events to a party's set, as if they had been there.
func (p *party) add(blobs ...Blob) {
	p.set.Take(p.world.t.Context(), blobs) //nolint:errcheck // it returns nil
}

// with is for a party that has events from the beginning.
func with(blobs ...Blob) func(*Config) {
	return func(c *Config) { c.Set.Take(context.Background(), blobs) } //nolint:errcheck // it returns nil
}

// say makes an event that follows all that the party has, and pushes it.
func (p *party) say(text string) Blob {
	p.set.mu.Lock()
	var parents [][32]byte
	if n := len(p.set.order); n > 0 {
		parents = p.set.order[n-1:]
	}
	p.set.mu.Unlock()
	e := event(clock(), p.node.Name(), text, parents...)
	p.add(e)
	p.Push(e)
	return e
}

// chain makes events that follow each other.
func chain(author string, from uint64, n int) (blobs []Blob) {
	for i := range n {
		var parents [][32]byte
		if i > 0 {
			parents = [][32]byte{blobs[i-1].ID}
		}
		blobs = append(blobs, event(from+uint64(i)<<16, author, fmt.Sprint(author, i), parents...))
	}
	return blobs
}

// equal waits until all have the same, and fails if that takes longer.
func (w *world) equal(within time.Duration, parties ...*party) {
	w.t.Helper()
	if len(parties) == 0 {
		parties = w.all
	}
	differ := func() string {
		want, n := parties[0].set.index.Fingerprint(rbsr.Key{}, rbsr.End)
		for _, p := range parties[1:] {
			if got, m := p.set.index.Fingerprint(rbsr.Key{}, rbsr.End); got != want {
				return fmt.Sprintf("%s has %d events, and %s %d", parties[0].node.Name(), n, p.node.Name(), m)
			}
		}
		return ""
	}
	for deadline := time.Now().Add(within); ; {
		synctest.Wait()
		why := differ()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			for _, p := range parties {
				p.mu.Lock()
				w.t.Logf("%s: %q", p.node.Name(), p.said[max(0, len(p.said)-10):])
				p.mu.Unlock()
			}
			w.t.Fatalf("after %v %s", within, why)
		}
		time.Sleep(within / 100) // virtual
	}
}

func (p *party) has(b Blob) bool { return p.set.index.Has(b.Key) }

// Two who were apart have the same once they meet, whatever each had; who has nothing gets all.
func TestApart(t *testing.T) {
	for _, c := range [][3]int{{0, 0, 0}, {0, 0, 1}, {0, 300, 0}, {100, 5, 7}, {3000, 500, 700}, {0, 2000, 3000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				both := chain("both", 1<<40, c[0])
				a := w.party("a", with(both...), with(chain("a", 1<<41, c[1])...))
				w.party("b", with(both...), with(chain("b", 1<<40+1, c[2])...))
				w.equal(10 * time.Second)
				if n := a.set.index.Len(); n != c[0]+c[1]+c[2] {
					t.Errorf("%d events", n)
				}
			})
		})
	}
}

// What is said arrives at once at all who are connected, and by them at others.
func TestPush(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b, c := w.party("a"), w.party("b"), w.party("c")
		w.Break(a.node, c.node)
		w.Delay(a.node, b.node, 20*time.Millisecond)
		w.Delay(b.node, c.node, 20*time.Millisecond)
		time.Sleep(10 * time.Second)
		for i := range 100 {
			e := a.say(fmt.Sprint("text ", i))
			time.Sleep(41 * time.Millisecond)
			synctest.Wait()
			if !b.has(e) || !c.has(e) {
				t.Fatalf("event %d: b has it: %v, c has it: %v", i, b.has(e), c.has(e))
			}
		}
	})
}

// What is said while two cannot reach each other arrives when they can.
func TestCuts(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		for i := range 20 {
			time.Sleep(3 * time.Second)
			a.say(fmt.Sprint("from a ", i))
			b.say(fmt.Sprint("from b ", i))
			switch i % 4 {
			case 0:
				w.Break(a.node, b.node)
			case 1:
				w.Heal(a.node, b.node)
			case 2:
				w.Silence(a.node, b.node)
			case 3:
				w.Heal(a.node, b.node)
			}
		}
		w.equal(10 * time.Minute)
		if n := a.set.index.Len(); n != 40 {
			t.Errorf("%d events", n)
		}
	})
}

// A late comer gets all from whoever has it, and asks nobody for what another one sends already.
func TestLateComer(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		history := chain("old", 1<<40, 5000)
		given := 0
		var mu sync.Mutex
		count := func(c *Config) {
			c.Given = func(_ peer.ID, keys []rbsr.Key) {
				mu.Lock()
				defer mu.Unlock()
				given += len(keys)
			}
		}
		for i := range 4 {
			p := w.party(fmt.Sprint("member", i), count, with(history...))
			for _, o := range w.all[:i] {
				w.Delay(p.node, o.node, 10*time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		late := w.party("late")
		for _, p := range w.all[:4] {
			w.Delay(p.node, late.node, 10*time.Millisecond)
		}
		late.MembersChanged()
		w.equal(30 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if given > 5000+4*maxAsked {
			t.Errorf("%d events were sent, for 5000", given)
		}
	})
}

// Who is asked and goes away, or is silent, is not waited for where another one has the same.
func TestGoesMeanwhile(t *testing.T) {
	for _, name := range []string{"breaks", "is silent"} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T, w *world) {
				history := chain("old", 1<<40, 8000)
				a, b := w.party("a", with(history...)), w.party("b", with(history...))
				late := w.party("late")
				w.Delay(a.node, late.node, 50*time.Millisecond)
				w.Delay(b.node, late.node, 50*time.Millisecond)
				for late.set.index.Len() < 1000 {
					time.Sleep(5 * time.Millisecond)
				}
				if name == "breaks" {
					w.Break(a.node, late.node)
				} else {
					w.Silence(a.node, late.node)
				}
				w.equal(3 * time.Minute)
			})
		})
	}
}

// Parents that were not told are fetched at once, from who has told the child.
func TestMissingParents(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		w.Delay(a.node, b.node, 10*time.Millisecond)
		time.Sleep(5 * time.Second)
		a.add(chain("quiet", clock(), 5)...)
		e := a.say("told")
		time.Sleep(time.Second)
		if !b.has(e) || b.set.index.Len() != 6 {
			t.Errorf("b has %d events of 6", b.set.index.Len())
		}
		a.add(chain("many", clock(), 500)...) // too many to walk: they are compared
		e = a.say("told")
		time.Sleep(5 * time.Second)
		if !b.has(e) {
			t.Errorf("b has %d events of 507", b.set.index.Len())
		}
	})
}

// Rows that both have are not told when they meet again, however many they are; what one lacks is.
func TestKnownRows(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		w.Break(a.node, b.node)
		for i := range 500 {
			row := fmt.Appendf(nil, "row %d", i)
			a.set.TakeMarks(t.Context(), peer.ID{}, [][]byte{row}) //nolint:errcheck // it returns nil
			if i%100 != 0 {
				b.set.TakeMarks(t.Context(), peer.ID{}, [][]byte{row}) //nolint:errcheck // it returns nil
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		a.set.told, b.set.told = 0, 0
		w.Heal(a.node, b.node)
		w.equal(time.Hour)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if len(b.set.rows) != 500 || b.set.told != 5 || a.set.told != 0 {
			t.Errorf("b has %d rows and was told %d of 5, a %d", len(b.set.rows), b.set.told, a.set.told)
		}
	})
}

// Marks reach everybody, and so do those that change; notes reach those who are connected, and are bounded.
func TestMarksAndNotes(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b, c := w.party("a"), w.party("b"), w.party("c")
		w.Break(a.node, c.node)
		for i := range 200 {
			a.set.TakeMarks(t.Context(), peer.ID{}, [][]byte{fmt.Appendf(nil, "mark %d", i)}) //nolint:errcheck // it returns nil
		}
		a.MarksChanged()
		time.Sleep(10 * time.Second)
		b.MarksChanged()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(b.set.rows) != 200 || len(c.set.rows) != 200 {
			t.Errorf("b has %d marks, and c %d", len(b.set.rows), len(c.set.rows))
		}
		a.Say([]byte("typing"))
		a.Say(make([]byte, MaxNote+1))
		time.Sleep(time.Second)
		if n := <-b.notes; n != "typing" || len(c.notes) != 0 {
			t.Errorf("b is told %q", n)
		}
		for range 1000 {
			a.Say([]byte("typing"))
			synctest.Wait()
		}
		if n := len(b.notes); n > noteBurst+1 {
			t.Errorf("b is told %d notes at once", n)
		}
	})
}

// Both open a stream at the same time: one is left.
func TestBothOpen(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		w.Delay(a.node, b.node, 50*time.Millisecond)
		var both sync.WaitGroup
		for range 3 {
			both.Go(func() { a.ask(a.ctx, b.node.Self()) }) //nolint:errcheck // Event tells
			both.Go(func() { b.ask(b.ctx, a.node.Self()) }) //nolint:errcheck // Event tells
		}
		time.Sleep(10 * time.Second)
		a.say("hello")
		w.equal(time.Second)
		if len(a.Peers()) != 1 || len(b.Peers()) != 1 {
			t.Errorf("a is connected with %v, b with %v", a.Peers(), b.Peers())
		}
		a.Close()
		b.Close()
		both.Wait()
	})
}

// Who is no member any more is told why, loses its session, and is not let in again.
func TestRemoved(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		time.Sleep(5 * time.Second)
		a.say("before")
		w.equal(time.Second)
		w.remove(b.node.Self())
		a.MembersChanged()
		why := a.say("b is removed")
		e := a.say("after")
		time.Sleep(time.Hour)
		if len(a.Peers()) != 0 || !b.has(why) || b.has(e) {
			t.Errorf("it is connected with %v, and the other has the reason, %v, and what was said: %v", a.Peers(), b.has(why), b.has(e))
		}
	})
}

// Who was a member once, and comes back, is told why he is none, however long he was away, and nothing that does not lead to that.
func TestRemovedComesBack(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		events := chain("a", clock()-(1<<30), 3*maxPart)
		n := len(events)
		why := events[n-10] // what follows it knows of it
		a := w.party("a", with(events...), func(c *Config) {
			c.Members = func() []peer.ID { return nil } // from before he comes
			c.Parted = func(peer.ID) ([32]byte, bool) { return why.ID, true }
		})
		b := w.party("b", with(events[:100]...), func(c *Config) {
			c.Members = func() []peer.ID { return []peer.ID{a.node.Self()} } // he does not know
		})
		begin := time.Now()
		for !b.has(why) && time.Since(begin) < time.Hour {
			time.Sleep(time.Second)
		}
		if !b.has(why) {
			t.Fatalf("he has %d events of %d", b.set.index.Len(), n)
		}
		own := b.say("his own")
		time.Sleep(time.Hour)
		if b.has(events[n-9]) || b.has(events[n-1]) || a.has(own) || len(a.Peers()) > 0 {
			t.Errorf("he has %d events, of which %d are for him; his own came: %v", b.set.index.Len(), n-9, a.has(own))
		}
	})
}

// Who has another secret, or none, gets the same answer whether there is a room or not.
func TestUnknownAndWrong(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("a")
		stranger := w.Node("stranger", nil)
		answer := func(to *peertest.Node, key []byte) string {
			s, err := stranger.Open(t.Context(), to.Self(), Proto)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()                                     //nolint:errcheck // it returns nil
			writeHello(s, tag(key, stranger.Self(), to.Self())) //nolint:errcheck // the answer tells
			b := make([]byte, 100)
			n, _ := s.Read(b)
			return string(b[:n])
		}
		empty := w.Node("empty", nil)
		none := New(empty)
		defer none.Close()
		wrong, unknown, removed := answer(a.node, []byte("guess")), answer(empty, secret), answer(a.node, secret)
		if wrong != unknown || wrong != removed || len(wrong) != frame.HeadSize {
			t.Errorf("wrong %x, unknown %x, no member %x", wrong, unknown, removed)
		}
		stranger.Close() //nolint:errcheck // it returns nil
		empty.Close()    //nolint:errcheck // it returns nil
	})
}

// What the Set refuses is not asked for again and again, and ends no session.
func TestRefused(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		w.party("a", with(chain("bad", 1<<40, 50)...), with(chain("good", 1<<41, 50)...))
		b := w.party("b", func(c *Config) {
			c.Set.(*memory).refuse = func(e Blob) bool { return e.Author == sha256.Sum256([]byte("bad")) }
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := b.set.index.Len(); n != 50 {
			t.Errorf("b has %d events", n)
		}
		if b.set.takes > 20 {
			t.Errorf("they were taken %d times", b.set.takes)
		}
		if len(b.Peers()) != 1 {
			t.Error("the session has ended")
		}
	})
}

// Where nothing can be kept any more, all sessions end, and it is said why.
func TestFull(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("a", with(chain("a", 1<<40, 3000)...))
		b := w.party("b", func(c *Config) { c.Set.(*memory).full = true })
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.Peers()) != 0 || !slices.ContainsFunc(b.said, func(s string) bool { return strings.Contains(s, errFull.Error()) }) {
			t.Errorf("b is connected with %v, and said %q", b.Peers(), b.said)
		}
		if a.set.index.Len() != 3000 {
			t.Error("a has lost something")
		}
	})
}

// Who cannot keep what others say of themselves meets them again when he can: they are not to blame. He would not hear
// of them for ten minutes, as of those who send what nobody honest sends.
func TestMarksAtFullDisk(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		time.Sleep(time.Minute)
		rows := func(full bool) int {
			b.set.mu.Lock()
			defer b.set.mu.Unlock()
			b.set.full = full
			return len(b.set.rows)
		}
		rows(true)
		a.set.TakeMarks(t.Context(), peer.ID{}, [][]byte{[]byte("row")}) //nolint:errcheck // it returns nil
		a.MarksChanged()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := rows(false); n != 0 || len(b.Peers()) != 0 {
			t.Errorf("b is connected with %v, and has %d rows", b.Peers(), n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := rows(false); n != 1 || len(b.Peers()) != 1 || !slices.ContainsFunc(b.said, func(s string) bool { return strings.Contains(s, errFull.Error()) }) {
			t.Errorf("b is connected with %v, has %d rows, and said %q", b.Peers(), n, b.said)
		}
	})
}

// One who reads nothing costs no more than a queue, and gets all later.
func TestSlowReader(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a, b := w.party("a"), w.party("b")
		time.Sleep(5 * time.Second)
		w.Silence(a.node, b.node)
		for range 100 {
			a.say(string(make([]byte, 60<<10)))
			time.Sleep(100 * time.Millisecond)
		}
		a.mu.Lock()
		for _, x := range a.sessions {
			if x.pushBytes > maxPushes {
				t.Errorf("%d bytes wait for b", x.pushBytes)
			}
		}
		a.mu.Unlock()
		w.Heal(a.node, b.node)
		w.equal(time.Minute)
	})
}

// Many who know nobody but one all get what there is, though he is connected with fewer at once, and all the others stay.
func TestManyNewcomers(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		first := chain("first", 1<<40, 10)
		host := w.party("host", with(first...))
		for i := range 3 * maxSessions {
			w.party(fmt.Sprint("newcomer ", i), func(c *Config) {
				index := c.Set.Index()
				c.Members = func() []peer.ID {
					if index.Len() < len(first) {
						return []peer.ID{host.node.Self()}
					}
					return w.members()
				}
			})
		}
		w.equal(5 * time.Minute)
		if n := len(host.Peers()); n > maxSessions {
			t.Errorf("the host is connected with %d at once", n)
		}
	})
}

// Who has had nothing to say for long is not taken for silent when it is asked something.
func TestLongSilence(t *testing.T) {
	virtually(t, func(t *testing.T, w *world) {
		a := w.party("a")
		w.party("b")
		time.Sleep(time.Minute)
		began := a.Peers()[0].Since
		time.Sleep(time.Hour)
		synctest.Wait()
		if all := a.Peers(); len(all) != 1 || !all[0].Since.Equal(began) {
			t.Errorf("%v, and not since %v", all, began)
		}
	})
}
