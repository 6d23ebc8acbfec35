//go:build node

package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// hostileText is what a peer may want others to have on their terminals.
var hostileText = "x\x1b[2J\r\nforged: all is well\u202e\u0085\x07\xff" + strings.Repeat("long", 2500)

// hostileVerbs ask a node and show what it says.
var hostileVerbs = []string{"status", "id", "peers", "services", "services mallory", "tickets", "log", "log --audit", "doctor mallory",
	"add tenon1x", "services eve", "peers block eve", "grant db eve", "revoke db eve", "ticket db", "serve x echo:", "unserve x", "reload", "down",
	"pair 7-cactus-violin-walnut", "share .", "share --wait .", "shares", "unshare eve", "get tenon1x", "get --list tenon1x", "send hostile.txt", "receive 7-cactus-violin-walnut",
	"room", "room new plans", "room invite plans", "room invite plans mallory", "room join tenon1x", "room join eve", "room leave plans", "room forget plans", "room members plans",
	"room remove plans eve", "room role plans eve owner", "room name plans ideas", "room topic plans", "room topic plans new", "room offers", "room decline plans", "room mute plans",
	"device", "device link --yes", "device join 7-cactus-violin-walnut", "device remove eve --yes", "room unmute plans", "room vanish plans 7d", "room mailbox plans", "room mailbox plans eve", "room search plans words", "room export plans x --plain", "room import hostile.txt", "say plans hello", "say eve hello", "tail plans", "tail --since 1h --ids plans"}

// notAsked are the verbs that show nothing of what a node says, and why.
var notAsked = map[string]string{
	"up": "is the node; what it tells are events, as log has them", "relay": "is a node, too", "top": "is a screen of its own: TestTopIsHarmless", "chat": "is one, too: FuzzFrame of internal/screen", "irc": "says what the node says to IRC clients, who are tried in internal/irc",
}

// fillHostile puts it wherever there is room for text.
func fillHostile(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostileText)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillHostile(v.Index(0))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Struct:
		if t, ok := v.Addr().Interface().(*time.Time); ok {
			*t = time.Now()
			return
		}
		for i := range v.NumField() {
			fillHostile(v.Field(i))
		}
	}
}

func answersHostile[T any]() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var v T
		fillHostile(reflect.ValueOf(&v).Elem())
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the client shows it
	}
}

func hostileEvents[T any](w http.ResponseWriter, _ *http.Request) {
	var v T
	fillHostile(reflect.ValueOf(&v).Elem())
	e := api.NewEventWriter(w)
	e.Send("1", v)                                             //nolint:errcheck // the client shows it
	e.End(&api.Error{Message: hostileText, Hint: hostileText}) //nolint:errcheck // the client shows it
}

// hostileFetch has it in an event of every sort.
func hostileFetch(w http.ResponseWriter, _ *http.Request) {
	e := api.NewEventWriter(w)
	for _, sort := range []string{api.FetchList, api.FetchNote, api.FetchProgress, api.FetchDone} {
		var v api.FetchEvent
		v.Share = new(api.Share)
		fillHostile(reflect.ValueOf(&v).Elem())
		fillHostile(reflect.ValueOf(v.Share).Elem())
		v.Type = sort
		e.Send("1", v) //nolint:errcheck // the client shows it
	}
	e.End(&api.Error{Message: hostileText, Hint: hostileText}) //nolint:errcheck // the client shows it
}

// hostileMessage has it wherever there is room, and is shown.
func hostileMessage() (m api.RoomMessage) {
	m.Reply, m.File = new(api.RoomQuote), new(api.RoomFile)
	for _, v := range []any{&m, m.Reply, m.File} {
		fillHostile(reflect.ValueOf(v).Elem())
	}
	m.Deleted, m.Waiting, m.Erased = false, false, false
	return m
}

func hostileRooms(w http.ResponseWriter, _ *http.Request) {
	var r api.Room
	fillHostile(reflect.ValueOf(&r).Elem())
	r.Last = new(hostileMessage())
	json.NewEncoder(w).Encode([]api.Room{r}) //nolint:errcheck // the client shows it
}

// hostileMessages are one of each sort.
func hostileMessages(w http.ResponseWriter, _ *http.Request) {
	text, done, deleted := hostileMessage(), hostileMessage(), hostileMessage()
	text.ID, text.File = "1"+text.ID, nil
	done.ID, done.Kind = "2"+done.ID, "control"
	deleted.ID, deleted.Deleted = "3"+deleted.ID, true
	json.NewEncoder(w).Encode(api.RoomPage{Messages: []api.RoomMessage{hostileMessage(), text, done, deleted}, Last: 1}) //nolint:errcheck // the client shows it
}

