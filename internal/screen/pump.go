package screen

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

// A happened is what has happened since the last one; the order is that of the node.
type happened struct {
	events []api.RoomEvent
	lost   error // the node cannot be heard any more, and will be asked again
}

// A pump hears what happens in all rooms, and goes on when it has lost the node. After each loss, and when the node
// says that it has forgotten some of it, the model asks for what is true; so events need not be complete.
type pump struct {
	node Node
	out  chan happened
}

const (
	gather   = 20 * time.Millisecond // what happens within it comes together
	maxBatch = 500                   // events that come together
	minRetry = 100 * time.Millisecond
	maxRetry = 3 * time.Second
)

func newPump(node Node) *pump { return &pump{node, make(chan happened)} }

// next waits for the next message of the pump.
func (p *pump) next(ctx context.Context) tea.Cmd {
	return func() tea.Msg {
		select {
		case h := <-p.out:
			return h
		case <-ctx.Done():
			return nil
		}
	}
}

// run hears until ctx is done.
func (p *pump) run(ctx context.Context) {
	retry := minRetry
	for ctx.Err() == nil {
		heard, err := p.hear(ctx)
		if heard {
			retry = minRetry
		}
		if !p.give(ctx, happened{lost: err}) {
			return
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
		retry = min(2*retry, maxRetry)
	}
}

func (p *pump) give(ctx context.Context, h happened) bool {
	select {
	case p.out <- h:
		return true
	case <-ctx.Done():
		return false
	}
}

// hear passes events on until there are no more, and returns why.
func (p *pump) hear(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan api.RoomEvent)
	done := make(chan error, 1)
	go func() { done <- p.read(ctx, events) }()
	defer cancel()
	for e := range events {
		heard = true
		batch := []api.RoomEvent{e}
		for tick := time.After(gather); len(batch) < maxBatch; {
			more := false
			select {
			case e, more = <-events:
			case <-tick:
			}
			if !more {
				break
			}
			batch = append(batch, e)
		}
		if !p.give(ctx, happened{events: batch}) {
			break // nobody listens any more, and nobody reads
		}
	}
	cancel()
	if err = <-done; err == nil {
		err = errEnded
	}
	return heard, err
}

// errEnded: the node has said that nothing more is to come.
var errEnded = errors.New("the node has ended")

// read hands events over one by one.
func (p *pump) read(ctx context.Context, to chan<- api.RoomEvent) error {
	defer close(to)
	for e, err := range p.node.RoomEvents(ctx, 0) {
		if err != nil {
			return err
		}
		select {
		case to <- e:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
