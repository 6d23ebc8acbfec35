package screen

import (
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/node/api"
)

// Frames as they are seen, at some sizes. What colors say, the text says, too, so it is enough.
func TestGoldenFrames(t *testing.T) {
	f, r := lobby()
	f.clock = began.Add(26 * time.Hour)
	f.says(r, "carol", "a long message that does not fit into one line, with wide characters, 日本語テキスト, and *emphasis* where _somebody_ wants it")
	f.says(r, "carol", "```\nfunc main() {\n\tprintln(\"code\")\n}\n```\nthat was `code`")
	e := f.says(r, "me", "an answer")
	last := &r.messages[len(r.messages)-1]
	last.Reply = &api.RoomQuote{ID: "m3", From: "bob", Text: "*good* morning, see\nmore"}
	last.Reactions = []api.RoomReaction{{Emoji: "👍", From: []string{"alice", "me"}, Mine: true}, {Emoji: "🎉", From: []string{"a", "b", "c", "d"}}}
	last.Delivery.State = "sent"
	r.messages = append(r.messages, api.RoomMessage{ID: "c1", Kind: kindControl, Time: e.Time, Text: "bob made carol an owner"},
		api.RoomMessage{ID: "f1", Kind: "file", Time: e.Time.Add(time.Hour), From: "bob", FromID: "id-bob", Text: "the pictures", File: &api.RoomFile{Name: "trip.zip", Size: 12 << 20}, Pinned: true},
		api.RoomMessage{ID: "g1", Kind: "text", Time: e.Time.Add(time.Hour), From: "bob", FromID: "id-bob", Deleted: true, Late: true},
		api.RoomMessage{ID: "g2", Kind: "text", Time: e.Time.Add(time.Hour), From: "alice", FromID: "id-alice", Text: "@me שלום עולם, e\u0301", MentionMe: true, Edited: e.Time})
	r.Read, r.Unread, r.Mentions = "c1", 3, 1
	r.members[3].Forked = true
	f.offers = []api.RoomOffer{{ID: "id-club", Name: "club", From: "dora"}}
	f.rooms[1].Muted = true
	for _, g := range []struct {
		name          string
		width, height int
		keys          []string
	}{
		{"wide", 120, 34, nil}, {"usual", 80, 24, nil}, {"narrow", 40, 20, nil}, {"tiny", 20, 5, nil},
		{"picked", 110, 20, []string{"up", "up", "up"}}, {"rooms", 80, 12, []string{"f2"}}, {"help", 80, 24, []string{"f1"}}, {"typed", 60, 16, []string{"/", "m", "tab"}},
	} {
		r.Read, r.Unread, r.Mentions = "c1", 3, 1
		d := sit(t, f, g.width, g.height, "lobby")
		d.press(g.keys...)
		golden.Check(t, "testdata/"+g.name+".txt", d.frame()+"\n")
	}
}

// Colors are those of the background, and what they say is said without them, too.
func TestColors(t *testing.T) {
	f, _ := lobby()
	d := sit(t, f, 100, 24, "lobby")
	dark := d.m.View().Content
	d.m.light = true
	light := d.m.View().Content
	if dark == light || !strings.Contains(dark, "38;5;") {
		t.Error("a light background changes nothing")
	}
	for i := range onDark {
		if onDark[i] == onLight[i] && onDark[i] != 0 {
			t.Errorf("tone %d is %d on any background", i, onDark[i])
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	f, r := lobby()
	for range 500 {
		f.says(r, "alice", strings.Repeat("some *words* to be shown, ", 10))
	}
	d := sit(b, f, 200, 60, "lobby")
	b.ReportAllocs()
	for b.Loop() {
		d.m.View()
	}
}
