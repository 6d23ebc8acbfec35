package node

import (
	"errors"
	"slices"
	"sync"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/notify"
)

// A notifier tells the person of this node of messages, as the settings say.
type notifier struct {
	mu     sync.Mutex // guards what follows; held while it begins and ends
	to     []string
	runs   *notify.Notifier
	client *api.Client
}

// set has it tell these, or nobody.
func (x *notifier) set(n *Node, to []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n.life.Err() != nil {
		to = nil
	}
	if slices.Equal(to, x.to) {
		return
	}
	if x.runs != nil {
		if err := errors.Join(x.runs.Close(), x.client.Close()); err != nil {
			n.tell(api.Event{Type: "warning", Text: err.Error()})
		}
		x.runs, x.client = nil, nil
	}
	if x.to = slices.Clone(to); len(to) == 0 {
		return
	}
	x.client = n.Client()
	x.runs = notify.New(notify.Config{Node: x.client, To: x.to, Dial: n.opener.DialStream,
		Warn: func(text string) { n.tell(api.Event{Type: "warning", Text: text}) }})
}
