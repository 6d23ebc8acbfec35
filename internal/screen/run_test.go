package screen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A terminal is what a program writes to, and what it is typed at.
type terminal struct {
	mu   sync.Mutex // guards what follows
	all  bytes.Buffer
	news chan struct{}
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all.Write(p)
	select {
	case x.news <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (x *terminal) raw() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all.String()
}

// sees waits until something was drawn.
func (x *terminal) sees(t *testing.T, want string) {
	t.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(ansi.Strip(x.raw()), want) {
		select {
		case <-x.news:
		case <-late:
			t.Fatalf("no %q in %q", want, ansi.Strip(x.raw()))
		}
	}
}

// running is a screen that runs, with what it was typed at and what it has written.
type running struct {
	keys *io.PipeWriter
	out  *terminal
	done chan error
}

func start(t *testing.T, ctx context.Context, f Node, open string) *running {
	in, keys := io.Pipe()
	r := &running{keys, &terminal{news: make(chan struct{}, 1)}, make(chan error, 1)}
	go func() {
		r.done <- Run(ctx, f, Options{Open: open, In: in, Out: r.out, zone: time.UTC, size: [2]int{100, 30}})
	}()
	t.Cleanup(func() { keys.Close() }) //nolint:errcheck // it ends what reads
	return r
}

func (r *running) types(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(r.keys, s); err != nil {
		t.Fatal(err)
	}
}

// restored tells whether the terminal was left as it was found.
func (r *running) restored(t *testing.T) {
	t.Helper()
	raw := r.out.raw()
	for _, pair := range [][2]string{
		{ansi.SetModeAltScreenSaveCursor, ansi.ResetModeAltScreenSaveCursor}, {ansi.SetModeBracketedPaste, ansi.ResetModeBracketedPaste},
		{ansi.SetModeFocusEvent, ansi.ResetModeFocusEvent}, {ansi.SetModeMouseButtonEvent, ansi.ResetModeMouseButtonEvent},
	} {
		if begin, end := strings.LastIndex(raw, pair[0]), strings.LastIndex(raw, pair[1]); begin < 0 || end < begin {
			t.Errorf("%q is at %d, %q at %d", pair[0], begin, pair[1], end)
		}
	}
}

// A whole program: it draws, says what is typed, goes on after the node was away, and ends.
func TestRun(t *testing.T) {
	f, r := lobby()
	x := start(t, t.Context(), f, "lobby")
	x.out.sees(t, "hello, is somebody there?")
	x.types(t, "typed here\r")
	x.out.sees(t, "me         typed here")
	f.restart(false)
	x.out.sees(t, "no answer from the node")
	f.mu.Lock()
	f.says(r, "bob", "said meanwhile")
	f.mu.Unlock()
	f.restart(true)
	x.out.sees(t, "said meanwhile")
	f.hears(r, "carol", "and heard")
	x.out.sees(t, "and heard")
	x.types(t, "/quit\r")
	if err := <-x.done; err != nil {
		t.Fatal(err)
	}
	x.restored(t)
}

// A signal, which is the end of the context, ends it and leaves the terminal as it was.
func TestRunIsEnded(t *testing.T) {
	f, _ := lobby()
	why := errors.New("hang-up")
	ctx, end := context.WithCancelCause(t.Context())
	x := start(t, ctx, f, "")
	x.out.sees(t, "#builds")
	end(why)
	if err := <-x.done; !errors.Is(err, why) {
		t.Errorf("it ended with %v", err)
	}
	x.restored(t)
}

// A bug ends it, and leaves the terminal as it was, too.
func TestRunPanics(t *testing.T) {
	f, _ := lobby()
	x := start(t, t.Context(), panics{f}, "")
	x.out.sees(t, "build 17")
	x.types(t, "boom\r")
	if err := <-x.done; err == nil {
		t.Error("it ended without an error")
	}
	x.restored(t)
}

type panics struct{ *fake }

func (panics) SayInRoom(context.Context, string, api.RoomSay) (api.RoomMessage, error) {
	panic("a bug for a test")
}

// Who is not there is told of before anything is drawn.
func TestRunNobody(t *testing.T) {
	f, _ := lobby()
	x := start(t, t.Context(), f, "nobody")
	if err := <-x.done; !errors.Is(err, api.ErrNotFound) {
		t.Errorf("it ended with %v", err)
	}
	if raw := x.out.raw(); raw != "" {
		t.Errorf("drawn: %q", raw)
	}
}
