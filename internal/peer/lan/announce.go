package lan

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A local service is one that we announce. It has another name on every link, so that
// nobody can tell by the name that two networks have the same node.
type local struct {
	typ  string
	port uint16
	text func(name string) []string
	on   map[int]*announced // by the index of a link
}

// An announced service is what stands on one link.
type announced struct {
	name string
	sent time.Time // when it was announced last
	due  time.Time // when it will be; zero = when somebody asks
}

// every is how often a service is announced on one link at most. RFC 6762 section 6 has
// a second, and a quarter of it for what must not wait: two people who want to be paired.
func (s *local) every() time.Duration {
	if s.typ == pairType {
		return sendEvery / 4
	}
	return sendEvery
}

func (s *local) service(n *announced, k *link) service {
	return service{typ: s.typ, name: n.name, port: s.port, text: s.text(n.name), addrs: k.addrs(), ttl: ttl}
}

// announce announces a service on a link: now, and again after one second and three
// (RFC 6762 section 8.3); an IPv6 address cannot be used at once (RFC 4862 section 5.4).
func (l *LAN) announce(s *local, k *link) {
	n := s.on[k.Index]
	if n == nil {
		n = &announced{name: newName()}
		s.on[k.Index] = n
	}
	l.send(s, n, k)
	l.later(s, n, k, sendEvery)
	l.after(3*sendEvery, func() {
		if s.on[k.Index] == n {
			l.later(s, n, k, 0)
		}
	})
}

// reply announces a service because somebody has asked for it, if it has not just been.
func (l *LAN) reply(s *local, k *link) {
	n := s.on[k.Index]
	l.later(s, n, k, max(20*time.Millisecond+jitter(100*time.Millisecond), time.Until(n.sent.Add(s.every()))))
}

// later announces a service on a link after some time, or earlier if it is due.
func (l *LAN) later(s *local, n *announced, k *link, wait time.Duration) {
	at := time.Now().Add(wait)
	if !n.due.IsZero() && !at.Before(n.due) {
		return
	}
	n.due = at
	l.after(wait, func() {
		if n.due == at && l.services[s] && s.on[k.Index] == n && l.links[k.Index] != nil {
			l.send(s, n, l.links[k.Index])
		}
	})
}

func (l *LAN) send(s *local, n *announced, k *link) {
	n.sent, n.due = time.Now(), time.Time{}
	if b, err := answer(s.service(n, k)); err == nil {
		l.sockets.send(&k.Interface, b)
	}
}

// add announces a service on all links.
func (l *LAN) add(s *local) {
	s.on = map[int]*announced{}
	l.services[s] = true
	for _, k := range l.links {
		l.announce(s, k)
	}
}

// remove says goodbye for a service (RFC 6762 section 10.1).
func (l *LAN) remove(s *local) {
	if !l.services[s] {
		return
	}
	delete(l.services, s)
	for index, n := range s.on {
		if k := l.links[index]; k != nil {
			if b, err := answer(service{typ: s.typ, name: n.name, port: s.port}); err == nil {
				l.sockets.send(&k.Interface, b)
			}
		}
	}
}

func (l *LAN) goodbye() {
	for s := range l.services {
		l.remove(s)
	}
}

// announceNode announces the node, if its ports have changed.
func (l *LAN) announceNode() {
	ports := portsText(l.config.Ports())
	if l.node != nil && strings.Join(l.node.text(""), " ") == strings.Join(l.nodeText("", ports), " ") {
		return
	}
	if l.node != nil {
		l.remove(l.node)
		l.node = nil
	}
	if ports == "" {
		return
	}
	node := &local{typ: nodeType, port: firstPort(ports), text: func(name string) []string { return l.nodeText(name, ports) }}
	l.node = node
	l.add(node)
	l.after(renameEvery, func() { l.rename(node) })
}

func (l *LAN) nodeText(name, ports string) []string {
	return []string{"v=1", "id=" + tag(l.config.Self, name), "at=" + ports}
}

// rename gives the node other names.
func (l *LAN) rename(node *local) {
	if l.node == node {
		l.remove(node)
		l.node = nil
		l.announceNode()
	}
}

func firstPort(ports string) uint16 {
	parts := strings.Split(ports, "/")
	i := slices.IndexFunc(parts, isNumber)
	n, _ := strconv.ParseUint(parts[i], 10, 16) //nolint:errcheck // it is a number
	return uint16(n)
}
