package share

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// What is told of others.
const (
	ownTime   = time.Minute
	peersTime = time.Second // between two frames that tell of others
	maxNamed  = 64          // peers that are heard of from one at once; then one a second
)

// An introduction is what somebody says of others who take part; from is nobody's if the user
// of the Share has found them.
type introduction struct {
	from peer.ID
	ids  []peer.ID
}

// own returns a frame that tells where this process may be reached, if that has changed.
func (x *session) own(now time.Time) [][]byte {
	if x.sealed != nil || now.Sub(x.ownAt) < ownTime {
		return nil
	}
	first := x.ownAt.IsZero()
	x.ownAt = now
	var addrs []string
	if x.share.Own != nil {
		addrs = peer.ContactAddrs(x.share.Own())
	}
	if !first && slices.Equal(addrs, x.toldOwn) {
		return nil
	}
	x.toldOwn = addrs
	b := peer.AppendContacts(appendFrame(nil, framePeers, 0), peer.Contact{ID: x.share.Self, Addrs: addrs})
	return [][]byte{closeFrame(b)}
}

// unheard returns others who take part and of whom the other side was not told, or who have
// said something new of themselves since: those who have said it longest ago. It is to be
// called again after a while.
func (s *Share) unheard(x *session, now time.Time) (some []peer.Contact, again time.Duration) {
	var news []*session
	for _, o := range s.sessions {
		if o != x && o.said > x.toldPeers {
			news = append(news, o)
		}
	}
	switch {
	case len(news) == 0:
		return nil, silence
	case now.Sub(x.peersAt) < peersTime:
		return nil, peersTime
	}
	x.peersAt = now
	slices.SortFunc(news, func(a, b *session) int { return cmp.Compare(a.said, b.said) })
	for _, o := range news[:min(len(news), peer.MaxContacts)] {
		some = append(some, peer.Contact{ID: o.peer, Addrs: o.addrs})
		x.toldPeers = o.said
	}
	return some, peersTime
}

// takePeers learns who else takes part, and where the other side and these may be reached.
// Whoever tells of more than anybody could use is not listened to.
func (x *session) takePeers(p []byte) error {
	may := maxNamed + int(time.Since(x.began)/time.Second)
	if x.named >= may {
		return nil // to look whether these are keys takes time, too
	}
	cs, err := peer.ParseContacts(p)
	if err != nil {
		return fmt.Errorf("%w: %w", errWire, err)
	}
	s := x.share
	in := introduction{from: x.peer}
	for _, c := range cs {
		if x.named++; x.named > may {
			break
		}
		if c.ID == s.Self {
			continue
		}
		if s.Learnt != nil {
			c.Addrs = s.Learnt(x.peer, c.ID, c.Addrs)
		}
		if c.ID == x.peer {
			x.says(c.Addrs)
		} else {
			in.ids = append(in.ids, c.ID)
		}
	}
	if len(in.ids) > 0 {
		select {
		case s.found <- in:
		default: // enough are known
		}
	}
	return nil
}

// says notes where the other side may be reached, for others to be told.
func (x *session) says(addrs []string) {
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.said > 0 && slices.Equal(x.addrs, addrs) {
		return
	}
	s.said++
	x.addrs, x.said = addrs, s.said
	s.kickAll()
}

// Found names others who may take part, to be asked by [Share.Join]. Whoever says so need not speak the
// truth: a few are tried at a time, a few times each, and they may be named again later.
func (s *Share) Found(ids ...peer.ID) {
	select {
	case s.found <- introduction{ids: ids}:
	default: // enough are known
	}
}
