package node

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

var update = flag.Bool("update", false, "write api/openapi.json anew")

// An operation is what the document says of a route.
type operation struct {
	summary string
	in, out any    // JSON; nil = nothing
	query   string // names of parameters
	sort    string // "" = JSON, "events", "stream", "hold", "text", "wait"
}

type (
	toRename struct {
		Name string `json:"name"`
	}
	toRevoke struct {
		Ticket string `json:"ticket"`
	}
	toAdd struct {
		Ticket string `json:"ticket"`
		As     string `json:"as,omitempty"`
	}
)

var operations = map[string]operation{
	"GET /v1/status":                                     {"How the node is.", nil, api.Status{}, "", ""},
	"GET /v1/id":                                         {"Who the node is.", nil, api.Identity{}, "", ""},
	"POST /v1/rotate":                                    {"Give the node a new key, which the old one names as its successor.", nil, api.Identity{}, "", ""},
	"GET /v1/peers":                                      {"All peers that are known, in the order of their names.", nil, []api.Peer{}, "", ""},
	"POST /v1/peers/{peer}/rename":                       {"Call a peer something else.", toRename{}, api.Peer{}, "", ""},
	"POST /v1/peers/{peer}/block":                        {"Keep a peer out, and cut it off.", nil, nil, "", ""},
	"POST /v1/peers/{peer}/unblock":                      {"Let a peer in again.", nil, nil, "", ""},
	"DELETE /v1/peers/{peer}":                            {"Forget a peer and what it was granted, and cut it off.", nil, nil, "", ""},
	"GET /v1/peers/{peer}/services":                      {"What a peer lets this node use.", nil, []api.RemoteService{}, "", ""},
	"POST /v1/pair":                                      {"Show a code to pair by, or use one, until it is of no use any more.", api.PairRequest{}, api.PairEvent{}, "", "events"},
	"GET /v1/tickets":                                    {"The tickets that were given out, the latest first.", nil, []api.Ticket{}, "", ""},
	"POST /v1/tickets":                                   {"Make a ticket.", api.TicketRequest{}, api.Ticket{}, "", ""},
	"POST /v1/tickets/revoke":                            {"End a ticket, named by its serial or its text, and cut who came by it.", toRevoke{}, api.Granted{}, "", ""},
	"POST /v1/tickets/add":                               {"Keep a ticket of somebody else, and redeem it if he is there.", toAdd{}, api.Added{}, "", ""},
	"GET /v1/services":                                   {"What this node offers.", nil, []api.Service{}, "", ""},
	"POST /v1/services":                                  {"Offer a service.", api.ServeRequest{}, api.Service{}, "", ""},
	"DELETE /v1/services/{service}":                      {"End a service and its joints.", nil, api.Granted{}, "", ""},
	"POST /v1/grant":                                     {"Let peers use a service.", api.GrantRequest{}, api.Granted{}, "", ""},
	"POST /v1/revoke":                                    {"Take a service from peers, and cut their joints.", api.GrantRequest{}, api.Granted{}, "", ""},
	"GET /v1/shares":                                     {"What this node shares and fetches.", nil, []api.Share{}, "", ""},
	"POST /v1/shares":                                    {"Share files. They are hashed while they are fetched.", api.ShareRequest{}, api.Share{}, "", ""},
	"GET /v1/shares/{share}/watch":                       {"How a share is, whenever that changes, until it is over.", nil, api.Share{}, "", "events"},
	"DELETE /v1/shares/{share}":                          {"End a share. Those who take part are told.", nil, nil, "", ""},
	"POST /v1/shares/{share}/leave":                      {"End a share that the caller has asked for, unless somebody else has asked for it, too, or it went on before.", nil, nil, "", ""},
	"POST /v1/fetch":                                     {"Fetch a share, by its ticket or by what was said in a room, until all is there. The end of the request interrupts it, and another one goes on.", api.FetchRequest{}, api.FetchEvent{}, "", "events"},
	"POST /v1/send":                                      {"Give somebody files or a text by a code, until all of it is there; or a service that the caller offers, until it was met.", api.SendRequest{}, api.SendEvent{}, "", "events"},
	"POST /v1/receive":                                   {"Meet by a code who sends something. What it is can be fetched until the request ends.", api.ReceiveRequest{}, api.SendEvent{}, "", "events"},
	"POST /v1/fetch/file":                                {"Fetch the only file that is wanted of a share: its bytes, in order, as they are verified. The trailer Tenon-Error says why it is not whole.", api.FetchRequest{}, nil, "", "text"},
	"GET /v1/rooms":                                      {"The rooms of the user: those that have something new first, then the others, the latest first.", nil, []api.Room{}, "", ""},
	"POST /v1/rooms":                                     {"Make a room, whose owner the user is.", api.NewRoom{}, api.Room{}, "", ""},
	"POST /v1/direct":                                    {"The conversation with a peer, which is begun if there is none.", toPeer{}, api.Room{}, "", ""},
	"POST /v1/join":                                      {"Enter a room by a ticket: as soon as somebody who is in it lets the user in.", toTicket{}, api.Room{}, "", ""},
	"GET /v1/rooms/{room}":                               {"One room, named by its name, its ID or the beginning of that, or the name of a peer.", nil, api.Room{}, "", ""},
	"POST /v1/rooms/{room}":                              {"Change what a room is, and what it is to the user.", api.RoomChange{}, api.Room{}, "", ""},
	"DELETE /v1/rooms/{room}":                            {"Leave a room, and forget all that was said in it as soon as somebody has been told. The only owner leaves others to themselves with anyway=true alone.", nil, nil, "anyway", ""},
	"POST /v1/rooms/{room}/leave":                        {"End the user's own membership. The only owner leaves others to themselves with anyway=true alone.", nil, nil, "anyway", ""},
	"GET /v1/rooms/{room}/members":                       {"Who is in a room, the most senior first.", nil, []api.RoomMember{}, "", ""},
	"POST /v1/rooms/{room}/members/{who}":                {"Change the role of a member.", toRole{}, nil, "", ""},
	"DELETE /v1/rooms/{room}/members/{who}":              {"Remove a member, who reads nothing that is said from now on.", nil, nil, "", ""},
	"GET /v1/rooms/{room}/invites":                       {"The invites by which somebody could enter now.", nil, []api.RoomInvited{}, "", ""},
	"POST /v1/rooms/{room}/invites":                      {"Make an invite, or a peer a member.", api.RoomInvite{}, api.RoomInvited{}, "", ""},
	"DELETE /v1/rooms/{room}/invites/{invite}":           {"End an invite.", nil, nil, "", ""},
	"GET /v1/offers":                                     {"The rooms that were offered, and neither accepted nor declined.", nil, []api.RoomOffer{}, "", ""},
	"POST /v1/offers/{offer}":                            {"Join a room that was offered.", nil, api.Room{}, "", ""},
	"DELETE /v1/offers/{offer}":                          {"Forget an offer.", nil, nil, "", ""},
	"GET /v1/rooms/{room}/messages":                      {"Some of a history, the oldest first: before or after a message, since a time, in the order of arrival behind the last of a page, or what is found by words.", nil, api.RoomPage{}, "before after since arrived search from older limit", ""},
	"POST /v1/rooms/{room}/messages":                     {"Say something, or share files, or replace what was said.", api.RoomSay{}, api.RoomMessage{}, "", ""},
	"GET /v1/rooms/{room}/messages/{message}":            {"One message.", nil, api.RoomMessage{}, "", ""},
	"DELETE /v1/rooms/{room}/messages/{message}":         {"Take a message back; an owner takes anybody's away.", nil, nil, "", ""},
	"POST /v1/rooms/{room}/messages/{message}/reactions": {"Add a reaction, or take it back.", toReact{}, nil, "", ""},
	"POST /v1/rooms/{room}/messages/{message}/pin":       {"Put a message where all see it, or take it from there.", toPin{}, nil, "", ""},
	"POST /v1/rooms/{room}/read":                         {"Note up to which message the user has read; without one, all there are.", toRead{}, nil, "", ""},
	"GET /v1/rooms/{room}/files":                         {"The files that were said in a room and can still be asked for, in the order of the history.", nil, []api.RoomFileSaid{}, "", ""},
	"GET /v1/drafts":                                     {"What the user has written in rooms and not said: it stays on this computer.", nil, []api.RoomDraft{}, "", ""},
	"POST /v1/rooms/{room}/draft":                        {"Keep what the user has written in a room and not said; an empty text is none.", api.RoomDraft{}, nil, "", ""},
	"POST /v1/rooms/{room}/typing":                       {"Tell those who are connected that the user is writing.", nil, nil, "", ""},
	"POST /v1/room-import":                               {"Add what is in a file, absolute, that was exported, and sealed as files of age are if there is a password.", toImport{}, api.RoomImported{}, "", ""},
	"GET /v1/rooms/{room}/export":                        {"All that there is of a room, one event a line, in JSON, with the secrets by which it is read. The trailer Tenon-Error says why it is not whole.", nil, nil, "", "text"},
	"GET /v1/room-events":                                {"What has happened in rooms behind the event with the number after, and what will; without it, from now on.", nil, api.RoomEvent{}, "after", "events"},
	"GET /v1/devices":                                    {"The devices of the user's, this one first.", nil, []api.Device{}, "", ""},
	"POST /v1/devices":                                   {"Show a code by which another device becomes one of the user's, or use one.", api.PairRequest{}, api.PairEvent{}, "", "events"},
	"DELETE /v1/devices/{device}":                        {"Remove another device of the user's from all rooms, for good.", nil, api.Device{}, "", ""},
	"GET /v1/joints":                                     {"What goes on, in the order in which it began.", nil, []api.Joint{}, "", ""},
	"GET /v1/events":                                     {"What has happened behind the event with the number after, or that of Last-Event-ID, and with follow=true what will.", nil, api.Event{}, "after follow", "events"},
	"GET /v1/audit":                                      {"The audit log, the latest first, or, from a number on, the oldest.", nil, []api.AuditEntry{}, "from since peer service limit", ""},
	"GET /v1/relayed":                                    {"For whom this node has relayed how much, who has had most first.", nil, []api.Account{}, "", ""},
	"GET /v1/doctor":                                     {"Look at the network, and at the ways to a peer.", nil, api.Step{}, "peer", "events"},
	"GET /metrics":                                       {"Metrics in the text format of Prometheus.", nil, nil, "", "text"},
	"GET /v1/openapi.json":                               {"This document.", nil, nil, "", "text"},
	"POST /v1/reload":                                    {"Read the configuration again; a mistake in it changes nothing.", nil, api.Reloaded{}, "", ""},
	"POST /v1/down":                                      {"End the node. The answer ends when nothing of it is left.", nil, nil, "", "wait"},
	"POST /v1/dial":                                      {"Open a service of a peer. The connection carries it from then on.", api.DialRequest{}, nil, "", "stream"},
	"POST /v1/hold":                                      {"Hold what is dialed, and join it to sockets that are given.", nil, api.HoldMessage{}, "", "hold"},
	"POST /v1/hold/{number}":                             {"Fetch what is held. The connection carries it from then on.", nil, nil, "", "stream"},
	"POST /v1/offer":                                     {"Offer a service for as long as this is read.", api.OfferRequest{}, api.Arrival{}, "", "events"},
	"POST /v1/offer/{service}/{number}":                  {"Accept one who has arrived. The connection carries it from then on.", nil, nil, "", "stream"},
}

