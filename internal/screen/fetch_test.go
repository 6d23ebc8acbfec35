package screen

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// files has bob say a file in the lobby.
func files() (*fake, *fakeRoom) {
	f, r := lobby()
	e := f.says(r, "bob", "the pictures")
	last := &r.messages[len(r.messages)-1]
	last.Kind, last.File = "file", &api.RoomFile{Name: "trip.zip", Size: 12 << 20, Ticket: "tenon1secret"}
	f.says(r, "alice", "thank you")
	r.Read, r.Unread = e.ID, 0
	return f, r
}

func at(have int64, peers int) api.FetchEvent {
	return api.FetchEvent{Type: api.FetchProgress, Share: &api.Share{Bytes: 12 << 20, Have: have, GotPS: 2.5 * (1 << 20), Peers: make([]api.SharePeer, peers)}}
}

// A file comes when the user says so, and its line tells how far it is.
func TestFetch(t *testing.T) {
	f, _ := files()
	d := sit(t, f, 150, 16, "lobby")
	d.sees("file trip.zip (12.0 MiB)", "the pictures")
	f.fetch = func(_ context.Context, yield func(api.FetchEvent, error) bool) {
		d.sees("trip.zip (12.0 MiB)  looking for who has it")
		yield(at(0, 0), nil)
		yield(at(3<<20, 2), nil)
		d.sees("trip.zip (12.0 MiB)  25%, 3.0 MiB of 12.0 MiB, 2.5 MiB/s", "o stops fetching")
		golden.Check(t, "testdata/fetching.txt", d.frame()+"\n")
		yield(api.FetchEvent{Type: api.FetchNote, Text: "something"}, nil)
		d.sees("25%")
		yield(api.FetchEvent{Type: api.FetchDone, Paths: []string{"/downloads/trip.zip"}}, nil)
	}
	d.press("up", "up")
	d.sees("o fetches it")
	d.press("o")
	d.sees("trip.zip (12.0 MiB)  it is /downloads/trip.zip", "o fetches it")
	d.asked("fetch id-lobby m6 /downloads")
	d.seesNot("tenon1secret")
}

// Who stops it can go on with it, and who gets nothing is told why.
func TestFetchStopped(t *testing.T) {
	f, r := files()
	d := sit(t, f, 150, 16, "lobby")
	f.fetch = func(ctx context.Context, yield func(api.FetchEvent, error) bool) {
		yield(at(3<<20, 1), nil)
		d.enter("/get")
		yield(api.FetchEvent{}, ctx.Err())
	}
	d.enter("/get")
	d.sees("stopped: o goes on with it")
	f.fetch = func(_ context.Context, yield func(api.FetchEvent, error) bool) {
		yield(api.FetchEvent{}, transport.WithHint(errors.New("nobody is there"), "later"))
	}
	d.enter("/get")
	d.sees("not fetched: nobody is there (later)")
	f.fetch = func(context.Context, func(api.FetchEvent, error) bool) {}
	d.enter("/get")
	d.sees("not fetched: the node has ended")
	r.messages = r.messages[:3]
	other := sit(t, f, 150, 16, "lobby")
	other.enter("/get")
	other.sees("there is no file here")
}

// What is shared is said when it has been read, however long that takes, and comes in the order in which all was typed.
func TestShareFile(t *testing.T) {
	f, r := lobby()
	d := sit(t, f, 150, 16, "lobby")
	path := t.TempDir()
	d.enter("/file " + path + " look at this")
	d.pass(time.Hour)
	if last := r.messages[len(r.messages)-1]; last.Text != "look at this" {
		t.Errorf("said is %+v", last)
	}
	d.press("up", "o")
	d.seesNot("fetch")
}

// The files of a room are listed, the last one first, with who has them; one is fetched from there.
func TestFiles(t *testing.T) {
	f, r := files()
	for _, x := range []struct {
		who, name string
		here      bool
	}{{"alice", "plan.pdf", false}, {"me", "mine.txt", true}} {
		f.says(r, x.who, "")
		last := &r.messages[len(r.messages)-1]
		last.Kind, last.File = "file", &api.RoomFile{Name: x.name, Size: 1 << 10, Here: x.here}
	}
	r.Read, r.Unread = r.messages[len(r.messages)-1].ID, 0
	d := sit(t, f, 100, 16, "lobby")
	d.enter("/files")
	d.sees("mine.txt (1.0 KiB)", "here: /home/me/mine.txt", "alice: connected, and has it", "nobody who is connected is known to have it")
	golden.Check(t, "testdata/files.txt", d.frame()+"\n")
	f.fetch = func(_ context.Context, yield func(api.FetchEvent, error) bool) {
		yield(at(3<<20, 2), nil)
		d.sees("25%, 3.0 MiB of 12.0 MiB")
		yield(api.FetchEvent{Type: api.FetchDone, Paths: []string{"/downloads/trip.zip"}}, nil)
	}
	d.press("down", "down", "enter")
	d.asked("fetch id-lobby m6 /downloads")
	d.sees("it is /downloads/trip.zip")
	d.press("up", "up", "enter")
	d.sees("this computer has shared it itself")
	d.press("down", "down", "g")
	d.sees("the pictures")
	if d.m.picked != "m6" {
		t.Errorf("%q is picked", d.m.picked)
	}

	empty, _ := lobby()
	d = sit(t, empty, 100, 16, "lobby")
	d.enter("/files")
	d.sees("nothing: /file PATH shares one")
	d.press("esc")
	d.sees("I am")
}
