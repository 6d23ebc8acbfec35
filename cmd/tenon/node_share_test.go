//go:build node

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

const (
	aTicket     = "tenon1early"
	aRootTicket = "tenon1withtheroot"
)

// shareStates are how a share goes.
func shareStates() (hashing, hashed, got api.Share) {
	hashing = api.Share{ID: "0123456789abcdef", Name: "my photos", Ticket: aTicket, State: api.ShareHashing, Files: 2, Bytes: 1 << 20, Path: "a/b.jpg"}
	hashed = hashing
	hashed.State, hashed.Fixed, hashed.Files, hashed.Bytes, hashed.Left = api.ShareReady, aRootTicket, 3, 2<<20, 1
	hashed.Notes = []api.ShareNote{{Path: "a/secret", Text: "permission denied", Left: true}}
	hashed.Unsent = []api.ShareNote{{Path: "a/log", Text: "it has changed"}}
	hashed.Peers = []api.SharePeer{{Name: "bob", Has: 0.5}}
	got = hashed
	got.Fetched, got.Peers = []string{"bob"}, nil
	return hashing, hashed, got
}

func answers(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the client tells
	}
}

// tells answers with events, and ends with an error or, if hold is not nil, not before that is
// closed.
func tells[T any](err error, hold <-chan struct{}, all ...T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e := api.NewEventWriter(w)
		for _, v := range all {
			e.Send("", v) //nolint:errcheck // the client tells
		}
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		e.End(err) //nolint:errcheck // the client tells
	}
}

// ran runs a command line and returns what it has printed.
func ran(ctx context.Context, args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	p := &program{ctx: ctx, stdout: newConsole(&o), stderr: newConsole(&e)}
	status = p.exit(p.main(args))
	return status, o.String(), e.String()
}

// says checks that a text has all those, and none of those that begin with "!".
func says(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if not, ok := strings.CutPrefix(want, "!"); strings.Contains(text, strings.TrimPrefix(want, "!")) == ok {
			t.Errorf("%q, unwanted: %v, in\n%s", strings.TrimPrefix(not, "!"), ok, text)
		}
	}
}

