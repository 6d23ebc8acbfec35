package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// An end is what a hook writes to. It ends when it is told to, or aborted.
type end struct {
	transport.Stream // nil: what is not here is not called
	hooks            *hooks
	text             []byte
	vars             []string
	over             chan struct{}
	once             sync.Once
	err              error
}

func (e *end) Write(p []byte) (int, error) { e.text = append(e.text, p...); return len(p), nil }
func (e *end) CloseWrite() error           { e.hooks.open <- e; return nil }
func (e *end) Read([]byte) (int, error)    { <-e.over; return 0, io.EOF }
func (e *end) RemoteAddr() net.Addr        { return transport.Addr{Net: "exec", Name: "hook"} }
func (e *end) Close() error                { return e.err }
func (e *end) Abort(error) error           { e.end(errors.New("it was ended")); return nil }

func (e *end) end(err error) {
	e.once.Do(func() {
		e.err = err
		close(e.over)
	})
}

// hooks are ends that are opened.
type hooks struct {
	open chan *end // those that run

	mu     sync.Mutex // guards what follows
	warned []string
	broken bool
}

func newHooks() (*hooks, *hook) {
	x := &hooks{open: make(chan *end, 1000)}
	return x, newHook("exec:hook", x.dial, func(text string) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.warned = append(x.warned, text)
	})
}

func (x *hooks) dial(ctx context.Context, address string) (transport.Stream, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken || address != "exec:hook" {
		return nil, errors.New("there is no such program")
	}
	return &end{hooks: x, vars: transport.Environ(ctx), over: make(chan struct{})}, nil
}

func (x *hooks) warnings() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.warned)
}

var hostile = Notification{Why: Mention, Room: "0123", Name: "$(reboot)", From: "`reboot`", Message: &api.RoomMessage{ID: "4567", Text: "'; reboot; \n$HOME () { :;};"}}

// A program gets all in JSON, and nothing that others have written in any other way.
func TestHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, h := newHooks()
		h.notify(hostile)
		e := <-x.open
		var n Notification
		if err := json.Unmarshal(e.text, &n); err != nil || n.Message == nil || n.Message.Text != hostile.Message.Text || n.Name != hostile.Name || !strings.HasSuffix(string(e.text), "}\n") {
			t.Errorf("it gets %q, %v", e.text, err)
		}
		if want := []string{"TENON_WHY=mention", "TENON_ROOM=0123", "TENON_MESSAGE=4567"}; !slices.Equal(e.vars, want) {
			t.Errorf("its environment has %q", e.vars)
		}
		e.end(nil)
		h.notify(Notification{Why: Offer, Room: "0123"})
		e = <-x.open
		e.end(errors.New("exit status 1"))
		synctest.Wait()
		if w := x.warnings(); len(w) != 1 || !strings.Contains(w[0], "exit status 1") || len(e.vars) != 2 {
			t.Errorf("%q is said, its environment has %q", w, e.vars)
		}
		x.mu.Lock()
		x.broken = true
		x.mu.Unlock()
		for range 10 {
			h.notify(hostile)
			time.Sleep(10 * time.Second)
		}
		if w := x.warnings(); len(w) != 2 { // one a minute
			t.Errorf("said is %q", w)
		}
		h.close()
	})
}

// A few run at once, some wait, and the rest is left out; what takes too long is ended, and all when the Notifier is.
func TestHookBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, h := newHooks()
		for range 1000 {
			h.notify(hostile)
		}
		synctest.Wait()
		if n := len(x.open); n != hooksAtOnce {
			t.Errorf("%d run", n)
		}
		if w := x.warnings(); len(w) != 1 || !strings.Contains(w[0], "too much") {
			t.Errorf("said is %q", w)
		}
		time.Sleep(hookTime + time.Second) // the first were ended
		synctest.Wait()
		if n := len(x.open); n != 2*hooksAtOnce {
			t.Errorf("%d have run", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(x.open); n != hooksBurst {
			t.Errorf("%d have run in all", n)
		}
		h.notify(hostile)
		for range hooksBurst {
			<-x.open
		}
		last := <-x.open
		h.close()
		select {
		case <-last.over:
		default:
			t.Error("it goes on")
		}
	})
}
