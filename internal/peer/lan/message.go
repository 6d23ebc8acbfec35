package lan

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Types of service (RFC 6763 section 4.1.2).
const (
	nodeType = "_tenon._udp.local."
	pairType = "_tenon-pair._tcp.local."
)

// Limits of what is read from one message, and written to one.
const (
	maxMessage  = 9000 // bytes; RFC 6762 section 17
	maxServices = 16
	maxAddrs    = 8
	maxText     = 512
	maxKnown    = 16
)

const (
	ttl        = 120     // seconds; RFC 6762 section 10 has it for names of hosts
	cacheFlush = 1 << 15 // RFC 6762 section 10.2
	classMask  = cacheFlush - 1
)

// A service is one instance of a type of service, as it is announced: the name of an
// instance is also that of its host.
type service struct {
	typ   string // nodeType, pairType or shareType
	name  string // 16 letters and digits, by chance
	port  uint16
	text  []string // of its TXT record
	addrs []netip.Addr
	ttl   uint32 // 0 = it says goodbye
}

// nameSize is the length of the name of an instance.
const nameSize = 16

// isName tells whether a label can be the name of an instance.
func isName(s string) bool {
	return len(s) == nameSize && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

// A message is what matters of a message of multicast DNS.
type message struct {
	response bool
	asked    []string        // types of services
	sought   []sought        // shares
	known    map[string]bool // instances that who asks knows already
	services []service
}

// query asks for all services of some types, save for those that are known.
func query(types []string, known []service) ([]byte, error) {
	m := dnsmessage.Message{}
	for _, typ := range types {
		m.Questions = append(m.Questions, dnsmessage.Question{Name: dnsmessage.MustNewName(typ), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET})
	}
	for _, s := range known[:min(len(known), maxKnown)] {
		m.Answers = append(m.Answers, s.pointer())
	}
	return m.Pack()
}

// answer announces a service (RFC 6763 section 12).
func answer(s service) ([]byte, error) {
	host := dnsmessage.MustNewName(s.name + ".local.")
	header := func(name dnsmessage.Name) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET | cacheFlush, TTL: s.ttl}
	}
	own := header(dnsmessage.MustNewName(s.name + "." + s.typ))
	m := dnsmessage.Message{
		Header: dnsmessage.Header{Response: true, Authoritative: true},
		Answers: []dnsmessage.Resource{s.pointer(),
			{Header: own, Body: &dnsmessage.SRVResource{Port: s.port, Target: host}},
			{Header: own, Body: &dnsmessage.TXTResource{TXT: s.text}}},
	}
	for _, a := range s.addrs[:min(len(s.addrs), maxAddrs)] {
		r := dnsmessage.Resource{Header: header(host)}
		if a.Is4() {
			r.Body = &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		m.Answers = append(m.Answers, r)
	}
	return m.Pack()
}

func (s service) pointer() dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(s.typ), Class: dnsmessage.ClassINET, TTL: s.ttl},
		Body:   &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(s.name + "." + s.typ)},
	}
}

// parse reads a message. It takes what it understands and bothers about nothing else; a
// service counts if all its records are in this one message, as [answer] makes it.
func parse(b []byte) (message, bool) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.OpCode != 0 || h.RCode != 0 {
		return message{}, false
	}
	m := message{response: h.Response, known: map[string]bool{}}
	for {
		q, err := p.Question()
		if err == dnsmessage.ErrSectionDone { //nolint:errorlint // it is this one
			break
		}
		if err != nil {
			return message{}, false
		}
		typ := strings.ToLower(q.Name.String())
		if known(typ) && (q.Type == dnsmessage.TypePTR || q.Type == dnsmessage.TypeALL) && !slices.Contains(m.asked, typ) {
			m.asked = append(m.asked, typ)
		}
		if s, ok := readSought(typ); ok && q.Type == dnsmessage.TypePTR && len(m.sought) < maxServices {
			m.sought = append(m.sought, s)
		}
	}
	var r records
	for r.read(p.AnswerHeader, &p, p.SkipAnswer) {
	}
	if p.SkipAllAuthorities() == nil {
		for r.read(p.AdditionalHeader, &p, p.SkipAdditional) {
		}
	}
	for _, ptr := range r.pointers {
		m.known[ptr.name] = ptr.ttl > ttl/2
		if s, ok := r.service(ptr); ok && m.response {
			m.services = append(m.services, s)
		}
	}
	return m, true
}

func known(typ string) bool { return typ == nodeType || typ == pairType || typ == shareType }

// records are the records of a message as they come.
type records struct {
	pointers []service // with typ, name and ttl
	ports    map[string]uint16
	hosts    map[string]string
	texts    map[string][]string
	addrs    map[string][]netip.Addr
}

// read reads one record and tells whether there may be more.
func (r *records) read(header func() (dnsmessage.ResourceHeader, error), p *dnsmessage.Parser, skip func() error) bool {
	h, err := header()
	if err != nil {
		return false
	}
	name := strings.ToLower(h.Name.String())
	if h.Class&classMask != dnsmessage.ClassINET {
		return skip() == nil
	}
	switch h.Type {
	case dnsmessage.TypePTR:
		b, err := p.PTRResource()
		if err != nil {
			return false
		}
		instance, ok := strings.CutSuffix(strings.ToLower(b.PTR.String()), "."+name)
		if ok && known(name) && isName(instance) && len(r.pointers) < maxServices {
			r.pointers = append(r.pointers, service{typ: name, name: instance, ttl: min(h.TTL, ttl)})
		}
	case dnsmessage.TypeSRV:
		b, err := p.SRVResource()
		if err != nil {
			return false
		}
		put(&r.ports, name, b.Port)
		put(&r.hosts, name, strings.ToLower(b.Target.String()))
	case dnsmessage.TypeTXT:
		b, err := p.TXTResource()
		if err != nil {
			return false
		}
		put(&r.texts, name, b.TXT)
	case dnsmessage.TypeA:
		b, err := p.AResource()
		if err != nil {
			return false
		}
		r.addAddr(name, netip.AddrFrom4(b.A))
	case dnsmessage.TypeAAAA:
		b, err := p.AAAAResource()
		if err != nil {
			return false
		}
		r.addAddr(name, netip.AddrFrom16(b.AAAA).Unmap())
	default:
		return skip() == nil
	}
	return true
}

func put[V any](m *map[string]V, k string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	if len(*m) < maxServices {
		(*m)[k] = v
	}
}

func (r *records) addAddr(host string, a netip.Addr) {
	if old := r.addrs[host]; len(old) < maxAddrs {
		put(&r.addrs, host, append(old, a))
	}
}

// service puts the records of an instance together.
func (r *records) service(s service) (service, bool) {
	name := s.name + "." + s.typ
	var ok bool
	if s.port, ok = r.ports[name]; !ok && s.ttl > 0 {
		return s, false
	}
	size := 0
	for _, t := range r.texts[name] {
		size += len(t)
	}
	if size > maxText {
		return s, false
	}
	s.text, s.addrs = r.texts[name], r.addrs[r.hosts[name]]
	return s, true
}

// value returns what a TXT record says of a key.
func (s service) value(key string) (string, bool) {
	for _, t := range s.text {
		if k, v, ok := strings.Cut(t, "="); ok && strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}