// A node that runs takes the share over. The ticket is all that is on standard output.
func TestNodeShareIsHandedOver(t *testing.T) {
	hashing, hashed, _ := shareStates()
	var asked api.ShareRequest
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status": answers(api.Status{}),
		"POST /v1/shares": func(w http.ResponseWriter, r *http.Request) {
			asked = api.ShareRequest{}
			json.NewDecoder(r.Body).Decode(&asked) //nolint:errcheck // what is in it is looked at
			answers(hashing)(w, r)
		},
		"GET /v1/shares/0123456789abcdef/watch": tells(nil, nil, hashing, hashed),
	})
	t.Chdir(t.TempDir())
	status, out, errs := ran(t.Context(), "share", ".", "--to", "bob,carol", "--expires", "2h", "--uses", "3", "--only", "*.jpg", "--exclude", "/x", "--gitignore", "--check", "--up", "1MiB/s", "--name", "my photos")
	if status != 0 || out != aTicket+"\n" {
		t.Errorf("status %d, %q", status, out)
	}
	says(t, errs, "the node that runs shares it, until tenon unshare 0123456789", "!hashed")
	here, _ := os.Getwd()
	want := api.ShareRequest{Paths: []string{here}, Name: "my photos", To: []string{"bob", "carol"}, Expires: api.Duration(2 * time.Hour), Uses: 3,
		Exclude: []string{"/x"}, Only: []string{"*.jpg"}, GitIgnore: true, Check: true, Up: 1 << 20}
	if got, want := asJSON(asked), asJSON(want); got != want {
		t.Errorf("asked for\n%s, want\n%s", got, want)
	}

	status, out, errs = ran(t.Context(), "share", ".", "--wait")
	if status != 0 || out != aRootTicket+"\n" {
		t.Errorf("with --wait: status %d, %q", status, out)
	}
	says(t, errs, "my photos is hashed: 2.0 MiB in 3 files; 1 of what is there cannot be shared, and is left out", "a/secret: permission denied; it is left out", "tenon: a/log: it has changed\n")

	for _, x := range []struct {
		args []string
		says string
	}{
		{[]string{"share"}, "a file or a folder is needed"},
		{[]string{"share", "no such file"}, "no such file"},
		{[]string{"share", ".", "--public", "--to", "bob"}, "cannot both be"},
		{[]string{"share", "-"}, "hint: tenon send - gives"},
		{[]string{"share", ""}, "the name of a file is empty"},
		{[]string{"get", ""}, "the ticket is empty\n  hint: the other side makes one"},
	} {
		if status, out, errs := ran(t.Context(), x.args...); status != exitUsage || out != "" || !strings.Contains(errs, x.says) {
			t.Errorf("tenon %q: status %d, %q %q, want %q", x.args, status, out, errs, x.says)
		}
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Where no node runs the share is there until Ctrl-C, which says who has got it.
func TestNodeShareStays(t *testing.T) {
	hashing, hashed, got := shareStates()
	unshared := 0
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status":                         answers(api.Status{Passing: true}),
		"POST /v1/shares":                        answers(hashing),
		"GET /v1/shares/0123456789abcdef/watch":  tells(nil, make(chan struct{}), hashing, hashed, got),
		"POST /v1/shares/0123456789abcdef/leave": func(http.ResponseWriter, *http.Request) { unshared++ },
	})
	for _, flags := range [][]string{nil, {"--json"}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var o bytes.Buffer
		e := &until{text: "bob has got all of it", then: func() { cancel(interrupted{syscall.SIGINT}) }}
		p := &program{ctx: ctx, stdout: newConsole(&o), stderr: newConsole(e)}
		if flags != nil {
			p.stdout = newConsole(&until{text: `"fetched":["bob"]`, then: e.then, buf: &o})
		}
		status := p.exit(p.main(append(flags, "share", ".")))
		if status != 130 {
			t.Errorf("%v: status %d: %s", flags, status, e.String())
		}
		if flags == nil {
			says(t, o.String(), aTicket, "!"+aRootTicket)
			says(t, e.String(), "it is shared until this program ends", "is hashed", "bob has got all of it", "my photos is not shared any more; 1 peer has got all of it: bob")
			continue
		}
		lines := strings.Split(strings.TrimSpace(o.String()), "\n")
		if strings.Count(o.String(), aTicket) != 1 || strings.Contains(o.String(), aRootTicket) || len(lines) < 4 {
			t.Errorf("the ticket is told more than once, or not all of it: %s", o.String())
		}
		for _, line := range lines {
			if json.Unmarshal([]byte(line), new(api.Share)) != nil {
				t.Errorf("not a share: %s", line)
			}
		}
		says(t, e.String(), "!photos")
	}
	if unshared != 2 {
		t.Errorf("it was ended %d times at a node that goes on", unshared)
	}
}

// At the end it is said who has got it by then, and not when that was told last.
func TestNodeShareFarewell(t *testing.T) {
	hashing, hashed, got := shareStates()
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status":                         answers(api.Status{Passing: true}),
		"POST /v1/shares":                        answers(hashing),
		"GET /v1/shares":                         answers([]api.Share{got}),
		"GET /v1/shares/0123456789abcdef/watch":  tells(nil, make(chan struct{}), hashing, hashed),
		"POST /v1/shares/0123456789abcdef/leave": func(http.ResponseWriter, *http.Request) {},
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	e := &until{text: "is hashed", then: func() { cancel(interrupted{syscall.SIGINT}) }}
	p := &program{ctx: ctx, stdout: newConsole(new(bytes.Buffer)), stderr: newConsole(e)}
	p.exit(p.main([]string{"share", "."}))
	says(t, e.String(), "my photos is not shared any more; 1 peer has got all of it: bob")
}

// An until calls then when the text was written.
type until struct {
	text string
	then func()
	buf  *bytes.Buffer
}

func (u *until) Write(p []byte) (int, error) {
	if u.buf == nil {
		u.buf = new(bytes.Buffer)
	}
	defer func() {
		if strings.Contains(u.buf.String(), u.text) {
			u.then()
		}
	}()
	return u.buf.Write(p)
}

func (u *until) String() string {
	if u.buf == nil {
		return ""
	}
	return u.buf.String()
}

