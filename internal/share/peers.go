package share

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// What is told of others.
const (
	maxPeers  = 32  // in a frame
	maxAddrs  = 8   // of one peer
	maxAddr   = 256 // bytes
	ownTime   = time.Minute
	peersTime = time.Second // between two frames that tell of others
	maxNamed  = 64          // peers that are heard of from one at once; then one a second
)

// A contact is somebody who takes part, and where it says that it may be reached.
type contact struct {
	id    peer.ID
	addrs []string
}

// An introduction is what somebody says of others who take part; from is nobody's if they
// were named by the user of the Share.
type introduction struct {
	from peer.ID
	ids  []peer.ID
}

func appendContacts(b []byte, cs []contact) []byte {
	for _, c := range cs {
		b = append(append(b, c.id.Bytes()...), byte(len(c.addrs)))
		for _, a := range c.addrs {
			b = append(binary.AppendUvarint(b, uint64(len(a))), a...)
		}
	}
	return b
}

func parseContacts(p []byte) (cs []contact, err error) {
	f := fields{p: p}
	for len(f.p) > 0 && !f.bad && len(cs) < maxPeers {
		c := contact{}
		if c.id, err = peer.NewID(f.take(32)); err != nil {
			return nil, errWire
		}
		for n := f.take(1)[0]; len(c.addrs) < int(n) && !f.bad; {
			length := f.number()
			if n > maxAddrs || length > maxAddr {
				return nil, errWire
			}
			a := string(f.take(int(length)))
			f.bad = f.bad || !isAddress(a)
			c.addrs = append(c.addrs, a)
		}
		cs = append(cs, c)
	}
	return cs, f.end()
}

// isAddress tells whether something can be an address: visible characters of ASCII. Whether
// it is one, and may be dialed, is not for this package to judge.
func isAddress(a string) bool {
	for i := range len(a) {
		if a[i] <= ' ' || a[i] > '~' {
			return false
		}
	}
	return len(a) > 0 && len(a) <= maxAddr
}

// own returns a frame that tells where this process may be reached, if that has changed.
func (x *session) own(now time.Time) [][]byte {
	if now.Sub(x.ownAt) < ownTime {
		return nil
	}
	first := x.ownAt.IsZero()
	x.ownAt = now
	var addrs []string
	if x.share.Own != nil {
		for _, a := range x.share.Own() {
			if isAddress(a) && len(addrs) < maxAddrs {
				addrs = append(addrs, a)
			}
		}
	}
	if !first && slices.Equal(addrs, x.toldOwn) {
		return nil
	}
	x.toldOwn = addrs
	b := appendContacts(appendFrame(nil, framePeers, 0), []contact{{x.share.Self, addrs}})
	return [][]byte{closeFrame(b)}
}

// unheard returns others who take part and of whom the other side was not told, or who have
// said something new of themselves since: those who have said it longest ago. It is to be
// called again after a while.
func (s *Share) unheard(x *session, now time.Time) (some []contact, again time.Duration) {
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
	for _, o := range news[:min(len(news), maxPeers)] {
		some = append(some, contact{o.peer, o.addrs})
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
	cs, err := parseContacts(p)
	if err != nil {
		return err
	}
	s := x.share
	in := introduction{from: x.peer}
	for _, c := range cs {
		if x.named++; x.named > may {
			break
		}
		switch c.id {
		case s.Self:
			continue
		case x.peer:
			x.says(c.addrs)
		default:
			in.ids = append(in.ids, c.id)
		}
		if s.Learnt != nil {
			s.Learnt(x.peer, c.id, c.addrs)
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

// Found names others who may take part, to be asked by [Share.Join].
func (s *Share) Found(ids ...peer.ID) {
	select {
	case s.found <- introduction{ids: ids}:
	default: // enough are known
	}
}
