package lan

import (
	"crypto/hmac"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/throttle"
)

// shareType is what those ask for who look for others that have a share. Nobody announces that it has one: who has it
// answers to who knows it. docs/protocol/lan.md, chapter "Shares".
const shareType = "_tenon-share._udp.local."

// Limits of what shares cost.
const (
	shareTTL      = 10                     // seconds: an answer is for one question
	shareSpread   = 500 * time.Millisecond // in which those who have a share answer
	shareEnough   = 8                      // who answer one question; others keep silent then
	maxPending    = 64                     // answers that are about to be given
	shareDays     = 1                      // by which the clocks of two may differ
	shareAskEvery = time.Minute            // it is asked for a share that is not there
)

// Rates: who may ask, and be found. The first is how many at once, then comes one so often.
func newAsked() throttle.Set[netip.Addr] {
	return throttle.Set[netip.Addr]{Every: time.Second / 4, Burst: 64, Keys: 256}
}

func newAllAsked() throttle.Set[struct{}] {
	return throttle.Set[struct{}]{Every: time.Second / 20, Burst: 256, Keys: 1}
}

// A sought share is what stands in a question: a name by chance, under which it is asked, and a tag that follows from it
// and the day for those who know the share.
type sought struct {
	day       uint32 // since 1970
	name, tag string
}

func today() uint32 { return uint32(time.Now().Unix() / (24 * 60 * 60)) }

// shareTag is the tag of a share under a name.
func shareTag(k peer.FindKey, day uint32, name string) string {
	sum := k.Derive("tenon lan share 1 question", binary.BigEndian.AppendUint32(nil, day), []byte(name))
	return encoding.EncodeToString(sum[:10])
}

// question returns the message that asks.
func (q sought) question() ([]byte, error) {
	name, err := dnsmessage.NewName(strings.Join([]string{q.name, q.tag, strconv.FormatUint(uint64(q.day), 10), shareType}, "."))
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}}
	return m.Pack()
}

// readSought reads the name of a question, in small letters.
func readSought(name string) (q sought, ok bool) {
	name, ok = strings.CutSuffix(name, "."+shareType)
	parts := strings.Split(name, ".")
	if !ok || len(parts) != 3 || !isName(parts[0]) || !isName(parts[1]) {
		return sought{}, false
	}
	day, err := strconv.ParseUint(parts[2], 10, 31)
	if err != nil || parts[2] != strconv.FormatUint(day, 10) {
		return sought{}, false
	}
	return sought{uint32(day), parts[0], parts[1]}, true
}

// sealID hides an ID from those who do not know the share, and shows those who do that it was said in answer to a question,
// by one of them.
func sealID(k peer.FindKey, id peer.ID, question, name, ports string) string {
	pad := k.Derive("tenon lan share 1 pad", []byte(question), []byte(name))
	for i, c := range id.Bytes() {
		pad[i] ^= c
	}
	proof := k.Derive("tenon lan share 1 answer", []byte(question), []byte(name), id.Bytes(), []byte(ports))
	return encoding.EncodeToString(append(pad[:], proof[:10]...))
}

// openID is the reverse of sealID.
func openID(k peer.FindKey, sealed, question, name, ports string) (id peer.ID, ok bool) {
	b, err := encoding.DecodeString(sealed)
	if err != nil || len(b) != 42 {
		return id, false
	}
	pad := k.Derive("tenon lan share 1 pad", []byte(question), []byte(name))
	for i := range pad {
		pad[i] ^= b[i]
	}
	id, err = peer.NewID(pad[:])
	return id, err == nil && hmac.Equal([]byte(sealed), []byte(sealID(k, id, question, name, ports)))
}

// A pendingKey is to which question an answer is about to be given.
type pendingKey struct {
	link int
	name string
}

// A pending answer is about to be given.
type pending struct {
	key   peer.FindKey
	heard map[peer.ID]bool // others who have answered
}

// asks answers those who look for shares that are here, unless enough others do.
func (l *LAN) asks(k *link, src netip.Addr, all []sought) {
	ports := portsText(l.config.Ports())
	if ports == "" {
		return
	}
	for _, q := range all {
		own := func(s *shareSeeker) bool { return s.asked[k.Index] == q.name }
		switch now := today(); {
		case q.day+shareDays < now || q.day > now+shareDays:
			continue // it was overheard on another day, perhaps in another network
		case slices.ContainsFunc(l.shareSeekers, own), len(l.pending) >= maxPending:
			continue
		case !l.asked.Allow(src) || !l.allAsked.Allow(struct{}{}):
			return
		}
		for _, key := range l.config.Shares() {
			if hmac.Equal([]byte(shareTag(key, q.day, q.name)), []byte(q.tag)) {
				l.answerSoon(k, q.name, key, ports)
				break
			}
		}
	}
}

