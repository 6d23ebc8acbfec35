//go:build node

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
)

// Who reads a room is told, beside what is said and once, whose device shows different things to different people:
// when he begins to read, and when it comes out.
func TestTailTellsOfForks(t *testing.T) {
	asked := 0
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/rooms/{room}":          answers(api.Room{ID: "r", Name: "plans"}),
		"GET /v1/rooms/{room}/messages": answers(api.RoomPage{}),
		"GET /v1/rooms/{room}/members": func(w http.ResponseWriter, r *http.Request) {
			asked++
			answers([]api.RoomMember{{ID: "a", Name: "anna", Forked: true}, {ID: "b", Name: "bert"}, {ID: "c", Name: "carl", Forked: asked > 1}})(w, r)
		},
		"GET /v1/room-events": tells(errors.New("that is all"), nil, api.RoomEvent{Type: api.RoomsReady}, api.RoomEvent{Type: api.RoomItself, Room: "r"}),
	})
	for args, want := range map[string][]string{"tail plans": {"anna"}, "tail -f plans": {"anna", "carl"}} {
		asked = 0
		var out, errs bytes.Buffer
		p := &program{ctx: t.Context(), stdout: newConsole(&out), stderr: newConsole(&errs)}
		p.exit(p.main(strings.Fields(args)))
		var told []string
		for line := range strings.Lines(errs.String()) {
			if name, _, ok := strings.Cut(line, " shows different things to different people"); ok {
				told = append(told, strings.TrimPrefix(name, "tenon: "))
			}
		}
		if strings.Join(told, " ") != strings.Join(want, " ") || out.Len() > 0 {
			t.Errorf("tenon %s tells of %q, want %q: %q %q", args, told, want, &out, &errs)
		}
	}
}

// What people write in their languages is printed as they wrote it, as text and in JSON; what could do harm is not.
func TestTailPrintsProse(t *testing.T) {
	const said, harm = "👨\u200d👩\u200d👧 می\u200cخواهم \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "x\u200dy\u202e\x1b\U000e0067"
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/rooms/{room}":          answers(api.Room{ID: "r", Name: "plans"}),
		"GET /v1/rooms/{room}/messages": answers(api.RoomPage{Messages: []api.RoomMessage{{ID: "m", Kind: "text", From: "anna", Text: said + harm}}}),
		"GET /v1/rooms/{room}/members":  answers([]api.RoomMember{}),
	})
	_, out, errs := ran(t.Context(), "tail", "plans")
	if !strings.HasSuffix(out, ` anna: `+said+`x\u200dy\u202e\x1b\U000e0067`+"\n") {
		t.Errorf("%q %q", out, errs)
	}
	_, out, errs = ran(t.Context(), "--json", "tail", "plans")
	var m api.RoomMessage
	if err := json.Unmarshal([]byte(out), &m); err != nil || m.Text != said+`x\u200dy\u202e\x1b\U000e0067` {
		t.Errorf("%v: %q %q", err, out, errs)
	}
}

// Who has seen enough, as head has, ends what follows a room, as text and in JSON, as SIGPIPE ends other programs: it
// waited for more, with nobody to read it.
func TestTailEndsWithItsReader(t *testing.T) {
	for _, args := range []string{"tail -f plans", "--json tail -f plans", "tail plans", "--json tail plans"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		asked := 0
		fakeNode(t, map[string]http.HandlerFunc{
			"GET /v1/rooms/{room}":          answers(api.Room{ID: "r", Name: "plans"}),
			"GET /v1/rooms/{room}/messages": answers(api.RoomPage{Messages: []api.RoomMessage{{ID: "m", Kind: "text", From: "anna", Text: "enough"}}}),
			"GET /v1/rooms/{room}/members":  answers([]api.RoomMember{}),
			"GET /v1/room-events": func(http.ResponseWriter, *http.Request) {
				asked++
				cancel(errors.New("it has gone on"))
			},
		})
		var errs bytes.Buffer
		p := &program{ctx: ctx, stdout: newConsole(unread{}), stderr: newConsole(&errs)}
		if status := p.exit(p.main(strings.Fields(args))); status != 128+int(syscall.SIGPIPE) || asked > 0 || errs.Len() > 0 {
			t.Errorf("tenon %s: status %d, asked for more: %d: %s", args, status, asked, &errs)
		}
		cancel(nil)
	}
}

// unread is a pipe that nobody reads any more.
type unread struct{}

func (unread) Write([]byte) (int, error) { return 0, syscall.EPIPE }
