package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/tenon-net/tenon/internal/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A route is a method and a path, and what happens there. openapi.json of package api
// has the same ones; a test compares them.
type route struct {
	pattern string
	handle  http.HandlerFunc
}

// none is the body of a request that has none, or the answer to one.
type none struct{}

// routes returns all.
func (n *Node) routes() []route {
	return append(slices.Concat(n.shareRoutes(), n.roomRoutes()), []route{
		{"GET /v1/status", do(func(*http.Request, none) (api.Status, error) { return n.Status(), nil })},
		{"GET /v1/id", do(func(*http.Request, none) (api.Identity, error) { return n.Identity(), nil })},
		{"POST /v1/rotate", do(func(r *http.Request, _ none) (api.Identity, error) { return n.Rotate(r.Context()) })},
		{"GET /v1/peers", do(func(*http.Request, none) ([]api.Peer, error) { return n.Peers(), nil })},
		{"POST /v1/peers/{peer}/rename", do(func(r *http.Request, in struct {
			Name string `json:"name"`
		}) (api.Peer, error) {
			return n.Rename(r.Context(), r.PathValue("peer"), in.Name)
		})},
		{"POST /v1/peers/{peer}/block", do(func(r *http.Request, _ none) (none, error) {
			return none{}, n.Block(r.Context(), r.PathValue("peer"), true)
		})},
		{"POST /v1/peers/{peer}/unblock", do(func(r *http.Request, _ none) (none, error) {
			return none{}, n.Block(r.Context(), r.PathValue("peer"), false)
		})},
		{"DELETE /v1/peers/{peer}", do(func(r *http.Request, _ none) (none, error) {
			return none{}, n.Forget(r.Context(), r.PathValue("peer"))
		})},
		{"GET /v1/peers/{peer}/services", do(func(r *http.Request, _ none) ([]api.RemoteService, error) {
			return n.PeerServices(r.Context(), r.PathValue("peer"))
		})},
		{"POST /v1/pair", tell(func(ctx context.Context, in api.PairRequest, say func(api.PairEvent)) error {
			if in.Code != "" {
				return n.PairJoin(ctx, in, say)
			}
			return n.PairOffer(ctx, in, say)
		})},
		{"POST /v1/send", tell(n.Send)},
		{"POST /v1/receive", tell(n.Receive)},
		{"GET /v1/tickets", do(func(*http.Request, none) ([]api.Ticket, error) { return n.Tickets(), nil })},
		{"POST /v1/tickets", do(func(r *http.Request, in api.TicketRequest) (api.Ticket, error) { return n.MakeTicket(r.Context(), in) })},
		{"POST /v1/tickets/revoke", do(func(r *http.Request, in struct {
			Ticket string `json:"ticket"`
		}) (api.Granted, error) {
			cut, err := n.RevokeTicket(r.Context(), in.Ticket)
			return api.Granted{Cut: cut}, err
		})},
		{"POST /v1/tickets/add", do(func(r *http.Request, in struct {
			Ticket string `json:"ticket"`
			As     string `json:"as"`
		}) (api.Added, error) {
			return n.AddTicket(r.Context(), in.Ticket, in.As)
		})},
		{"GET /v1/services", do(func(*http.Request, none) ([]api.Service, error) { return n.Services(), nil })},
		{"POST /v1/services", do(func(r *http.Request, in api.ServeRequest) (api.Service, error) { return n.Serve(r.Context(), in) })},
		{"DELETE /v1/services/{service}", do(func(r *http.Request, _ none) (api.Granted, error) {
			cut, err := n.Unserve(r.Context(), r.PathValue("service"))
			return api.Granted{Cut: cut}, err
		})},
		{"POST /v1/grant", do(func(r *http.Request, in api.GrantRequest) (api.Granted, error) { return n.Grant(r.Context(), in) })},
		{"POST /v1/revoke", do(func(r *http.Request, in api.GrantRequest) (api.Granted, error) { return n.Revoke(r.Context(), in) })},
		{"GET /v1/joints", do(func(*http.Request, none) ([]api.Joint, error) { return n.Joints(), nil })},
		{"GET /v1/events", n.serveEvents},
		{"GET /v1/audit", do(func(r *http.Request, _ none) ([]api.AuditEntry, error) {
			q := r.URL.Query()
			query := api.AuditQuery{Peer: q.Get("peer"), Service: q.Get("service")}
			var err error
			if s := q.Get("from"); s != "" {
				query.From, err = strconv.ParseInt(s, 10, 64)
			}
			if s := q.Get("since"); s != "" && err == nil {
				query.Since, err = time.Parse(time.RFC3339Nano, s)
			}
			if s := q.Get("limit"); s != "" && err == nil {
				query.Limit, err = strconv.Atoi(s)
			}
			if err != nil {
				return nil, transport.Usage(err)
			}
			return n.Audit(r.Context(), query)
		})},
		{"GET /v1/relayed", do(func(r *http.Request, _ none) ([]api.Account, error) { return n.Relayed(r.Context()) })},
		{"GET /v1/doctor", n.serveDoctor},
		{"GET /metrics", func(w http.ResponseWriter, _ *http.Request) { n.serveMetrics(w) }},
		{"GET /v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(api.OpenAPI) //nolint:errcheck // the client is gone
		}},
		{"POST /v1/reload", do(func(r *http.Request, _ none) (api.Reloaded, error) { return n.Reload(r.Context()) })},
		{"POST /v1/down", n.serveDown},
		{"POST /v1/dial", n.serveDial},
		{"POST /v1/hold", n.serveHold},
		{"POST /v1/hold/{number}", n.serveFetch},
		{"POST /v1/offer", n.serveOffer},
		{"POST /v1/offer/{service}/{number}", n.serveAccept},
	}...)
}