// fakeNode answers for a node, and returns where its state would be. It is the one that
// verbs find.
func fakeNode(t *testing.T, answers map[string]http.HandlerFunc) (dir string) {
	dir = t.TempDir()
	t.Setenv("TENON_DIR", dir)
	fakeNodeAt(t, dir, answers)
	return dir
}

// fakeNodeAt is fakeNode in a directory.
func fakeNodeAt(t *testing.T, dir string, answers map[string]http.HandlerFunc) {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range answers {
		mux.HandleFunc(path, h)
	}
	l, err := net.Listen("unix", api.SocketPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
}

// Whatever comes from peers by way of a node, in names, services, addresses, reasons and
// errors: no verb prints it so that it moves a cursor, or makes a line of its own.
func TestNodePrintsNothingHostile(t *testing.T) {
	dir := fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status":                 answersHostile[api.Status](),
		"GET /v1/id":                     answersHostile[api.Identity](),
		"GET /v1/peers":                  answersHostile[[]api.Peer](),
		"GET /v1/peers/mallory/services": answersHostile[[]api.RemoteService](),
		"GET /v1/services":               answersHostile[[]api.Service](),
		"GET /v1/tickets":                answersHostile[[]api.Ticket](),
		"GET /v1/audit":                  answersHostile[[]api.AuditEntry](),
		"GET /v1/relayed":                answersHostile[[]api.Account](),
		"POST /v1/tickets/add":           answersHostile[api.Added](),
		"GET /v1/shares":                 answersHostile[[]api.Share](),
		"POST /v1/shares":                answersHostile[api.Share](),
		"GET /v1/shares/{share}/watch":   hostileEvents[api.Share],
		"POST /v1/fetch":                 hostileFetch,
		"GET /v1/events":                 hostileEvents[api.Event],
		"GET /v1/rooms":                  hostileRooms,
		"GET /v1/rooms/{room}":           answersHostile[api.Room](),
		"GET /v1/rooms/{room}/members":   answersHostile[[]api.RoomMember](),
		"GET /v1/rooms/{room}/messages":  hostileMessages,
		"GET /v1/offers":                 answersHostile[[]api.RoomOffer](),
		"POST /v1/rooms/plans/invites":   answersHostile[api.RoomInvited](),
		"GET /v1/doctor":                 hostileEvents[api.Step],
		"/": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			json.NewEncoder(w).Encode(api.Error{Message: hostileText, Hint: hostileText}) //nolint:errcheck // the client shows it
		},
	})
	t.Chdir(t.TempDir())
	if err := os.WriteFile("hostile.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range hostileVerbs {
		for _, args := range [][]string{strings.Fields(verb), append([]string{"--json"}, strings.Fields(verb)...)} {
			var out, errs bytes.Buffer
			p := &program{ctx: t.Context(), stdout: newConsole(&out), stderr: newConsole(&errs)}
			p.exit(p.main(args))
			if !strings.Contains(out.String()+errs.String(), "forged") {
				t.Errorf("tenon %s has not come to it: %q %q", verb, &out, &errs)
			}
			for line := range strings.Lines(out.String() + errs.String()) {
				line = strings.TrimSuffix(line, "\n")
				if rest, ok := strings.CutPrefix(line, "    "); ok && (strings.HasPrefix(verb, "tail") || strings.HasPrefix(verb, "room search")) {
					line = "indented: " + rest // a message may have lines, which are told from others so
				}
				if neutral.Line(line) != line || strings.HasPrefix(strings.TrimSpace(line), "forged") {
					t.Errorf("tenon %s prints %q", verb, line)
				}
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "identity*")); len(left) > 0 {
		t.Errorf("a node was started: %q", left)
	}
}

// No verb about peers is left out above.
func TestAllVerbsAreTriedHostile(t *testing.T) {
	for _, c := range peerCommands() {
		tried := slices.ContainsFunc(hostileVerbs, func(verb string) bool { return strings.Fields(verb)[0] == c.name })
		if _, ok := notAsked[c.name]; ok == tried {
			t.Errorf("tenon %s: tried is %v, and left out is %v", c.name, tried, ok)
		}
	}
}

// What the screen of tenon top shows of peers moves nothing on it, and stays within it.
func TestTopIsHarmless(t *testing.T) {
	var s seen
	fillHostile(reflect.ValueOf(&s.status).Elem())
	s.joints = make([]api.Joint, 3)
	for i := range s.joints {
		fillHostile(reflect.ValueOf(&s.joints[i]).Elem())
	}
	m := &topModel{seen: s, width: 80, height: 24}
	lines := strings.Split(m.View().Content, "\n")
	if len(lines) > m.height || !strings.Contains(strings.Join(lines, ""), "forged") {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, line := range lines {
		if neutral.Line(line) != line || strings.HasPrefix(strings.TrimSpace(line), "forged") || width(line) > m.width {
			t.Errorf("tenon top shows %q", line)
		}
	}
}
