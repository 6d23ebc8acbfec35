//go:build node

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"rsc.io/qr"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// builtAs is a condition of scripts: which of the three builds this is.
const builtAs = "node"

// Every verb of the table has something that runs it.
func TestNodeEveryVerbRuns(t *testing.T) {
	for _, cmd := range commands() {
		if cmd.run == nil {
			t.Errorf("nothing runs tenon %s", cmd.name)
		}
	}
}

// Every key of the configuration is a flag of tenon up, and says the same there.
func TestNodeEveryKeyIsAFlag(t *testing.T) {
	commands := commands()
	up := commands[slices.IndexFunc(commands, func(c command) bool { return c.name == "up" })]
	var visit func(of reflect.Type, path []int)
	visit = func(of reflect.Type, path []int) {
		for i := range of.NumField() {
			f, at := of.Field(i), append(slices.Clone(path), i)
			if f.Anonymous {
				visit(f.Type, at)
				continue
			}
			key := f.Tag.Get("toml")
			if key == "services" || key == "links" {
				continue
			}
			var c call
			d := bindFlags(up, &c).Lookup(key)
			if d == nil {
				t.Errorf("--%s is missing", key)
				continue
			}
			value := map[reflect.Kind]string{reflect.Int: "7", reflect.Bool: "yes"}[f.Type.Kind()]
			if value == "" {
				value = "friends"
			}
			if err := d.Set(value, true); err != nil {
				t.Errorf("--%s: %v", key, err)
			}
			config, err := c.nodeConfig(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if reflect.ValueOf(config.Flags).FieldByIndex(at).IsZero() {
				t.Errorf("--%s is not passed on", key)
			}
		}
	}
	visit(reflect.TypeFor[node.Settings](), nil)
}

// A node that opens a path may be in another directory than who has typed it.
func TestNodePathsAreFromHere(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for text, want := range map[string]string{
		"folder:public":          "folder:" + here + "/public",
		"folder:.,hidden":        "folder:" + here + ",hidden",
		"unix:app.sock,rate=1MB": "unix:" + here + "/app.sock,rate=1MB",
		"file:'a,b',follow":      "file:'" + here + "/a,b',follow",
		"folder:/srv":            "folder:/srv",
		"unix:@app":              "unix:@app",
		"tcp:localhost:80":       "tcp:localhost:80",
		"exec:cat":               "exec:cat",
		"exec:./run,pty":         "exec:./run,pty,dir=" + here,
		"exec:'sh ./run'":        "exec:'sh ./run',dir=" + here,
		"sh:'cat<in | bin/run'":  "sh:'cat<in | bin/run'",
		"exec:/bin/cat":          "exec:/bin/cat",
		"exec:./run,cd=/srv":     "exec:./run,cd=/srv",
		"text:public":            "text:public",
		"folder:":                "folder:",
		"not an address:":        "not an address:",
	} {
		if got := fromHere(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

// What the other image shows of the kinds is what they are.
func TestNodeShownKinds(t *testing.T) {
	shown, real := shownKinds(), moreKinds()
	if len(shown) != len(real) {
		t.Fatalf("%d kinds are shown, and there are %d", len(shown), len(real))
	}
	for i, k := range real {
		if text := func(k transport.Kind) string {
			set := new(opt.Set)
			k.New().Bind(set)
			text := fmt.Sprintf("%s %v %s\n%s\n%s\n%+v\n%v %s\n", k.Name, k.Aliases, k.Syntax, k.Doc, k.Example, k.Traits, set.Style(), set.Syntax())
			for d := range set.All() {
				text += fmt.Sprintf("%s %v %s %s %v: %s\n", d.Name, d.Aliases, d.Type, d.Default, d.Multi, d.Usage)
			}
			return text
		}; text(shown[i]) != text(k) {
			t.Errorf("shown is\n%s\nand it is\n%s", text(shown[i]), text(k))
		}
	}
}

// A QR code that is drawn has the modules of the code, with white around them.
func TestNodeQR(t *testing.T) {
	const text = "TENONID0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	for _, inverted := range []bool{false, true} {
		lines, err := qrLines(text, inverted)
		if err != nil {
			t.Fatal(err)
		}
		for y := range 2 * len(lines) {
			for x, r := range []rune(lines[y/2]) {
				drawn := r == '█' || r == '▀' && y%2 == 0 || r == '▄' && y%2 == 1
				if black := drawn == inverted; black != code.Black(x-qrMargin, y-qrMargin) {
					t.Fatalf("inverted %v: module %d, %d is black: %v", inverted, x-qrMargin, y-qrMargin, black)
				}
			}
		}
	}
}

// Columns are aligned by what a terminal shows, and foreign text moves no cursor.
func TestNodeTable(t *testing.T) {
	table := newTable("NAME", "STATE")
	table.add("日本", "direct")
	table.add("\x1b[2J", "")
	got := strings.Join(table.lines(), "\n")
	if want := "NAME     STATE\n日本     direct\n\\x1b[2J  -"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// someJoints are two joints of one status.
func someJoints() seen {
	now := time.Now()
	return seen{
		status: api.Status{Identity: api.Identity{Short: "abcd efgh jkmn"}, Since: now.Add(-90 * time.Second), Peers: 3, Online: 2},
		joints: []api.Joint{
			{Number: 1, Name: "alice", Service: "db", Out: true, Path: api.Direct, Addr: "192.0.2.1:4001", Since: now, Sent: 2048, SentPS: 10},
			{Number: 2, Name: "bob\x1b[2J", Service: "web", Path: api.Relayed, Since: now, Got: 1 << 30, GotPS: 1 << 20, Paused: now.Add(-3 * time.Second)},
		},
	}
}

func TestNodeTopLines(t *testing.T) {
	m := &topModel{seen: someJoints()}
	text := strings.Join(m.lines(), "\n")
	for _, want := range []string{"up for 1m30s", "3 peers, 2 online", "2 joints, by rate", "gets 1.0 MiB/s", "paused for 3s", `bob\x1b[2J`, "ours: web", "direct 192.0.2.1:4001"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "bob") > strings.Index(text, "alice") {
		t.Errorf("the faster one is not first:\n%s", text)
	}
	m.Update(tea.KeyPressMsg{Code: 'p', Text: "p"})
	if text = strings.Join(m.lines(), "\n"); strings.Index(text, "bob") < strings.Index(text, "alice") {
		t.Errorf("not by name:\n%s", text)
	}
	m.Update(tea.WindowSizeMsg{Width: 20, Height: 4})
	for line := range strings.Lines(m.View().Content) {
		if width(strings.TrimSuffix(line, "\n")) > 20 {
			t.Errorf("%q is wider than the window", line)
		}
	}
	if !strings.Contains(m.View().Content, "3 more") {
		t.Errorf("what does not fit is not said:\n%s", m.View().Content)
	}
}

// Tenon top draws, sorts at a key and ends at another. All that bubbletea needs of a
// terminal is in memory.
func TestNodeTopRuns(t *testing.T) {
	var out bytes.Buffer
	m := &topModel{seen: someJoints(), look: func() tea.Msg { return someJoints() }}
	prog := tea.NewProgram(m, tea.WithInput(strings.NewReader("bq")), tea.WithOutput(&out), tea.WithWindowSize(100, 20), tea.WithoutSignalHandler())
	if _, err := prog.Run(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "alice") || m.order != 1 {
		t.Errorf("order %d, drawn %q", m.order, out.String())
	}
}

func TestNodeWordsForPeople(t *testing.T) {
	for got, want := range map[string]string{
		about(42 * time.Second):                           "42s",
		about(90 * time.Second):                           "1m30s",
		about(3*time.Hour + 5*time.Minute):                "3h05m",
		about(72 * time.Hour):                             "3d",
		bytesOf(999):                                      "999 B",
		bytesOf(1 << 20):                                  "1.0 MiB",
		bytesOf(5 << 40):                                  "5.0 TiB",
		trip(api.Duration(41234567)):                      "41.2ms",
		trip(api.Duration(123456)):                        "120µs",
		audience(api.Service{Name: "db"}):                 "nobody",
		audience(api.Service{Anyone: true}):               "ANYONE, paired or not",
		fmt.Sprint(splitNames([]string{"a, b,", "c"})):    "[a b c]",
		jointsCut(1) + jointsCut(0):                       "; one joint was cut",
		ticketState(api.Ticket{State: "used up"}):         "used up",
		quoteWords("7 one two three"):                     "'7 one two three'",
		clip("abcdef", 4) + clip("日本語", 5) + clip("x", 0): "abc…日本…x",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An asked context says that somebody waits for it to be done.
type asked struct {
	context.Context
	once sync.Once
	was  chan struct{}
}

func (a *asked) Done() <-chan struct{} {
	a.once.Do(func() { close(a.was) })
	return a.Context.Done()
}

// Of two verbs that begin at once one starts a node, and the other one, which has found none a moment
// before, uses it. It said that the identity was in use.
func TestNodeStartedMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	t.Setenv("TENON_DIR", dir)
	identity, err := peer.OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer identity.Close() //nolint:errcheck // it was only held
	ctx := &asked{Context: t.Context(), was: make(chan struct{})}
	var out string
	status := make(chan int)
	go func() {
		s, o, errs := ran(ctx, "shares")
		out = o + errs
		status <- s
	}()
	<-ctx.was
	fakeNodeAt(t, dir, map[string]http.HandlerFunc{"GET /v1/shares": answers([]api.Share{{Name: "photos"}})})
	if s := <-status; s != 0 || !strings.Contains(out, "photos") {
		t.Errorf("status %d: %s", s, out)
	}
}

// All of the audit log is shown, the oldest first, however long it is; what is used counts as
// what is offered, and who has a right is called by his name.
func TestNodeAuditLogIsWhole(t *testing.T) {
	const many = 2*auditPage + 7
	id := "tenonid1" + strings.Repeat("q", 61)
	fakeNode(t, map[string]http.HandlerFunc{
		"GET /v1/status": answersHostile[api.Status](),
		"GET /v1/audit": func(w http.ResponseWriter, r *http.Request) {
			from, _ := strconv.Atoi(r.URL.Query().Get("from"))
			limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
			var page []api.AuditEntry
			for n := max(from, 3); n < 3+many && len(page) < limit; n++ { // the oldest are gone
				page = append(page, api.AuditEntry{Number: int64(n), Event: "dial", Peer: id, Name: "bob", Right: "grant to " + id, Sent: 5, Got: 6})
			}
			json.NewEncoder(w).Encode(page) //nolint:errcheck // the client shows it
		},
	})
	for _, verb := range []string{"log --audit", "log --audit --json"} {
		var out, errs bytes.Buffer
		p := &program{ctx: t.Context(), stdout: newConsole(&out), stderr: newConsole(&errs)}
		if code := p.exit(p.main(strings.Fields(verb))); code != 0 {
			t.Fatalf("%s: %d, %s", verb, code, &errs)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if !strings.HasSuffix(verb, "--json") {
			if f := strings.Join(strings.Fields(lines[1])[2:], " "); f != "dial bob - grant to bob - 5 B 6 B 0s -" {
				t.Errorf("%q", f)
			}
			lines = lines[1:]
		}
		if len(lines) != many || strings.Contains(lines[many-1], "TIME") {
			t.Errorf("%s: %d lines", verb, len(lines))
		}
	}
}

// The values of flags that are names of peers and services are completed.
func TestNodeCompletesValues(t *testing.T) {
	commands := commands()
	for line, want := range map[string]wanted{"ticket db --for": anyPeer, "ticket --service": ours, "ticket": ours, "serve x echo: --to": anyPeer, "ticket db": nothing} {
		words := strings.Fields(line)
		cmd := commands[slices.IndexFunc(commands, func(c command) bool { return c.name == words[0] })]
		if got := wantedFor(cmd, words[1:], ""); got != want {
			t.Errorf("behind tenon %s: %v, want %v", line, got, want)
		}
	}
}
