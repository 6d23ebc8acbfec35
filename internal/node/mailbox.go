package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/internal/chat/mailbox"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	meeting "github.com/tenon-net/tenon/internal/peer/mailbox"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Mailbox are the settings of the mailbox for rooms: sealed blobs are kept for members who are away.
type Mailbox struct {
	For  string `toml:"mailbox"`      // whose rooms: "" = nobody's, "friends", "anyone"
	Size string `toml:"mailbox-size"` // bytes in all: "512MiB"
	Time string `toml:"mailbox-time"` // for how long each is kept: "30d"
}

const (
	mailboxDir     = "mailbox" // in the state directory
	minMailboxSize = 1 << 20
	minMailboxTime = time.Hour
)

// fault finds a setting that cannot be.
func (m *Mailbox) fault() (key string, err error) {
	if m.For != "" && m.For != "friends" && m.For != "anyone" {
		return "mailbox", fmt.Errorf("a mailbox is for friends or anyone, not for %q", m.For)
	}
	if m.Size != "" {
		if n, err := opt.ParseSize(m.Size); err != nil || n < minMailboxSize || n > mailbox.MaxBytes {
			return "mailbox-size", fmt.Errorf("mailbox-size is a number of bytes from 1MiB to 768MiB, such as 512MiB, not %q", m.Size)
		}
	}
	if m.Time != "" {
		if d, err := opt.ParseDuration(m.Time); err != nil || d < minMailboxTime {
			return "mailbox-time", fmt.Errorf("mailbox-time is a time of at least 1h, such as 30d, not %q", m.Time)
		}
	}
	return "", nil
}

// limits returns what the settings say, which were checked.
func (m *Mailbox) limits() (l mailbox.Limits) {
	l.All.Bytes, _ = opt.ParseSize(m.Size) //nolint:errcheck // it was checked
	l.Keep, _ = opt.ParseDuration(m.Time)  //nolint:errcheck // it was checked
	return l
}

// openMailbox keeps what is brought to a presence, if the settings say so, until close is called.
func (n *Node) openMailbox(ctx context.Context, self peer.ID, m Mailbox) (s *mailbox.Server, closeIt func(), err error) {
	if m.For == "" {
		return nil, func() {}, nil
	}
	db, err := store.Open(ctx, filepath.Join(n.config.Dir, mailboxDir))
	if err != nil {
		return nil, nil, err
	}
	s, err = mailbox.Open(ctx, mailbox.Config{DB: db, Self: self, Limits: m.limits(), Caller: func(id peer.ID, st transport.Stream) (mailbox.Caller, bool) {
		return n.mailboxCaller(id, st, m.For == "anyone")
	}})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return s, func() {
		s.Close()
		db.Close() //nolint:errcheck // what was acknowledged is on the disk
	}, nil
}

// mailboxCaller tells on whose account a peer has things kept: friends are who is paired. Others may have
// many keys, so they count by where they come from.
func (n *Node) mailboxCaller(id peer.ID, s transport.Stream, guests bool) (mailbox.Caller, bool) {
	a := n.access.Load()
	switch {
	case a.Blocked[id]:
		return mailbox.Caller{}, false
	case a.Paired[id]:
		return mailbox.Caller{Name: "peer " + id.String(), Friend: true}, true
	}
	return mailbox.Caller{Name: "host " + meeting.Host(s)}, guests
}

// mailboxStatus tells what the mailbox keeps; nil: there is none.
func (n *Node) mailboxStatus() *api.MailboxStatus {
	n.pmu.RLock()
	s := n.mailbox
	n.pmu.RUnlock()
	if s == nil {
		return nil
	}
	n.mu.Lock()
	whose := n.settings.Mailbox.For
	n.mu.Unlock()
	x, most := s.Stats(), s.Limits().DayAll
	return &api.MailboxStatus{For: whose, Bytes: x.Bytes, Blobs: x.Blobs,
		TodayBytes: x.Today.Bytes, TodayBlobs: x.Today.Blobs, DayBytes: most.Bytes, DayBlobs: most.Blobs}
}
