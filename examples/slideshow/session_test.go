package main

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A page is the other side of a session. It takes messages as they come.
type page struct {
	transport.MsgConn
	news latest[told]
	sent latest[string] // the pictures, a space behind each
}

// told is what the page was told last.
func (p *page) told() told {
	t, _ := p.news.get()
	return t
}

// open begins a session.
func (s *show) open(t *testing.T) (p *page, done <-chan struct{}) {
	near, far := mem.MsgPair()
	over := make(chan struct{})
	go func() { defer close(over); s.session(t.Context(), far) }()
	p = &page{MsgConn: near}
	go p.listen()
	synctest.Wait()
	return p, over
}

func (p *page) listen() {
	buf := make([]byte, p.MaxMsg())
	for {
		n, m, err := p.ReadMsg(buf)
		switch {
		case err != nil:
			return
		case m.Text:
			var news told
			if json.Unmarshal(buf[:n], &news) != nil {
				p.Close()
			}
			p.news.change(func(told) told { return news })
		default:
			p.sent.change(func(all string) string { return all + string(buf[:n]) + " " })
		}
	}
}

func (p *page) say(text string) {
	p.WriteMsg([]byte(text), transport.Meta{Text: true})
	synctest.Wait()
}

func threeSlides() *show {
	return &show{deck: parseDeck("one\n---\n![v](video)\n---\nthree"), video: new(video)}
}

func TestPagesTurnTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeSlides()
		a, aDone := s.open(t)
		b, bDone := s.open(t)
		for _, step := range []struct {
			by   *page
			says string
			want int
		}{
			{a, `{"turn":1}`, 1}, {b, `{"turn":1}`, 2}, {a, `{"turn":1}`, 2}, {b, `{"turn":-1}`, 1},
			{a, `{"go":0}`, 0}, {a, `{"turn":-1}`, 0}, {b, `{"go":99}`, 2}, {b, `{"go":-5}`, 0},
			{a, `{"turn":9223372036854775807}`, 2}, {a, `{"turn":-9223372036854775808}`, 0},
		} {
			step.by.say(step.says)
			if a.told().Slide != step.want || b.told().Slide != step.want {
				t.Errorf("after %s the slides are %d and %d, want %d", step.says, a.told().Slide, b.told().Slide, step.want)
			}
		}
		a.say("nonsense") // ends the session of the one who says it
		<-aDone
		b.say(`{"turn":1}`)
		if b.told().Slide != 1 {
			t.Error("nonsense of one page has stopped another")
		}
		b.Close()
		<-bDone
	})
}

// A page that is slow gets few pictures, the newest, and none while another slide is
// shown.
func TestSlowPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeSlides()
		number := uint64(0)
		play := func(jpeg string) {
			number++
			s.video.newest.change(func(p picture) picture {
				p = p.to(live, "")
				p.jpeg, p.number = []byte(jpeg), number
				return p
			})
			synctest.Wait()
		}
		p, done := s.open(t)
		play("a")
		wantPictures(t, p, "") // the slide is another
		p.say(`{"turn":1}`)
		for _, jpeg := range []string{"b", "c", "d", "e"} {
			play(jpeg)
		}
		wantPictures(t, p, "a b ")
		p.say(`{"drawn":true}`)
		wantPictures(t, p, "a b e ")
		p.say(`{"drawn":true}`)
		p.say(`{"drawn":true}`)
		p.say(`{"drawn":true}`)
		wantPictures(t, p, "a b e ")
		play("f")
		play("g")
		play("h") // more was said to be drawn than was sent
		wantPictures(t, p, "a b e f g ")
		p.Close()
		<-done
	})
}

func wantPictures(t *testing.T, p *page, want string) {
	t.Helper()
	if all, _ := p.sent.get(); all != want {
		t.Errorf("pictures %q, want %q", all, want)
	}
}

// A page hears something in every second, and what the video does.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeSlides()
		p, done := s.open(t)
		s.video.newest.change(func(p picture) picture { return p.to(stalled, "") })
		synctest.Wait()
		if p.told().Video != stalled || p.told().Text == "" || p.told().Deck != s.deck.ID {
			t.Errorf("told %+v", p.told())
		}
		time.Sleep(10*heartbeat + heartbeat/2)
		synctest.Wait()
		if p.told().Seconds < 9 || p.told().Seconds > 10 {
			t.Errorf("after 10 s told that it was so for %v s", p.told().Seconds)
		}
		p.Close()
		<-done
	})
}

// A browser that takes nothing is dropped.
func TestBrowserThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := threeSlides()
		s.slide.change(func(int) int { return 1 })
		s.video.newest.change(func(p picture) picture {
			p.state, p.jpeg, p.number = live, make([]byte, 1<<19), 1
			return p
		})
		near, far := mem.MsgPair()
		defer near.Close()
		begin := time.Now()
		s.session(context.Background(), far)
		if d := time.Since(begin); d > writeTimeout+heartbeat {
			t.Errorf("it was dropped after %v", d)
		}
	})
}
