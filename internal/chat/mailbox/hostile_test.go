package mailbox

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/transport"
)

// Without the key of a box nobody reads it or writes into it, whatever he has seen of others.
func TestStranger(t *testing.T) {
	at(t, Config{}, func(p *place) {
		a := p.in("a", "box")
		defer a.Close()
		p.put(a, blob("secret", 100))
		tries := map[string]func(s *Session) error{
			"no box": func(s *Session) error { return s.Put(blobs("b", 1, 100)) },
			"a box without a key": func(s *Session) error {
				_, err := s.ask(frameOpen, append([]byte{version}, make([]byte, 96)...), frameOpened)
				return err
			},
			"the proof of somebody else": func(s *Session) error {
				_, err := s.ask(frameOpen, append(append([]byte{version}, keyOf("box").ID().Bytes()...), proof(keyOf("box"), a.self, a.at)...), frameOpened)
				return err
			},
			"the proof for another mailbox": func(s *Session) error {
				_, err := s.ask(frameOpen, append(append([]byte{version}, keyOf("box").ID().Bytes()...), proof(keyOf("box"), s.self, a.self)...), frameOpened)
				return err
			},
			"another key": func(s *Session) error {
				_, err := s.ask(frameOpen, append(append([]byte{version}, keyOf("box").ID().Bytes()...), proof(keyOf("other"), s.self, s.at)...), frameOpened)
				return err
			},
			"another version": func(s *Session) error {
				_, err := s.ask(frameOpen, append(append([]byte{9}, keyOf("box").ID().Bytes()...), proof(keyOf("box"), s.self, s.at)...), frameOpened)
				return err
			},
		}
		for what, try := range tries {
			s := p.dial("eve")
			p.want(what, try(s), ErrProof)
			s.Close()
		}
		if got := p.Stats().Blobs; got != 1 {
			t.Errorf("there are %d blobs", got)
		}
	})
}

// A mailbox for friends has nothing to do with others.
func TestFriendsOnly(t *testing.T) {
	config := Config{Caller: func(id peer.ID, _ transport.Stream) (Caller, bool) {
		return Caller{id.String(), true}, id == keyOfNode("friend")
	}}
	at(t, config, func(p *place) {
		s := p.dial("eve")
		p.want("a stranger", open(s, "box"), ErrNotForUs)
		s.Close()
		s = p.in("friend", "box")
		p.put(s, blob("b", 100))
		s.Close()
	})
}

// keyOfNode returns who a node of this name is.
func keyOfNode(name string) peer.ID {
	var w peertest.World
	n := w.Node(name, nil)
	defer n.Close() //nolint:errcheck // it returns nil
	return n.Self()
}

// What is more than is kept is refused, and whoever has brought it is told why. Guests take nothing from friends,
// one guest nothing from another, nobody shuts others out of a box, and all is counted again after a restart.
func TestQuotas(t *testing.T) {
	limits := Limits{All: Quota{Blobs: 100}, Guests: Quota{Blobs: 60}, Guest: Quota{Bytes: 2 << 20, Blobs: 40}, Box: Quota{Blobs: 50}, Part: Quota{Blobs: 30}}
	limits.DayAll, limits.DayGuest, limits.DayBox = limits.All, limits.Guest, limits.Box
	config := Config{Limits: limits, Caller: func(id peer.ID, _ transport.Stream) (Caller, bool) {
		return Caller{id.String(), id == keyOfNode("friend")}, true
	}}
	at(t, config, func(p *place) {
		in := func(who, box string, n, size int) error {
			s := p.in(who, box)
			defer s.Close()
			return s.Put(blobs(who+box, n, size))
		}
		p.want("his part of a box", in("a", "one", 30, 100), nil)
		p.want("more than his part", in("a", "one", 31, 100), ErrFull)
		p.want("another one in it", in("b", "one", 20, 100), nil)
		p.want("more than in a box", in("b", "one", 21, 100), ErrFull)
		p.want("a friend in it", in("friend", "one", 1, 100), ErrFull)
		p.want("as many as a guest may", in("a", "two", 10, 100), nil)
		p.want("more than a guest may", in("a", "two", 11, 100), ErrFull)
		p.close()
		p.open(config)
		p.want("more after a restart", in("a", "two", 11, 100), ErrFull)
		p.want("more than all guests", in("b", "three", 1, 100), ErrFull)
		p.want("what a friend puts", in("friend", "three", 40, 100), nil)
		p.want("more than all", in("friend", "four", 1, 100), ErrFull)
		if got := p.Stats().Blobs; got != 100 {
			t.Errorf("there are %d blobs", got)
		}
	})
}