// The document has every route, and every field of every type; it is made from them.
func TestOpenAPI(t *testing.T) {
	var patterns []string
	for _, r := range new(Node).routes() {
		patterns = append(patterns, r.pattern)
	}
	slices.Sort(patterns)
	if want := slices.Sorted(maps.Keys(operations)); !slices.Equal(patterns, want) {
		t.Fatalf("the routes are\n%q\nand described are\n%q", patterns, want)
	}
	got, err := json.MarshalIndent(document(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("api/openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile("api/openapi.json"); err != nil || string(have) != string(got) {
		t.Errorf("api/openapi.json is not up to date (%v): go test ./internal/node -run OpenAPI -update", err)
	}
}

type object = map[string]any

func document() object {
	schemas := object{}
	paths := map[string]object{}
	for pattern, op := range operations {
		method, path, _ := strings.Cut(pattern, " ")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(method)] = op.describe(path, schemas)
	}
	schema(reflect.TypeFor[api.Error](), schemas)
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "Tenon, the control API of a node", "version": "1",
			"description": "HTTP over the unix socket control.sock in the state directory. Only its user and root may connect."},
		"servers":    []any{object{"url": "http://tenon"}},
		"paths":      paths,
		"components": object{"schemas": schemas},
	}
}

func (op operation) describe(path string, schemas object) object {
	content := func(kind string, v any) object {
		if v == nil {
			return object{kind: object{}}
		}
		return object{kind: object{"schema": schema(reflect.TypeOf(v), schemas)}}
	}
	out := object{"summary": op.summary}
	var parameters []any
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, name := range strings.Fields(op.query) {
		parameters = append(parameters, object{"name": name, "in": "query", "schema": object{"type": "string"}})
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if op.in != nil {
		out["requestBody"] = object{"required": true, "content": content("application/json", op.in)}
	}
	status, answer := "200", object{"description": "Done."}
	switch op.sort {
	case "events":
		answer = object{"description": "Server-sent events, each with one of these as its data; the last is called end, or error with an Error before it.", "content": content("text/event-stream", op.out)}
	case "stream":
		status, answer = "101", object{"description": "The protocol is tenon-stream from now on: frames of docs/protocol/service.md."}
	case "hold":
		status, answer = "101", object{"description": "The protocol is tenon-hold from now on: these, one behind the other, in both directions.", "content": content("application/json", op.out)}
	case "text":
		answer["content"] = content("text/plain", nil)
	case "wait":
		status = "202"
	default:
		if op.out != nil {
			answer["content"] = content("application/json", op.out)
		}
	}
	out["responses"] = object{status: answer,
		"default": object{"description": "It was not done.", "content": content("application/json", api.Error{})}}
	return out
}

// schema describes a type. Structs become components.
func schema(t reflect.Type, schemas object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[api.Duration]():
		return object{"type": "string", "example": "1h30m0s"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem(), schemas)
	case reflect.Slice:
		return object{"type": "array", "items": schema(t.Elem(), schemas)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if schemas[name] == nil {
			properties := object{}
			s := object{"type": "object", "properties": properties}
			schemas[name] = s
			var required []string
			for i := range t.NumField() {
				f := t.Field(i)
				key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
				properties[key] = schema(f.Type, schemas)
				if !strings.Contains(options, "omit") {
					required = append(required, key)
				}
			}
			if required != nil {
				s["required"] = required
			}
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	panic("no schema for " + t.String())
}
