package node

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/node/rooms"
	"github.com/tenon-net/tenon/transport"
)

// The bodies of requests about rooms.
type (
	toPeer struct {
		Peer string `json:"peer"`
	}
	toTicket struct {
		Ticket string `json:"ticket"`
	}
	toRole struct {
		Role string `json:"role"`
	}
	toReact struct {
		Emoji string `json:"emoji"`
		Off   bool   `json:"off,omitempty"`
	}
	toPin struct {
		Off bool `json:"off,omitempty"`
	}
	toImport struct {
		Path     string `json:"path"`
		Password string `json:"password,omitempty"` // of a file of age
	}
	toRead struct {
		Message string `json:"message,omitempty"` // "" = all
	}
)

// inRooms is do for a function of the rooms.
func inRooms[In, Out any](n *Node, f func(*rooms.Rooms, *http.Request, In) (Out, error)) http.HandlerFunc {
	return do(func(r *http.Request, in In) (out Out, err error) {
		all, err := n.theRooms()
		if err != nil {
			return out, err
		}
		return f(all, r, in)
	})
}

// roomRoutes are those about rooms.
func (n *Node) roomRoutes() []route {
	name := func(r *http.Request) string { return r.PathValue("room") }
	message := func(r *http.Request) string { return r.PathValue("message") }
	anyway := func(r *http.Request) bool { return r.URL.Query().Get("anyway") == "true" }
	return []route{
		{"GET /v1/rooms", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) ([]api.Room, error) { return all.List(r.Context()) })},
		{"POST /v1/rooms", inRooms(n, func(all *rooms.Rooms, r *http.Request, in api.NewRoom) (api.Room, error) {
			return all.Create(r.Context(), in)
		})},
		{"POST /v1/direct", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toPeer) (api.Room, error) {
			return all.Direct(r.Context(), in.Peer)
		})},
		{"POST /v1/join", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toTicket) (api.Room, error) {
			return all.Join(r.Context(), in.Ticket)
		})},
		{"GET /v1/rooms/{room}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (api.Room, error) {
			return all.Room(r.Context(), name(r))
		})},
		{"POST /v1/rooms/{room}", inRooms(n, func(all *rooms.Rooms, r *http.Request, in api.RoomChange) (api.Room, error) {
			return all.Change(r.Context(), name(r), in)
		})},
		{"DELETE /v1/rooms/{room}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Forget(r.Context(), name(r), anyway(r))
		})},
		{"POST /v1/rooms/{room}/leave", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Leave(r.Context(), name(r), anyway(r))
		})},
		{"GET /v1/rooms/{room}/members", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) ([]api.RoomMember, error) {
			return all.Members(r.Context(), name(r))
		})},
		{"POST /v1/rooms/{room}/members/{who}", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toRole) (none, error) {
			return none{}, all.SetRole(r.Context(), name(r), r.PathValue("who"), in.Role)
		})},
		{"DELETE /v1/rooms/{room}/members/{who}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Remove(r.Context(), name(r), r.PathValue("who"))
		})},
		{"GET /v1/rooms/{room}/invites", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) ([]api.RoomInvited, error) {
			return all.Invites(r.Context(), name(r))
		})},
		{"POST /v1/rooms/{room}/invites", inRooms(n, func(all *rooms.Rooms, r *http.Request, in api.RoomInvite) (api.RoomInvited, error) {
			return all.Invite(r.Context(), name(r), in)
		})},
		{"DELETE /v1/rooms/{room}/invites/{invite}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Revoke(r.Context(), name(r), r.PathValue("invite"))
		})},
		{"GET /v1/offers", inRooms(n, func(all *rooms.Rooms, _ *http.Request, _ none) ([]api.RoomOffer, error) { return all.Offers() })},
		{"POST /v1/offers/{offer}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (api.Room, error) {
			return all.Accept(r.Context(), r.PathValue("offer"))
		})},
		{"DELETE /v1/offers/{offer}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Decline(r.Context(), r.PathValue("offer"))
		})},
		{"GET /v1/rooms/{room}/messages", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (api.RoomPage, error) {
			q, err := roomQuery(r)
			if err != nil {
				return api.RoomPage{}, transport.Usage(err)
			}
			return all.Messages(r.Context(), name(r), q)
		})},
		{"POST /v1/rooms/{room}/messages", inRooms(n, func(all *rooms.Rooms, r *http.Request, in api.RoomSay) (api.RoomMessage, error) {
			return all.Say(r.Context(), name(r), in)
		})},
		{"GET /v1/rooms/{room}/messages/{message}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (api.RoomMessage, error) {
			return all.Message(r.Context(), name(r), message(r))
		})},
		{"DELETE /v1/rooms/{room}/messages/{message}", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Delete(r.Context(), name(r), message(r))
		})},
		{"POST /v1/rooms/{room}/messages/{message}/reactions", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toReact) (none, error) {
			return none{}, all.React(r.Context(), name(r), message(r), in.Emoji, in.Off)
		})},
		{"POST /v1/rooms/{room}/messages/{message}/pin", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toPin) (none, error) {
			return none{}, all.Pin(r.Context(), name(r), message(r), in.Off)
		})},
		{"POST /v1/rooms/{room}/read", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toRead) (none, error) {
			return none{}, all.Read(r.Context(), name(r), in.Message)
		})},
		{"POST /v1/rooms/{room}/typing", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) (none, error) {
			return none{}, all.Typing(name(r))
		})},
		{"GET /v1/rooms/{room}/files", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) ([]api.RoomFileSaid, error) {
			return all.Files(r.Context(), name(r))
		})},
		{"GET /v1/drafts", inRooms(n, func(all *rooms.Rooms, r *http.Request, _ none) ([]api.RoomDraft, error) {
			return all.Drafts(r.Context())
		})},
		{"POST /v1/rooms/{room}/draft", inRooms(n, func(all *rooms.Rooms, r *http.Request, in api.RoomDraft) (none, error) {
			return none{}, all.Draft(r.Context(), name(r), in)
		})},
		{"GET /v1/devices", inRooms(n, func(all *rooms.Rooms, _ *http.Request, _ none) ([]api.Device, error) { return all.Devices() })},
		{"POST /v1/devices", tell(func(ctx context.Context, in api.PairRequest, say func(api.PairEvent)) error {
			if in.Code != "" {
				return n.JoinDevice(ctx, in, say)
			}
			return n.LinkDevice(ctx, in, say)
		})},
		{"DELETE /v1/devices/{device}", do(func(r *http.Request, _ none) (api.Device, error) {
			return n.RemoveDevice(r.Context(), r.PathValue("device"))
		})},
		{"GET /v1/room-events", n.serveRoomEvents},
		{"POST /v1/room-import", inRooms(n, func(all *rooms.Rooms, r *http.Request, in toImport) (api.RoomImported, error) {
			return all.Import(r.Context(), in.Path, in.Password)
		})},
		{"GET /v1/rooms/{room}/export", func(w http.ResponseWriter, r *http.Request) {
			all, err := n.theRooms()
			to := api.NewStreamWriter(w)
			if err == nil {
				err = all.Export(r.Context(), name(r), to)
			}
			switch {
			case err != nil && to.Begun:
				to.Fail(err)
			case err != nil:
				fail(w, err)
			}
		}},
	}
}

