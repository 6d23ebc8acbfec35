package log

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/store"
)

func open(t testing.TB, dir string) *Log {
	t.Helper()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := consistent(db); err != nil && !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
		db.Close()
	})
	l, err := Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// consistent looks whether the tables agree with each other.
func consistent(db *store.DB) error {
	ctx := context.Background()
	if err := db.Check(ctx); err != nil {
		return err
	}
	return db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO chat_text (chat_text, rank) VALUES ('integrity-check', 1)`)
		return err
	})
}

func room(t testing.TB, l *Log, name string) *Room {
	t.Helper()
	r, err := l.Room(t.Context(), id(name))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func id(name string) ID { return sha256.Sum256([]byte(name)) }

// said makes the nth event of a room, which says something and follows the one before it.
func said(n int, text string) Event {
	e := Event{Key: key(n), Device: id("device"), Author: id("author"), Seq: uint64(n), Kind: 2, Status: Valid,
		Bytes: binary.BigEndian.AppendUint64([]byte("header "), uint64(n)), Payload: []byte("sealed " + text), Text: text, Counts: true}
	if n > 0 {
		e.Parents = []ID{key(n - 1).ID}
	}
	return e
}

func key(n int) Key { return Key{Time: uint64(n+1) << 16, ID: id(fmt.Sprint("event ", n))} }

func add(t testing.TB, r *Room, events ...Event) []Event {
	t.Helper()
	added, err := r.Add(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// texts returns what events say, and fails if they could not be read.
func texts(t testing.TB, events []Event, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range events {
		s = append(s, e.Text)
	}
	return strings.Join(s, " ")
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// What was added is there as it was added, in the order of keys, whatever the order of arrival, and once.
func TestAddAndPages(t *testing.T) {
	ctx, l := t.Context(), open(t, t.TempDir())
	r, other := room(t, l, "room"), room(t, l, "other")
	add(t, other, said(50, "elsewhere"))
	order := rand.New(rand.NewPCG(1, 1)).Perm(10)
	for _, n := range order {
		want(t, "added", len(add(t, r, said(n, fmt.Sprint("t", n)))), 1)
	}
	want(t, "added again", len(add(t, r, said(3, "t3"), said(10, "t10"))), 1)
	last, err := r.Before(ctx, Last, 3)
	want(t, "the last", texts(t, last, err), "t8 t9 t10")
	before, err := r.Before(ctx, last[0].Key, 3)
	want(t, "those before", texts(t, before, err), "t5 t6 t7")
	after, err := r.After(ctx, before[0].Key, 3)
	want(t, "those after", texts(t, after, err), "t6 t7 t8")
	none, err := r.Before(ctx, key(0), 3)
	want(t, "those before the first", texts(t, none, err), "")
	got, err := r.Get(ctx, key(7).ID, key(50).ID, id("none"), key(2).ID)
	want(t, "those asked for", texts(t, got, err), "t7 t2")
	e := said(7, "t7")
	if fmt.Sprint(got[0]) != fmt.Sprint(e) {
		t.Errorf("%v is read as %v", e, got[0])
	}
	lacking, err := r.Lacks(ctx, key(7).ID, key(50).ID, id("none"))
	want(t, "lacking", lacking, []ID{key(50).ID, id("none")})
	if err != nil {
		t.Error(err)
	}
	var keys []Key
	if err := r.Keys(ctx, func(part []Key) error { keys = append(keys, part...); return nil }); err != nil {
		t.Error(err)
	}
	if len(keys) != 11 || !slices.IsSortedFunc(keys, Key.Compare) || keys[4] != key(4) {
		t.Errorf("the keys are %v", keys)
	}
	rooms, err := l.Rooms(ctx)
	want(t, "rooms", rooms, []ID{id("room"), id("other")})
	if err != nil {
		t.Error(err)
	}
}

// Heads are the events that no other one follows.
func TestHeads(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	heads := func() []ID {
		h, err := r.Heads(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	want(t, "no event", heads(), []ID{})
	add(t, r, said(0, "a"), said(1, "b"), said(2, "c"))
	want(t, "a chain", heads(), []ID{key(2).ID})
	fork := said(3, "fork")
	fork.Parents = []ID{key(1).ID}
	add(t, r, fork)
	both := []ID{key(2).ID, key(3).ID}
	slices.SortFunc(both, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	want(t, "a fork", heads(), both)
	merge := said(4, "merge")
	merge.Parents = both
	add(t, r, merge, said(5, "on"))
	want(t, "merged", heads(), []ID{key(5).ID})
	add(t, r, said(4, "again"))
	want(t, "added again", heads(), []ID{key(5).ID})
}

func TestSearch(t *testing.T) {
	ctx, l := t.Context(), open(t, t.TempDir())
	r, other := room(t, l, "room"), room(t, l, "other")
	e := []string{"The quick brown fox", "jumps over", "the lazy dog", "Größe und Café", "quick, quicker: quickest!", "SELECT * FROM chat",
		"今日は東京タワーに行く", "C言語の本、東と京", "สวัสดีครับ"}
	for n, text := range e {
		ev := said(n, text)
		if n%2 == 1 {
			ev.Author = id("bob")
		}
		add(t, r, ev)
	}
	add(t, other, said(20, "a quick one elsewhere"))
	for _, c := range []struct {
		q    Query
		want []int
	}{
		{Query{Text: "quick"}, []int{4, 0}},
		{Query{Text: "QUICK fox"}, []int{0}},
		{Query{Text: `"brown fox"`}, []int{0}},
		{Query{Text: `"fox brown"`}, nil},
		{Query{Text: "qui*"}, []int{4, 0}},
		{Query{Text: "quicke*"}, []int{4}},
		{Query{Text: `"quick bro"*`}, []int{0}},
		{Query{Text: "la", Prefix: true}, []int{2}},
		{Query{Text: "la"}, nil},
		{Query{Text: "l", Prefix: true}, nil},
		{Query{Text: "l*"}, nil},
		{Query{Text: `"the l"*`}, nil},
		{Query{Text: "cafe grosse"}, nil},
		{Query{Text: "cafe größe"}, []int{3}},
		{Query{Text: "chat", Author: id("bob")}, []int{5}},
		{Query{Text: "chat", Author: id("author")}, nil},
		{Query{Author: id("bob")}, []int{7, 5, 3, 1}},
		{Query{Text: "quick", Author: id("nobody")}, nil},
		{Query{Text: "東京"}, []int{6}},
		{Query{Text: "東 京"}, []int{7, 6}},
		{Query{Text: "東京タワー 今日"}, []int{6}},
		{Query{Text: "京", Prefix: true}, []int{7, 6}},
		{Query{Text: "タワ*"}, []int{6}},
		{Query{Text: "京東"}, nil},
		{Query{Text: "C言語"}, []int{7}},
		{Query{Text: "言"}, []int{7}},
		{Query{Text: "ดี"}, []int{8}},
		{Query{Text: "สวัสดี"}, []int{8}},
		{Query{Text: "over AND jumps"}, nil}, // it is a word
		{Query{Text: "author:2"}, nil},
		{Query{}, nil},
		{Query{Text: " * ** \" \"\" ()"}, nil},
	} {
		c.q.Limit = 10
		got, older, err := r.Search(ctx, c.q)
		var texts []string
		for _, n := range c.want {
			texts = append(texts, e[n])
		}
		var is []string
		for _, g := range got {
			is = append(is, g.Text)
		}
		if err != nil || !slices.Equal(is, texts) || older != 0 {
			t.Errorf("%+v: %q, %v, want %q", c.q, is, err, texts)
		}
	}
	all, _, err := l.Search(ctx, Query{Text: "quick", Limit: 10})
	want(t, "in all rooms", len(all), 3)
	if err != nil {
		t.Error(err)
	}
	first, older, err := r.Search(ctx, Query{Text: "quick", Limit: 1})
	want(t, "one", texts(t, first, err), e[4])
	next, _, err := r.Search(ctx, Query{Text: "quick", Limit: 1, Older: older})
	want(t, "the next one", texts(t, next, err), e[0])
	for _, text := range []string{"大阪と京都", "plain"} {
		if err := r.SetText(ctx, key(6).ID, text); err != nil {
			t.Fatal(err)
		}
		for q, n := range map[string]int{"東京": 0, "京都": strings.Count(text, "京都"), "plain": strings.Count(text, "plain")} {
			got, _, err := r.Search(ctx, Query{Text: q, Limit: 10})
			if want(t, q+", edited", len(got), n); err != nil {
				t.Error(err)
			}
		}
	}
}

// Whatever people type is searched for, and is never an error of the language of queries.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{`"`, `a" OR "b`, "a\x00b", "NEAR(a b)", "text:x", "^a", "-a", "a*b*", "{text}:a", `""""`, "\xff*", "+", "a + b", "''", strings.Repeat("x ", 999)} {
		f.Add(s)
	}
	db, err := store.Open(context.Background(), f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	l, err := Open(context.Background(), db)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, q := range []Query{{Text: s}, {Text: s, Prefix: true}, {Text: s, Author: id("x")}} {
			if _, _, err := l.Search(t.Context(), q); err != nil {
				t.Errorf("%q: %v", s, err)
			}
			if m := expression(q.terms(), 7); m != "" {
				err := l.db.View(t.Context(), func(tx *sql.Tx) error {
					var n int
					return tx.QueryRow(`SELECT count(*) FROM chat_text WHERE chat_text MATCH ?`, m).Scan(&n)
				})
				if err != nil {
					t.Errorf("%q is %s: %v", s, m, err)
				}
			}
		}
	})
}

// Unread is how many events that count are above what was read; nothing else changes it.
func TestUnread(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	unread := func(what string, n int) {
		t.Helper()
		_, got, err := r.Unread(ctx)
		if err != nil || got != n {
			t.Errorf("%s: %d unread, %v, want %d", what, got, err, n)
		}
	}
	read := func(k Key) {
		t.Helper()
		if err := r.SetRead(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	own, control, void := said(3, "own"), said(4, ""), said(5, "void")
	own.Counts, control.Counts, void.Status = false, false, Void
	add(t, r, said(0, "a"), said(1, "b"), said(2, "c"), own, control, void, said(6, "d"))
	unread("four were said", 4)
	read(key(1))
	unread("two were read", 2)
	read(key(0))
	unread("marks go forward only", 2)
	late := said(100, "late")
	late.Key = Key{Time: key(0).Time + 1, ID: id("late")}
	add(t, r, late)
	unread("what is below the mark", 2)
	for _, s := range []struct {
		to Status
		n  int
	}{{Void, 1}, {Void, 1}, {Valid, 2}, {Late, 2}, {Held, 1}, {Valid, 2}} {
		if err := r.SetStatus(ctx, s.to, key(6).ID, id("none")); err != nil {
			t.Fatal(err)
		}
		unread(fmt.Sprint("status ", s.to), s.n)
	}
	read(Key{Time: key(2).Time})
	unread("up to the time of one", 1+number(key(2).ID != ID{}))
	read(Last)
	unread("all", 0)
	add(t, r, said(7, "e"))
	unread("what is below all", 0)
}

func TestMarks(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	mark := func(device string, stamp uint64, read, delivered int) Mark {
		return Mark{id(device), stamp, key(read), key(delivered), fmt.Append(nil, device, stamp)}
	}
	put := func(n int, marks ...Mark) {
		t.Helper()
		newer, err := r.PutMarks(ctx, marks...)
		if err != nil || len(newer) != n {
			t.Errorf("%d of %v are newer, %v", len(newer), marks, err)
		}
	}
	put(2, mark("a", 5, 1, 3), mark("b", 9, 2, 2))
	put(0, mark("a", 5, 9, 9), mark("b", 8, 9, 9))
	marks, last, err := r.Marks(ctx, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "marks", fmt.Sprint(marks), []Mark{mark("a", 5, 1, 3), mark("b", 9, 2, 2)})
	put(1, mark("a", 6, 3, 3))
	news, last, err := r.Marks(ctx, last, 10)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "what is new", fmt.Sprint(news), []Mark{mark("a", 6, 3, 3)})
	none, again, err := r.Marks(ctx, last, 10)
	if err != nil || len(none) != 0 || again != last {
		t.Errorf("nothing is new: %v %v", none, err)
	}
	delivered, read, err := r.Receipts(ctx, key(3))
	want(t, "receipts", []any{delivered, read, err}, []any{1, 1, nil})
	delivered, read, err = r.Receipts(ctx, key(2))
	want(t, "receipts", []any{delivered, read, err}, []any{2, 2, nil})
	delivered, read, err = r.Receipts(ctx, key(9))
	want(t, "receipts", []any{delivered, read, err}, []any{0, 0, nil})
}

// Erasing takes the payload and all by which it could be found, and leaves the rest.
func TestErase(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	l := open(t, dir)
	r := room(t, l, "room")
	kept := said(1, "kept secret")
	kept.Keep = true
	due := said(5, "secret that goes")
	due.Due = 1000
	add(t, r, said(0, "secret zero"), kept, said(2, "secret two"), said(3, "secret three"), said(4, "secret four"), due)
	found := func() string {
		t.Helper()
		events, _, err := r.Search(ctx, Query{Text: "secret", Limit: 10})
		return texts(t, events, err)
	}
	if err := r.Erase(ctx, key(2).ID, key(2).ID, id("none")); err != nil {
		t.Fatal(err)
	}
	want(t, "found", found(), "secret that goes secret four secret three kept secret secret zero")
	n, err := r.EraseDue(ctx, 999)
	want(t, "not due yet", []any{n, err}, []any{0, nil})
	n, err = r.EraseDue(ctx, 1000)
	want(t, "due", []any{n, err}, []any{1, nil})
	n, err = r.Expire(ctx, key(4).Time)
	want(t, "expired", []any{n, err}, []any{2, nil})
	want(t, "found", found(), "secret four kept secret")
	e := said(100, "a secret that comes late")
	e.Key = Key{Time: 9, ID: id("late")}
	add(t, r, e)
	want(t, "found", found(), "secret four kept secret")
	got, err := r.Get(ctx, key(2).ID)
	if err != nil || len(got) != 1 || got[0].Payload != nil || !bytes.Equal(got[0].Bytes, said(2, "").Bytes) {
		t.Errorf("what is left of an event is %v, %v", got, err)
	}
	if err := consistent(l.db); err != nil {
		t.Error(err)
	}
	if err := r.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	r = room(t, l, "room")
	want(t, "found in a room that was dropped", found(), "")
	want(t, "added to it", len(add(t, r, said(0, "secret"))), 1)
}

func TestOutboxAndHeld(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	a, b, held := said(0, "a"), said(1, "b"), said(2, "c")
	a.Queued, b.Queued, held.Status = true, true, Held
	add(t, r, a, b, held)
	out, err := r.Outbox(ctx, 10)
	want(t, "queued", texts(t, out, err), "a b")
	if err := r.Given(ctx, a.ID, id("none")); err != nil {
		t.Fatal(err)
	}
	out, err = r.Outbox(ctx, 10)
	want(t, "queued", texts(t, out, err), "b")
	page, err := r.Before(ctx, Last, 10)
	want(t, "shown", texts(t, page, err), "a b")
	h, err := r.Held(ctx, key(1).Time, 10)
	want(t, "held until then", texts(t, h, err), "")
	h, err = r.Held(ctx, key(2).Time, 10)
	want(t, "held", texts(t, h, err), "c")
}

// An export is read again by another one, who believes nothing but the bytes.
// importTo adds an export to a room.
func importTo(ctx context.Context, r *Room, from io.Reader, verify func(bytes, payload []byte) (Event, error)) (n int, err error) {
	err = ReadExport(from, func(h Heading) error {
		if id := r.ID(); h.Room != hex.EncodeToString(id[:]) {
			return ErrExport
		}
		return nil
	}, func(part []Exported) error {
		var batch []Event
		for _, x := range part {
			e, err := verify(x.Bytes, x.Payload)
			if err != nil {
				return err
			}
			batch = append(batch, e)
		}
		added, err := r.Add(ctx, batch...)
		n += len(added)
		return err
	})
	return n, err
}

func TestExport(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	var all []Event
	for n := range 1500 {
		all = append(all, said(n, fmt.Sprint("<t", n, ">")))
	}
	add(t, r, all...)
	if err := r.Erase(ctx, key(7).ID, key(1007).ID); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := r.Export(ctx, &file, Heading{}); err != nil {
		t.Fatal(err)
	}
	verify := func(b, payload []byte) (Event, error) {
		n, ok := bytes.CutPrefix(b, []byte("header "))
		if !ok || len(n) != 8 {
			return Event{}, errors.New("bad event")
		}
		e := said(int(binary.BigEndian.Uint64(n)), string(bytes.TrimPrefix(payload, []byte("sealed "))))
		if e.Payload = payload; payload == nil {
			e.Text = ""
		}
		return e, nil
	}
	to := room(t, open(t, t.TempDir()), "room")
	n, err := importTo(ctx, to, bytes.NewReader(file.Bytes()), verify)
	want(t, "imported", []any{n, err}, []any{1500, nil})
	n, err = importTo(ctx, to, bytes.NewReader(file.Bytes()), verify)
	want(t, "imported again", []any{n, err}, []any{0, nil})
	var again bytes.Buffer
	if err := to.Export(ctx, &again, Heading{}); err != nil || !bytes.Equal(again.Bytes(), file.Bytes()) {
		t.Errorf("the export of the import differs, %v", err)
	}
	other := room(t, open(t, t.TempDir()), "other")
	if _, err := importTo(ctx, other, bytes.NewReader(file.Bytes()), verify); !errors.Is(err, ErrExport) {
		t.Errorf("into another room: %v", err)
	}
	third := room(t, open(t, t.TempDir()), "room")
	lines := strings.SplitAfter(file.String(), "\n") // heading, 1500 events, end, nothing
	for name, c := range map[string]struct {
		file string
		n    int
		is   error
	}{
		"without the end":                         {strings.Join(lines[:1501], ""), 1500, ErrCut},
		"at the end of a line":                    {strings.Join(lines[:1401], ""), 1400, ErrCut},
		"in a line":                               {strings.Join(lines[:1401], "") + lines[1401][:50], 1400, ErrExport},
		"the heading alone":                       {lines[0], 0, ErrCut},
		"a line is missing":                       {strings.Join(lines[:1400], "") + strings.Join(lines[1401:], ""), 1499, ErrCut},
		"something behind the end":                {file.String() + lines[1], 1500, ErrExport},
		"two ends":                                {file.String() + lines[1501], 1500, ErrExport},
		"of before there was an end, or cut then": {strings.Replace(strings.Join(lines[:1401], ""), `"ends":true,`, "", 1), 1400, nil},
	} {
		third := room(t, open(t, t.TempDir()), "room")
		n, err := importTo(ctx, third, strings.NewReader(c.file), verify)
		if n != c.n || !errors.Is(err, c.is) || c.is == ErrExport && errors.Is(err, ErrCut) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for _, text := range []string{"", "{}", "\n", strings.Repeat("x", maxLine+1)} {
		if _, err := importTo(ctx, third, strings.NewReader(text), verify); !errors.Is(err, ErrExport) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	ctx := t.Context()
	r := room(t, open(t, t.TempDir()), "room")
	for name, f := range map[string]func(*Event){
		"a time":   func(e *Event) { e.Time = 1 << 63 },
		"a number": func(e *Event) { e.Seq = 1 << 63 },
		"a status": func(e *Event) { e.Status = 9 },
		"no bytes": func(e *Event) { e.Bytes = nil },
	} {
		e := said(1, "x")
		f(&e)
		if _, err := r.Add(ctx, said(0, "y"), e); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all, err := r.All(ctx, Key{}, 10)
	want(t, "nothing of them was kept", texts(t, all, err), "")
}