// answerSoon answers when some time has passed, unless enough others have.
func (l *LAN) answerSoon(k *link, question string, key peer.FindKey, ports string) {
	at, p := pendingKey{k.Index, question}, &pending{key: key, heard: map[peer.ID]bool{}}
	if l.pending[at] != nil {
		return
	}
	l.pending[at] = p
	l.after(20*time.Millisecond+jitter(shareSpread), func() {
		delete(l.pending, at)
		if len(p.heard) >= shareEnough || l.links[k.Index] == nil {
			return
		}
		name := newName()
		text := []string{"v=1", "to=" + question, "id=" + sealID(key, l.config.Self, question, name, ports), "at=" + ports}
		if b, err := answer(service{typ: shareType, name: name, port: firstPort(ports), text: text, addrs: k.addrs(), ttl: shareTTL}); err == nil {
			l.sockets.send(&k.Interface, b)
		}
	})
}

// A shareSeeker looks for others who have a share.
type shareSeeker struct {
	key   peer.FindKey
	found func(id peer.ID, addrs []string)
	asked map[int]string // under which name, by the index of a link
	of    throttle.Set[netip.Addr]
	all   throttle.Set[struct{}]
}

// SeekShare looks for others who have a share, and say so, until stop is called. Found, which must not wait, is told where each
// says that it is. It need not be true: at most eight of one address are told at once, and 32 in all, then one in ten seconds.
func (l *LAN) SeekShare(key peer.FindKey, found func(id peer.ID, addrs []string)) (stop func(), err error) {
	s := newShareSeeker(key, found)
	err = l.call(func() {
		l.shareSeekers = append(l.shareSeekers, s)
		for _, wait := range []time.Duration{0, sendEvery, 3 * sendEvery} {
			l.after(wait, func() { l.askForShare(s, l.links) })
		}
		l.askForShareOn(s)
	})
	return func() {
		l.call(func() {
			l.shareSeekers = slices.DeleteFunc(l.shareSeekers, func(o *shareSeeker) bool { return o == s })
		}) //nolint:errcheck // then it hears nothing
	}, err
}

func newShareSeeker(key peer.FindKey, found func(id peer.ID, addrs []string)) *shareSeeker {
	return &shareSeeker{key: key, found: found, asked: map[int]string{},
		of:  throttle.Set[netip.Addr]{Every: shareAskEvery / 2, Burst: 8, Keys: 64},
		all: throttle.Set[struct{}]{Every: 10 * time.Second, Burst: 32, Keys: 1}}
}

// askForShareOn asks again and again, as long as somebody wants to know.
func (l *LAN) askForShareOn(s *shareSeeker) {
	l.after(shareAskEvery-jitter(shareAskEvery/4), func() {
		if slices.Contains(l.shareSeekers, s) {
			l.askForShare(s, l.links)
			l.askForShareOn(s)
		}
	})
}

// askForShare asks on links, on each under another name, so that nobody can tell that it is one who asks.
func (l *LAN) askForShare(s *shareSeeker, links map[int]*link) {
	if !slices.Contains(l.shareSeekers, s) {
		return
	}
	for _, k := range links {
		q := sought{day: today(), name: newName()}
		q.tag = shareTag(s.key, q.day, q.name)
		if b, err := q.question(); err == nil {
			s.asked[k.Index] = q.name
			l.sockets.send(&k.Interface, b)
		}
	}
}

// hearShare takes an answer: one's own, or one because of which it need not be given again.
func (l *LAN) hearShare(k *link, src netip.Addr, s service) {
	version, _ := s.value("v")
	question, _ := s.value("to")
	sealed, _ := s.value("id")
	ports, _ := s.value("at")
	if version != "1" || s.ttl == 0 || !isName(question) {
		return
	}
	if p := l.pending[pendingKey{k.Index, question}]; p != nil {
		if id, ok := openID(p.key, sealed, question, s.name, ports); ok && len(p.heard) < shareEnough {
			p.heard[id] = true
		}
	}
	for _, seek := range l.shareSeekers {
		if seek.asked[k.Index] != question {
			continue
		}
		id, ok := openID(seek.key, sealed, question, s.name, ports)
		addrs := multiaddrs(k, src, s, readPorts(ports))
		if ok && id != l.config.Self && len(addrs) > 0 && seek.of.Allow(src) && seek.all.Allow(struct{}{}) {
			seek.found(id, addrs)
		}
	}
}