func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range n.routes() {
		mux.HandleFunc(r.pattern, r.handle)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A browser, which somebody might bring to connect to a port that is joined to
		// the socket, says where the request comes from. Nobody else does.
		if r.Header.Get("Origin") != "" || r.Host != "tenon" {
			fail(w, transport.WithHint(transport.Mark(errors.New("this is not for browsers"), transport.ErrDenied), "programs ask for http://tenon/v1/status, with that name"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		mux.ServeHTTP(w, r)
	})
}

func fail(w http.ResponseWriter, err error) {
	e, status := api.ErrorOf(err)
	write(w, status, e)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client is gone
}

// read reads the body, which may be missing.
func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return transport.Usage(fmt.Errorf("not a request: %w", err))
	}
	return nil
}

// do makes a handler of a function from one JSON value to another.
func do[In, Out any](f func(*http.Request, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := read(r, &in); err != nil {
			fail(w, err)
			return
		}
		out, err := f(r, in)
		if err != nil {
			fail(w, err)
			return
		}
		write(w, http.StatusOK, out)
	}
}

// tell makes a handler of a function that says several things one after another.
func tell[In, Out any](f func(context.Context, In, func(Out)) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := read(r, &in); err != nil {
			fail(w, err)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		e := api.NewEventWriter(w)
		err := f(ctx, in, func(v Out) {
			if e.Send("", v) != nil {
				cancel()
			}
		})
		e.End(err) //nolint:errcheck // the client is gone
	}
}

func (n *Node) serveDoctor(w http.ResponseWriter, r *http.Request) {
	tell(func(ctx context.Context, _ none, say func(api.Step)) error {
		return n.Doctor(ctx, r.URL.Query().Get("peer"), say)
	})(w, r)
}

// serveDown answers, asks the node to end, and keeps the connection until nothing of it is
// left.
func (n *Node) serveDown(w http.ResponseWriter, _ *http.Request) {
	if !n.obeyed.Load() {
		fail(w, transport.WithHint(fmt.Errorf("the node that runs is a part of process %d, and ends with it", os.Getpid()), fmt.Sprintf("kill %d ends both", os.Getpid())))
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, err)
		return
	}
	defer conn.Close()                                                         //nolint:errcheck // that is the answer
	io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n") //nolint:errcheck // the client is gone
	n.Down()
	<-n.gone
}

// heartbeat is how often a silent stream of events shows that it is still there.
const heartbeat = 30 * time.Second

// serveEvents sends the events behind the number that the client had last.
func (n *Node) serveEvents(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID") // HTML Living Standard section 9.2.4
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	seq, err := strconv.ParseUint(after, 10, 64)
	if err != nil && after != "" {
		fail(w, transport.Usage(fmt.Errorf("%q is not the number of an event", after)))
		return
	}
	follow := r.URL.Query().Get("follow") == "true"
	e := api.NewEventWriter(w)
	for {
		changed := n.events.Changed()
		events, last, err := n.events.Since(seq, 256)
		if errors.Is(err, event.ErrGap) {
			gap := api.Event{Seq: seq, Time: time.Now(), Type: api.Gap, Text: err.Error()}
			if e.Send("", gap) != nil {
				return
			}
		}
		for _, v := range events {
			if e.Send(strconv.FormatUint(v.Seq, 10), v) != nil {
				return
			}
		}
		if seq = last; len(events) > 0 {
			continue
		}
		if !follow {
			break
		}
		select {
		case <-changed:
		case <-time.After(heartbeat):
			if e.Comment() != nil {
				return
			}
		case <-r.Context().Done():
			e.End(nil) //nolint:errcheck // the client is gone, or the node
			return
		}
	}
	e.End(nil) //nolint:errcheck // the client is gone
}
