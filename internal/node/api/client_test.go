package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// A name reaches the node as it was typed, whatever is in it. "tenon room remove plans .." once was a request to forget the room, for the path
// of a removal was made shorter by its dots, and the answer of the node, to ask there, was obeyed.
func TestNames(t *testing.T) {
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("DELETE /v1/rooms/{room}/members/{who}", func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.PathValue("room"), r.PathValue("who"))
	})
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s is asked for", r.Method, r.URL.EscapedPath())
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := NewClient(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	})
	defer c.Close() //nolint:errcheck // it is a test
	for _, name := range []string{".", "..", "...", "a/b", "/a", "a/../b", "../..", "%2E%2E", "?a=b", "#plans", " ", "-x", "дом"} {
		asked = nil
		if err := c.RemoveFromRoom(t.Context(), name, name); err != nil || len(asked) != 2 || asked[0] != name || asked[1] != name {
			t.Errorf("%q: %q, %v", name, asked, err)
		}
	}
	asked = nil
	for _, x := range [][2]string{{"", "bob"}, {"plans", ""}, {"", ""}} {
		if err := c.RemoveFromRoom(t.Context(), x[0], x[1]); !errors.Is(err, transport.ErrUsage) || asked != nil {
			t.Errorf("%q: %q, %v", x, asked, err)
		}
	}
}

// An answer that says to ask elsewhere is an error and not obeyed: it would be a request that nobody has made.
func TestNoRedirects(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/rooms/elsewhere" {
			t.Error("it is obeyed")
		}
		http.Redirect(w, r, "/v1/rooms/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	c := NewClient(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	})
	defer c.Close() //nolint:errcheck // it is a test
	if err := c.LeaveRoom(t.Context(), "plans", false); !errors.Is(err, errAnswer) {
		t.Errorf("%v", err)
	}
}

// What is not in UTF-8 is refused, and not made something else: a message said so would have lost letters, and a path would be that of another file.
func TestNotUTF8(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "dom": true, "\uFFFD": true, `\ufffd`: true, `\\ufffd`: true, "a\xffb": false, "\xff": false, "\\\xff": false, "\uFFFD\xc3": false, `\ufffd` + "\xe4": false} {
		b, err := marshal(RoomSay{Text: text})
		if ok && err != nil || !ok && !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%q is written %s, %v", text, b, err)
		}
		var back RoomSay
		if err == nil && (json.Unmarshal(b, &back) != nil || back.Text != text) {
			t.Errorf("%q becomes %q", text, back.Text)
		}
	}
}