// A share ends by itself when as many have it as it is for, and when its time has run out.
func TestNodeShareEnds(t *testing.T) {
	hashing, _, got := shareStates()
	got.Uses = 1
	nobody := hashing
	nobody.State, nobody.NotAfter = api.ShareOver, time.Now().Add(-time.Second)
	failed := hashing
	failed.State, failed.Error = api.ShareFailed, "the disk is gone"
	for name, x := range map[string]struct {
		last   api.Share
		status int
		text   string
	}{
		"used up": {got, 0, "1 peer has got all of it: bob"},
		"expired": {nobody, exitTimeout, "nobody has got all of it"},
		"failed":  {failed, exitNetwork, "cannot be shared: the disk is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeNode(t, map[string]http.HandlerFunc{
				"GET /v1/status":                answers(api.Status{Passing: true}),
				"POST /v1/shares":               answers(hashing),
				"GET /v1/shares/{share}/watch":  tells(nil, nil, hashing, x.last),
				"POST /v1/shares/{share}/leave": func(http.ResponseWriter, *http.Request) {},
			})
			status, _, errs := ran(t.Context(), "share", ".")
			if status != x.status {
				t.Errorf("status %d", status)
			}
			says(t, errs, x.text)
		})
	}
}

// fetchEvents are what happens to who fetches.
func fetchEvents(target string) (going, list, note, done api.FetchEvent) {
	s := api.Share{ID: "0123456789abcdef", Name: "photos", Ticket: aTicket, State: api.ShareGetting, Root: "ab", Files: 3, Bytes: 4 << 20, Have: 3 << 20, Got: 1 << 20, GotPS: 1 << 20,
		Peers: []api.SharePeer{{Name: "bob", Has: 1}}}
	at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.Local)
	going = api.FetchEvent{Type: api.FetchProgress, Share: &s}
	list = api.FetchEvent{Type: api.FetchList, Entries: []api.ShareEntry{{Path: "photos", Kind: "dir", Mode: "0755", Time: at},
		{Path: "photos/.a b.jpg", Kind: "file", Size: 2048, Mode: "0744", Time: at, Hidden: true, Program: true, Trusted: true, Taken: true},
		{Path: "photos/l", Kind: "symlink", Time: time.Unix(0, 0), Link: "a b.jpg"}}}
	note = api.FetchEvent{Type: api.FetchNote, Peer: "mallory", Text: "has sent a wrong byte of photos/a.jpg at 65536"}
	all := s
	all.Have, all.Got = all.Bytes, 2<<20
	done = api.FetchEvent{Type: api.FetchDone, Share: &all, Paths: []string{filepath.Join(target, "photos")}}
	return going, list, note, done
}