// What is taken in a day is bounded: of a guest, for a box, and of all, friends too; the next day there is more, and a
// restart does not begin a day.
func TestQuotasOfADay(t *testing.T) {
	config := Config{Limits: Limits{DayAll: Quota{Blobs: 50}, DayGuest: Quota{Bytes: 500 << 10, Blobs: 20}, DayBox: Quota{Blobs: 30}},
		Caller: func(id peer.ID, _ transport.Stream) (Caller, bool) {
			return Caller{id.String(), id == keyOfNode("friend")}, true
		}}
	at(t, config, func(p *place) {
		time.Sleep(time.Until(startOfDay(time.Now()).Add(25 * time.Hour))) // one o'clock
		in := func(who, box, day string, n, size int) error {
			s := p.in(who, box)
			defer s.Close()
			return s.Put(blobs(who+box+day, n, size))
		}
		p.want("a guest's day", in("a", "one", "", 20, 100), nil)
		p.want("more of a guest", in("a", "two", "", 1, 100), ErrTooOften)
		p.want("again what is there", in("a", "one", "", 20, 100), nil)
		p.want("a box's day", in("b", "one", "", 10, 100), nil)
		p.want("more for a box", in("friend", "one", "", 1, 100), ErrTooOften)
		p.want("many bytes", in("c", "three", "", 10, 60<<10), ErrTooOften)
		p.close()
		p.open(config)
		p.want("more after a restart", in("a", "two", "", 1, 100), ErrTooOften)
		p.want("the rest of the day of all", in("friend", "two", "", 50-p.Stats().Today.Blobs, 100), nil)
		p.want("more of all", in("friend", "four", "", 1, 100), ErrTooOften)
		time.Sleep(24 * time.Hour)
		if today := p.Stats().Today; today != (Quota{}) {
			t.Errorf("a new day begins with %+v", today)
		}
		p.want("the next day", in("a", "one", "next", 20, 100), nil)
		if today := p.Stats().Today; today != (Quota{2000, 20}) {
			t.Errorf("today %+v was taken", today)
		}
	})
}

func TestQuotaOfBytes(t *testing.T) {
	at(t, Config{Limits: Limits{Guest: Quota{Bytes: 1 << 20}, DayGuest: Quota{Bytes: 1 << 30}}}, func(p *place) {
		s := p.in("a", "box")
		defer s.Close()
		p.want("as many bytes as a guest may", s.Put(blobs("b", 16, 64<<10)), nil)
		p.want("more", s.Put(blobs("c", 1, 64)), ErrFull)
	})
}

// Who asks too much is told to come later, and then may again.
func TestTooOften(t *testing.T) {
	at(t, Config{Limits: Limits{Asks: 50, Moves: 100, Streams: 3}}, func(p *place) {
		s := p.in("a", "box")
		p.put(s, blobs("b", 100, 64)...)
		p.want("more blobs", s.Put(blobs("c", 10, 64)), ErrTooOften)
		var err error
		for n := 0; err == nil && n < 100; n++ {
			err = open(s, "box")
		}
		p.want("many questions", err, ErrTooOften)
		s.Close()
		time.Sleep(time.Minute)
		s = p.in("a", "box")
		p.put(s, blobs("d", 50, 64)...)
		more := []*Session{p.in("a", "box"), p.in("a", "box")}
		fourth := p.dial("a")
		p.want("a fourth stream", open(fourth, "box"), ErrBusy)
		other := p.in("b", "box") // others are not held up
		for _, s := range append(more, s, fourth, other) {
			s.Close()
		}
	})
}

// Frames that nobody sends who follows the protocol end the stream, and nothing comes of them.
func TestMalformed(t *testing.T) {
	at(t, Config{}, func(p *place) {
		long := make([]byte, MaxBlob+1)
		tries := map[string][]byte{
			"an unknown frame":         frame.Close(frame.Begin(nil, 99)),
			"an answer":                frame.Close(frame.Begin(nil, frameTaken)),
			"half an ID":               frame.Close(append(frame.Begin(nil, frameWant), 1, 2, 3)),
			"too many IDs":             frame.Close(append(frame.Begin(nil, frameWant), make([]byte, 32*(maxIDs+1))...)),
			"a blob that is too short": frame.Close(frame.AppendRow(frame.Begin(nil, frameBlobs), long[:MinBlob-1])),
			"a blob that is too long":  frame.Close(frame.AppendRow(frame.Begin(nil, frameBlobs), long)),
			"no blob":                  frame.Close(frame.Begin(nil, frameBlobs)),
			"an exchange of nothing":   frame.Close(frame.Begin(nil, frameSync)),
			"lacks before an exchange": frame.Close(frame.Begin(nil, frameLacks)),
			"a wait with something":    frame.Close(append(frame.Begin(nil, frameWait), 1)),
		}
		for what, b := range tries {
			s := p.in("eve", "box")
			s.stream.Write(b) //nolint:errcheck // the read below shows it
			if kind, _, err := s.read(); err == nil {
				t.Errorf("%s: answered by a frame of kind %d", what, kind)
			}
			s.Close()
		}
		if s := p.Stats(); s.Blobs != 0 {
			t.Errorf("of all that is kept: %+v", s)
		}
	})
}

