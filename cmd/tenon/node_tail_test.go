//go:build node

package main

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
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