// Get prints where it is, and says how much that was. The ticket may come as all secrets do.
func TestNodeGet(t *testing.T) {
	target := t.TempDir()
	going, _, note, done := fetchEvents(target)
	var asked api.FetchRequest
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status": answers(api.Status{}),
		"POST /v1/fetch": func(w http.ResponseWriter, r *http.Request) {
			asked = api.FetchRequest{}
			json.NewDecoder(r.Body).Decode(&asked) //nolint:errcheck // what is in it is looked at
			tells(nil, nil, going, note, done)(w, r)
		},
	})
	file := filepath.Join(t.TempDir(), "ticket")
	if err := os.WriteFile(file, []byte(aTicket+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("A_TICKET", aTicket)
	for _, word := range []string{aTicket, "@" + file, "env:A_TICKET"} {
		status, out, errs := ran(t.Context(), "get", word, "--to", target, "--only", "*.jpg", "--exclude", "x", "--rename", "--skip-links", "--stay", "--up", "1k", "--down", "2k")
		if status != 0 || out != filepath.Join(target, "photos")+"\n" {
			t.Errorf("%s: status %d, %q", word, status, out)
		}
		says(t, errs, "mallory: has sent a wrong byte of photos/a.jpg", "tenon: 3 files, 4.0 MiB, in 0s", "!"+aTicket)
		want := api.FetchRequest{Ticket: aTicket, Target: target, Only: []string{"*.jpg"}, Exclude: []string{"x"}, Rename: true, SkipLinks: true, Stay: true, Up: 1 << 10, Down: 2 << 10}
		if got, want := asJSON(asked), asJSON(want); got != want {
			t.Errorf("asked for\n%s, want\n%s", got, want)
		}
	}
	status, out, errs := ran(t.Context(), "get", "--json", aTicket)
	if lines := strings.Count(out, "\n"); status != 0 || lines != 3 || errs != "" {
		t.Errorf("as JSON: status %d, %q %q", status, out, errs)
	}
	says(t, out, `"type":"done"`, "!"+aTicket)
	for _, args := range [][]string{{"get", "a", "b"}, {"get", "a", "--overwrite", "--rename"}, {"get", "a", "--list", "--stay"}, {"get", "@" + file + "x"}, {"get", "env:NO_SUCH_VARIABLE"}} {
		if status, out, errs := ran(t.Context(), args...); status != exitUsage || out != "" {
			t.Errorf("tenon %q: status %d, %q %q", args, status, out, errs)
		}
	}
}

// Of a list every entry is a line, with what somebody should know before it is fetched.
func TestNodeGetList(t *testing.T) {
	_, list, _, done := fetchEvents("/x")
	done.Paths = nil
	fakeNode(t, map[string]http.HandlerFunc{"GET /v1/status": answers(api.Status{}), "POST /v1/fetch": tells(nil, nil, list, done)})
	status, out, errs := ran(t.Context(), "get", "--list", aTicket)
	want := "drwxr-xr-x             2001-02-03 04:05  photos/\n" +
		"-rwxr--r--    2.0 KiB  2001-02-03 04:05  photos/.a b.jpg  (hidden, executable, obeyed by programs, there already)\n" +
		"l                                        photos/l -> a b.jpg\n"
	if status != 0 || out != want {
		t.Errorf("status %d, got\n%swant\n%s", status, out, want)
	}
	says(t, errs, "1 file, 2.0 KiB; 1 hidden; 1 executable; 1 obeyed by programs; 1 there already")
}

// Ctrl-C, and any failure, leave what is there, and say how to go on. The ticket is in no
// line of it.
func TestNodeGetGoesOn(t *testing.T) {
	target := filepath.Join(t.TempDir(), "it's here")
	going, _, _, _ := fetchEvents(target)
	fakeNode(t, map[string]http.HandlerFunc{"GET /v1/status": answers(api.Status{}), "POST /v1/fetch": func(w http.ResponseWriter, r *http.Request) {
		var asked api.FetchRequest
		json.NewDecoder(r.Body).Decode(&asked) //nolint:errcheck // what is in it is looked at
		if asked.Overwrite {
			tells(&api.Error{Code: "denied", Message: "bob: photos/a.jpg has changed since it was shared", Hint: "try"}, nil, going)(w, r)
			return
		}
		tells(nil, make(chan struct{}), going)(w, r)
	}})
	ctx, cancel := context.WithCancelCause(t.Context())
	stops := &until{text: `"type":"progress"`, then: func() { cancel(interrupted{syscall.SIGINT}) }}
	p := &program{ctx: ctx, stdout: newConsole(stops), stderr: newConsole(new(bytes.Buffer))}
	if status := p.exit(p.main([]string{"--json", "get", aTicket})); status != 130 {
		t.Errorf("status %d", status)
	}
	status, _, errs := ran(t.Context(), "get", "--to", target, aTicket, "--only", "*.jpg", "--overwrite")
	if status != exitDenied {
		t.Errorf("status %d", status)
	}
	says(t, errs, "3.0 MiB of 4.0 MiB are kept in "+target, `: tenon get --to '`+strings.ReplaceAll(target, "'", `'\''`)+`' --only '*.jpg' --overwrite`+"\n",
		"tenon: bob: photos/a.jpg has changed since it was shared\n", "hint: try", "!"+aTicket)
}

// What is shared is a table, without the secrets.
func TestNodeSharesTable(t *testing.T) {
	_, hashed, got := shareStates()
	got.Name, got.Uses, got.To = "for two", 2, []string{"bob", "carol"}
	going, _, _, _ := fetchEvents("/x")
	fakeNode(t, map[string]http.HandlerFunc{"GET /v1/shares": answers([]api.Share{hashed, got, *going.Share}), "GET /v1/status": answers(api.Status{})})
	_, out, _ := ran(t.Context(), "shares")
	says(t, out, "my photos  0123456789  ready", "whoever has the ticket", "bob 50%", "bob, carol, for 2 peers", "1 have all", "getting 75%", "3.0 MiB of 4.0 MiB", "1.0 MiB/s",
		"my photos: a/secret: permission denied; it is left out", "my photos: a/log: it has changed\n", "!tenon1")
	_, out, _ = ran(t.Context(), "shares", "--json")
	says(t, out, `"name":"my photos"`, "!tenon1")
}
