package share

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Status is how far a share is. Bytes are those of files, without what proves them.
type Status struct {
	Groups, OfGroups int64 // that are there, and that are known of
	Bytes, OfBytes   int64
	Skipped          int64 // bytes, of those that are not there, that are not wanted

	Sent, Got int64   // bytes that went over the network
	Up, Down  float64 // bytes a second, lately

	Manifest, OfManifest int64     // bytes of it that are there, and that somebody has
	Final                bool      // all of the manifest is there
	Root                 tree.Hash // zero while it is not known

	Peers  []PeerStatus // who takes part now, the longest first
	Banned []Ban
	Ended  error // matches ErrEnded if the share has ended for all
}

// A PeerStatus is how far one is who takes part.
type PeerStatus struct {
	ID       peer.ID
	Since    time.Time
	Groups   int64 // that it has, as far as it has told
	All      bool  // it has everything
	Finished bool  // it has all that it wants

	Sent, Got int64   // bytes that were sent to it, and that it has sent
	Up, Down  float64 // bytes a second, lately
}

// Status tells how far the share is. It costs little: it reads once what is new in the manifest,
// all of it after [Share.Had], and looks at no group and no file.
func (s *Share) Status() Status {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weigh()
	v := Status{
		Groups: s.picker.done.count, OfGroups: s.layout.groups,
		Bytes: s.had, OfBytes: s.layout.index.Totals().Bytes, Skipped: s.unwanted,
		Sent: s.up.bytes, Got: s.down.bytes, Up: s.up.rate(now), Down: s.down.rate(now),
		Manifest: s.layout.index.Size(), Final: s.head.Final, Root: s.Root, Ended: s.ended,
	}
	v.OfManifest = v.Manifest
	for _, x := range s.sessions {
		p := PeerStatus{ID: x.peer, Since: x.began, Groups: min(x.m.have.count*piece, s.layout.groups), All: x.m.all, Finished: x.done,
			Sent: x.up.bytes, Got: x.down.bytes, Up: x.up.rate(now), Down: x.down.rate(now)}
		if p.All {
			p.Groups = s.layout.groups
		}
		v.Peers = append(v.Peers, p)
		v.OfManifest = max(v.OfManifest, x.head.Size)
	}
	slices.SortFunc(v.Peers, func(a, b PeerStatus) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	for _, b := range s.banned {
		v.Banned = append(v.Banned, b)
	}
	return v
}

// rateSpan is how long what has happened counts for a rate.
const rateSpan = 2 * time.Second

// A meter counts bytes, and how fast they come.
type meter struct {
	bytes  int64
	weight float64 // of the bytes: the older, the less
	began  time.Time
	last   time.Time
}

func (m *meter) add(n int, now time.Time) {
	if m.began.IsZero() {
		m.began, m.last = now, now
	}
	m.weight = m.aged(now) + float64(n)
	m.last = now
	m.bytes += int64(n)
}

func (m *meter) aged(now time.Time) float64 {
	return m.weight * math.Exp(-now.Sub(m.last).Seconds()/rateSpan.Seconds())
}

// rate returns how many bytes a second have come lately.
func (m *meter) rate(now time.Time) float64 {
	if m.bytes == 0 {
		return 0
	}
	since := max(now.Sub(m.began), rateSpan/8).Seconds() / rateSpan.Seconds()
	return m.aged(now) / rateSpan.Seconds() / (1 - math.Exp(-since))
}

// weigh counts the bytes of groups that came before somebody asked for how many they have.
func (s *Share) weigh() {
	r := tree.Run{From: s.weighed, To: s.layout.groups}
	s.had += s.layout.bytes(&s.picker.done, r)
	s.unwanted += s.layout.bytes(&s.picker.skipped, r)
	s.weighed = r.To
}

// reweigh notes that groups are there, or not wanted, that need not be among those that will
// be weighed. All are counted anew when somebody asks, since they may come in many runs.
func (s *Share) reweigh(r tree.Run) {
	if r.From < s.weighed {
		s.weighed, s.had, s.unwanted = 0, 0, 0
	}
}
