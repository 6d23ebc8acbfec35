//go:build linux

package bus

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/rundir"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// kindName is the name of the kind.
const kindName = "bus"

// MaxMsg is the length in bytes of the longest message.
const MaxMsg = 1 << 20

// The bounds of what waits for one member, in its own process, and once more in the
// hub's for a process that does not get to run.
const (
	DefaultQueue     = 1024     // messages
	DefaultQueueSize = 4 << 20  // bytes
	maxQueue         = 1 << 16  // messages that a member may ask for
	maxQueueSize     = 64 << 20 // bytes that a member may ask for
)

// What happens when the queue of a member is full.
const (
	Skip = "skip" // the oldest message is dropped, and counted: see [Conn.Lost]
	Cut  = "cut"  // the member is removed; its reads fail with [ErrSlow] after what is queued
	Wait = "wait" // those who publish wait, for a second at most for each message, then as cut; as long as it does not read, its own writes wait, too
)

// Bus is a place where members meet. The zero value of its options is a member that
// wants the last message, and skips what it is too slow for.
type Bus struct {
	// Name is where the members meet: a name that is this user's own, the path
	// of a socket, which has a slash in it, or "@" and an abstract name. At an
	// abstract name the first member waits for 150 ms, because nothing there tells
	// it that there have been no others before.
	Name string

	Queue     int        // messages that may wait for this member; 0 is DefaultQueue
	QueueSize int64      // bytes of them, each with 64 more; 0 is DefaultQueueSize; one message fits always
	Slow      string     // Skip, Cut or Wait; "" is Skip
	Last      opt.Switch // begin with the message published last before this member came; on

	// Access is who may be a member. It is applied by the member that plays the
	// hub, to those who come, and by those who come, to the hub: give it to all
	// alike. The zero value is this user and root.
	local.Access
}

var (
	_ transport.Dialer    = (*Bus)(nil)
	_ transport.Validator = (*Bus)(nil)
)

// Bind binds the target and the options.
func (b *Bus) Bind(s *opt.Set) {
	s.Target(opt.Text, "NAME|PATH|@NAME", func(t address.Target) error {
		b.Name = t.Text
		return b.checkName()
	})
	s.Int(&b.Queue, "queue", DefaultQueue, 1, maxQueue, "messages that may wait for this member")
	s.Size(&b.QueueSize, "queue-size", DefaultQueueSize, "bytes of messages that may wait for this member; at most 64M")
	s.Enum(&b.Slow, "slow", "what happens when more than that waits: the oldest is dropped, this member is removed, or those who publish wait for a second at most", Skip, Cut, Wait)
	s.Switch(&b.Last, "last", true, "begin with the message that was published last before")
	s.Embed(&b.Access)
}

// Validate looks at the name and the bounds, and looks users and groups up.
func (b *Bus) Validate() error {
	if err := b.checkName(); err != nil {
		return err
	}
	switch {
	case b.Queue < 0 || b.Queue > maxQueue:
		return transport.Mark(errors.New("queue: must be from 1 to 65536"), transport.ErrUsage)
	case b.QueueSize < 0 || b.QueueSize > maxQueueSize:
		return transport.Mark(errors.New("queue-size: must be at most 64M"), transport.ErrUsage)
	case ruleOf(b.Slow) == 0:
		return transport.Mark(errors.New("slow: must be skip, cut or wait"), transport.ErrUsage)
	}
	return b.Access.Validate()
}

func (b *Bus) checkName() error {
	if b.Name == "" || b.Name == "@" {
		return transport.WithHint(transport.Mark(errors.New("there is no name"), transport.ErrUsage), "for example bus:events")
	}
	return nil
}

// rendezvous is where members meet.
func (b *Bus) rendezvous(a local.Access) *rundir.Rendezvous {
	return &rundir.Rendezvous{Name: b.Name, Ext: ext, Access: a,
		Hint: "allow-uid=USER lets another user be a member, and play the hub"}
}

// ext ends the file of a name that is no path.
const ext = ".bus"

// Dial becomes a member. The Conn is a [*Conn].
func (b *Bus) Dial(ctx context.Context) (transport.Conn, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	c := newConn(b)
	running, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	l, err := c.meet(ctx)
	if err != nil {
		cancel()
		if c.hub != nil {
			c.hub.close(c.origin)
		}
		return nil, err
	}
	go c.run(running, l)
	return c, nil
}
