package wslayer

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A hostPort is what a Host field or an origin names, in a form in which two can be
// compared: names in lower case and without the dot at the end, addresses without
// zone, which means something on the client's machine only (RFC 9110, section 4.2.3
// knows none, RFC 6874 has it taken away), and IPv4 in IPv6 as IPv4.
type hostPort struct{ name, port string }

func parseHost(s string) hostPort {
	name, port, err := net.SplitHostPort(s)
	if err != nil {
		name, port = s, ""
	}
	name = strings.Trim(name, "[]")
	if ip, ok := parseIP(name); ok {
		return hostPort{ip.String(), port}
	}
	return hostPort{strings.TrimSuffix(strings.ToLower(name), "."), port}
}

// parseIP reads an address, whose zone it drops.
func parseIP(s string) (netip.Addr, bool) {
	ip, zone, hasZone := strings.Cut(s, "%")
	a, err := netip.ParseAddr(ip)
	if err != nil || hasZone && (zone == "" || !a.Is6()) {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// withoutZone drops the zone of an IPv6 address in a Host field.
func withoutZone(host string) string {
	start := strings.IndexByte(host, '%')
	if start < 0 || !strings.Contains(host[:start], ":") {
		return host
	}
	if end := strings.IndexByte(host[start:], ']'); end >= 0 {
		return host[:start] + host[start+end:]
	}
	return host[:start]
}

// hostField is the value of Host that a client sends: without zone, and without the
// port if that is the usual one.
func (l *Layer) hostField(secure bool) string {
	if len(l.Hosts) > 0 {
		return withoutZone(l.Hosts[0])
	}
	name, port := l.at.Name, l.at.Port
	if n, err := net.LookupPort("tcp", port); err == nil && port != "" {
		port = strconv.Itoa(n) // the name of a service means nothing to others
	}
	switch {
	case name == "":
		return "localhost"
	case port == "", secure && port == "443", !secure && port == "80":
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		return withoutZone(name)
	}
	return withoutZone(net.JoinHostPort(name, port))
}

// checkHost refuses requests for a host that is not this one. A page whose name is
// made to point at this machine after it was loaded (DNS rebinding) is, for the
// browser, of the same origin as this listener; its Host gives it away.
func (l *Layer) checkHost(host string, local net.Addr) *refusal {
	own, isIP := localIP(local)
	if !isIP || slices.Contains(l.Hosts, "*") {
		return nil // not reachable by name: a Unix socket behind a proxy, say
	}
	asked := parseHost(host)
	if ip, ok := parseIP(asked.name); ok && (ip.IsLoopback() || ip == own) {
		return nil
	}
	if asked.name == "localhost" || strings.HasSuffix(asked.name, ".localhost") { // RFC 6761, section 6.3
		return nil
	}
	for _, h := range l.Hosts {
		if h := parseHost(h); h.name == asked.name && (h.port == "" || h.port == asked.port) {
			return nil
		}
	}
	return &refusal{status: "403 Forbidden", why: "the request is for another host; host= accepts it", denied: true}
}

// localIP returns the address that a connection has come to.
func localIP(a net.Addr) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(a.String())
	return ap.Addr().WithZone("").Unmap(), err == nil
}

// checkOrigin refuses pages of other sites (RFC 6455, section 10.2). Programs that
// are not browsers send no Origin.
func (l *Layer) checkOrigin(origin, host string) *refusal {
	if origin == "" || slices.Contains(l.Origins, "*") {
		return nil
	}
	for _, o := range l.Origins {
		if strings.EqualFold(strings.TrimSuffix(o, "/"), origin) {
			return nil
		}
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && sameHost(u, host) {
		return nil
	}
	return &refusal{status: "403 Forbidden", why: "the page is of another origin; origin= accepts it", denied: true}
}

// sameHost compares host and port, where a port that is the scheme's own may be
// left away.
func sameHost(origin *url.URL, host string) bool {
	usual := map[string]string{"http": "80", "https": "443"}[origin.Scheme]
	if usual == "" {
		return false
	}
	a, b := parseHost(origin.Host), parseHost(host)
	for _, h := range []*hostPort{&a, &b} {
		if h.port == "" {
			h.port = usual
		}
	}
	return a == b
}
