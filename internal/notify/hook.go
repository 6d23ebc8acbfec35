package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
)

// Bounds of a hook. What is beyond them is left out.
const (
	hooksAtOnce = 4
	hooksQueued = 32
	hooksBurst  = 20 // and then one in a second
	hookTime    = 30 * time.Second
)

// A hook writes notifications to an end, mostly a program, which is opened for each.
type hook struct {
	address string
	dial    func(ctx context.Context, address string) (transport.Stream, error)
	warn    func(text string)
	queue   chan Notification
	cancel  context.CancelFunc
	all     sync.WaitGroup
	rate    throttle.Set[string]
	said    throttle.Set[string] // how often it is said what has failed
}

func newHook(address string, dial func(context.Context, string) (transport.Stream, error), warn func(string)) *hook {
	h := &hook{address: address, dial: dial, warn: warn, queue: make(chan Notification, hooksQueued),
		rate: throttle.Set[string]{Every: time.Second, Burst: hooksBurst, Keys: 1},
		said: throttle.Set[string]{Every: time.Minute, Burst: 1, Keys: 1}}
	var ctx context.Context
	ctx, h.cancel = context.WithCancel(context.Background())
	for range hooksAtOnce {
		h.all.Go(func() { h.work(ctx) })
	}
	return h
}

func (h *hook) notify(n Notification) {
	if h.rate.Allow("") {
		select {
		case h.queue <- n:
			return
		default:
		}
	}
	h.fail(errors.New("there is too much to tell; some was left out"))
}

func (h *hook) read(string) {}

// close ends what runs, and waits for that.
func (h *hook) close() {
	h.cancel()
	h.all.Wait()
}

func (h *hook) fail(err error) {
	if h.said.Allow("") {
		h.warn(fmt.Sprintf("notify: %v", err))
	}
}

func (h *hook) work(ctx context.Context) {
	for {
		select {
		case n := <-h.queue:
			if err := h.tell(ctx, n); err != nil && ctx.Err() == nil {
				h.fail(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell writes a notification, and waits for the other side to end. A program is ended with all that it has started when it
// takes too long, or the Notifier is closed. What others have written is in no variable and no argument.
func (h *hook) tell(ctx context.Context, n Notification) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hookTime, errors.New("it took too long"))
	defer cancel()
	vars := []string{"TENON_WHY=" + n.Why, "TENON_ROOM=" + n.Room}
	if n.Message != nil {
		vars = append(vars, "TENON_MESSAGE="+n.Message.ID)
	}
	c, err := h.dial(transport.WithEnviron(ctx, vars...), h.address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { transport.Abort(c, context.Cause(ctx)) }) //nolint:errcheck // Close tells
	_, written := c.Write(append(text, '\n'))                                         // a program that reads nothing has its status
	if written == nil {
		c.CloseWrite() //nolint:errcheck // an end that cannot ends otherwise
	}
	io.Copy(io.Discard, c) //nolint:errcheck // likewise
	err = c.Close()
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.RemoteAddr(), err)
	}
	return nil
}