// roomQuery reads the query of a history.
func roomQuery(r *http.Request) (q api.RoomQuery, err error) {
	v := r.URL.Query()
	q = api.RoomQuery{Before: v.Get("before"), After: v.Get("after"), Search: v.Get("search"), From: v.Get("from"), Older: v.Get("older")}
	if s := v.Get("since"); s != "" {
		q.Since, err = time.Parse(time.RFC3339Nano, s)
	}
	if s := v.Get("limit"); s != "" && err == nil {
		q.Limit, err = strconv.Atoi(s)
	}
	if s := v.Get("arrived"); s != "" && err == nil {
		q.Arrived, err = strconv.ParseInt(s, 10, 64)
	}
	return q, err
}

// serveRoomEvents sends what happens in rooms behind the number that the client had last.
func (n *Node) serveRoomEvents(w http.ResponseWriter, r *http.Request) {
	after := uint64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			fail(w, transport.Usage(fmt.Errorf("%q is not the number of an event", text)))
			return
		}
	}
	all, err := n.theRooms()
	if err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	e := api.NewEventWriter(w)
	all.Events(ctx, after, func(v api.RoomEvent) {
		if e.Send(strconv.FormatUint(v.Seq, 10), v) != nil {
			cancel()
		}
	}, func(news, swapped <-chan struct{}) bool {
		select {
		case <-news:
		case <-swapped:
		case <-time.After(heartbeat):
			return e.Comment() == nil
		case <-ctx.Done():
			return false
		}
		return true
	})
	e.End(nil) //nolint:errcheck // the client is gone, or the node
}