// What is compared takes bounded memory, and an exchange that is never ended holds it for a while only.
func TestExchangesAreBounded(t *testing.T) {
	at(t, Config{}, func(p *place) {
		var large rbsr.Set
		for _, b := range blobs("b", 20000, 64) {
			large.Add(KeyOf(IDOf(b)))
		}
		s := p.in("eve", "box")
		_, message := rbsr.Begin(&large, rbsr.Key{})
		if _, err := s.ask(frameSync, message, frameSync); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p.memory.Used() == 0 {
			t.Error("nothing is booked")
		}
		time.Sleep(idleTime + time.Second)
		synctest.Wait()
		if n := p.memory.Used(); n != 0 {
			t.Errorf("%d bytes are booked for somebody who is silent", n)
		}
		s.Close()
	})
}

// The handler survives whoever does not speak the protocol.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	peertest.Hostile(t, 2*idleTime, func(st transport.Stream) {
		db, err := store.Open(context.Background(), dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close() //nolint:errcheck // nothing was written
		s, err := Open(context.Background(), Config{DB: db})
		if err != nil {
			t.Error(err)
			return
		}
		s.Handle(st)
		s.Close()
		if s.Stats() != (Stats{}) || s.memory.Used() != 0 {
			t.Errorf("left is %+v", s.Stats())
		}
	}, nil)
}

// A mailbox that does not keep to the protocol gets nothing by it: the member's side ends with an error, soon, and
// believes nothing.
func TestHostileMailbox(t *testing.T) {
	answer := func(kind byte, content ...byte) []byte {
		return frame.Close(append(frame.Begin(nil, kind), content...))
	}
	opened := answer(frameOpened, 0, 0, 2, 0xd0)
	var other rbsr.Set
	other.Add(KeyOf(ID{1}))
	_, begin := rbsr.Begin(&other, rbsr.Key{})
	flood := []byte(strings.Repeat(string(answer(frameBlobs, frame.AppendRow(nil, blob("flood", 1000))...)), 50))
	for what, then := range map[string][]byte{
		"nothing":                   nil,
		"an unknown refusal":        answer(frameRefused, 77),
		"another frame":             answer(frameNews, 1),
		"an exchange of its own":    answer(frameSync, begin...),
		"rubbish as exchange":       answer(frameSync, []byte("rubbish")...),
		"an exchange without end":   answer(frameSync),
		"blobs not asked for":       flood,
		"a frame that is too large": {frameBlobs, 0xff, 0xff, 0xff},
		"outcomes of nothing":       answer(frameTaken, 0, 0, 0),
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w peertest.World
				box, us := w.Node("mailbox", nil), w.Node("us", nil)
				defer box.Close() //nolint:errcheck // it returns nil
				defer us.Close()  //nolint:errcheck // it returns nil
				box.Serve(Proto, func(s transport.Stream) {
					in := bufio.NewReader(s)
					for first := true; ; first = false {
						if _, _, err := frame.Read(in, most); err != nil {
							return
						}
						if p := then; first {
							s.Write(opened) //nolint:errcheck // hostile
						} else if _, err := s.Write(p); err != nil {
							return
						}
					}
				})
				for use, f := range map[string]func(s *Session) error{
					"compare": func(s *Session) error {
						_, _, err := s.Compare(holding(blobs("b", 100, 64)...))
						return err
					},
					"get": func(s *Session) error {
						return s.Get([]ID{{1}, {2}}, func(ID, []byte) { t.Error("a blob was believed") })
					},
					"put":  func(s *Session) error { return s.Put(blobs("b", 1, 100)) },
					"wait": func(s *Session) error { _, err := s.Wait(); return err },
				} {
					s, err := Dial(t.Context(), us, box.Self())
					if err != nil {
						t.Fatal(err)
					}
					if err := open(s, "box"); err != nil {
						t.Fatal(err)
					}
					begin := time.Now()
					err = f(s)
					if use == "wait" && what == "another frame" {
						if err != nil {
							t.Error(err)
						}
					} else if err == nil || time.Since(begin) > waitTime+answerTime {
						t.Errorf("%s: %v after %v", use, err, time.Since(begin))
					}
					s.Close()
				}
			})
		})
	}
}

// Who says that it has blobs and does not give them is told from who has none.
func TestWithholding(t *testing.T) {
	at(t, Config{}, func(p *place) {
		s := p.in("a", "box")
		defer s.Close()
		all := blobs("b", 10, 100)
		p.put(s, all...)
		n := 0
		err := s.Get([]ID{IDOf(all[0]), {9}, IDOf(all[1])}, func(ID, []byte) { n++ })
		if !errors.Is(err, ErrWithheld) || n != 2 {
			t.Errorf("%d came, %v", n, err)
		}
	})
}
