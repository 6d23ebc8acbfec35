package wslayer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkHost refuses requests for a host that is not this one. A page whose name is
// made to point at this machine after it was loaded (DNS rebinding) is, for the
// browser, of the same origin as this listener; its Host gives it away.
func (l *Layer) checkHost(host string, local net.Addr) *refusal {
	addr, isIP := localIP(local)
	if !isIP || slices.Contains(l.Hosts, "*") {
		return nil // not reachable by name: a Unix socket behind a proxy, say
	}
	name := hostName(host)
	if ip, err := netip.ParseAddr(name); err == nil && (ip.IsLoopback() || ip.Unmap() == addr) {
		return nil
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761, section 6.3
		return nil
	}
	for _, h := range l.Hosts {
		if strings.EqualFold(h, host) || strings.EqualFold(h, name) {
			return nil
		}
	}
	return &refusal{status: "403 Forbidden", why: "the request is for another host; host= accepts it", denied: true}
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
	port := map[string]string{"http": ":80", "https": ":443"}[origin.Scheme]
	if port == "" {
		return false
	}
	bare := func(s string) string { return strings.TrimSuffix(strings.ToLower(s), port) }
	return bare(origin.Host) == bare(host)
}

// hostName returns the name in a Host field, in lower case, without port, brackets
// and the dot at the end.
func hostName(host string) string {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
}

func localIP(a net.Addr) (netip.Addr, bool) {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap(), true
	}
	ap, err := netip.ParseAddrPort(a.String())
	return ap.Addr().Unmap(), err == nil
}

// checkAuth holds a request against the password or the token, and returns the
// user who gave the password.
func (l *Layer) checkAuth(values []string, u *url.URL) (user string, r *refusal) {
	if !l.Authenticates() {
		return "", nil
	}
	refused := &refusal{status: "401 Unauthorized", field: `WWW-Authenticate: Basic realm="tenon", charset="UTF-8"`,
		why: "the password or token is missing or wrong", denied: true}
	if l.Password == "" {
		refused.field = "WWW-Authenticate: Bearer"
	}
	if len(values) > 1 {
		return "", refused
	}
	if len(values) == 0 {
		return "", unless(l.Token != "" && equal(u.Query().Get("token"), l.Token), refused)
	}
	scheme, given, _ := strings.Cut(values[0], " ")
	switch given = strings.TrimSpace(given); {
	case strings.EqualFold(scheme, "Bearer") && l.Token != "":
		return "", unless(equal(given, l.Token), refused)
	case strings.EqualFold(scheme, "Basic") && l.Password != "":
		text, err := base64.StdEncoding.DecodeString(given)
		user, password, ok := strings.Cut(string(text), ":")
		if err == nil && ok && (l.User == "" || equal(user, l.User)) && equal(password, l.Password) {
			return l.User, nil // a name that nobody checks proves nothing
		}
	}
	return "", refused
}

func unless(ok bool, r *refusal) *refusal {
	if ok {
		return nil
	}
	return r
}

// equal compares secrets in a time that tells nothing about them, not even their
// length.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
