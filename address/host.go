package address

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A Host is a target of a kind of the network: [user[:password]@][host]:port[/path].
type Host struct {
	User, Password string
	HasPassword    bool
	Name           string // host name or address, without brackets, with its zone; "" and "*" are for listeners
	Port           string // a number from 0 to 65535 or the name of a service; "" if none was written
	Path           string // with its slash and query; "" if none was written
}

// HostPort returns "name:port", with brackets where the name is an IPv6 address.
func (h Host) HostPort() string {
	if strings.Contains(h.Name, ":") {
		return "[" + h.Name + "]:" + h.Port
	}
	return h.Name + ":" + h.Port
}

// Host reads the target as a host, a port and a path.
func (t Target) Host() (Host, error) { return ParseHost(t.Text, t.url) }

// ParseHost reads text as [Target.Host] does. In a URL the zone of an IPv6 address
// stands behind %25, as in [fe80::1%25eth0] (RFC 6874, section 2); a plain % is
// taken too, as in other text.
func ParseHost(text string, isURL bool) (Host, error) {
	var h Host
	rest := text
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest, h.Path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if err := h.setUser(rest[:i]); err != nil {
			return h, err
		}
		rest = rest[i+1:]
	}
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return h, errors.New("the bracket of the IPv6 address is never closed")
		}
		h.Name, rest = rest[1:end], rest[end+1:]
		if !strings.Contains(h.Name, ":") {
			return h, fmt.Errorf("brackets are for IPv6 addresses; write %s%s", h.Name, rest)
		}
		if err := h.checkIPv6(isURL); err != nil {
			return h, err
		}
		if rest != "" && rest[0] != ':' {
			return h, errors.New("after the bracket comes a colon and the port")
		}
		rest = strings.TrimPrefix(rest, ":")
		h.Port = rest
	} else if err := h.setNamePort(rest); err != nil {
		return h, err
	}
	return h, checkPort(h.Port)
}

// checkIPv6 refuses what is no IPv6 address, and decodes the zone of a URL.
func (h *Host) checkIPv6(isURL bool) error {
	addr, zone, zoned := strings.Cut(h.Name, "%")
	if coded, ok := strings.CutPrefix(zone, "25"); ok && isURL && coded != "" {
		var err error
		if zone, err = url.PathUnescape(coded); err != nil {
			return fmt.Errorf("the zone of the address has a bad %%-escape: %s", h.Name)
		}
		h.Name = addr + "%" + zone
	}
	if _, err := netip.ParseAddr(addr); err != nil {
		return fmt.Errorf("%q is not an IPv6 address", h.Name)
	}
	if zoned && !IsZone(zone) {
		return fmt.Errorf("%q is not a zone; behind %% stands the name or number of an interface", zone)
	}
	return nil
}

// IsZone tells whether text can be the zone of an address: the name or the number of
// a network interface.
func IsZone(text string) bool {
	return text != "" && len(text) <= maxZone && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("/%[]", r)
	})
}

// maxZone is the length in bytes of the longest zone: Windows allows interfaces names
// of 256, Linux of 15.
const maxZone = 256

func (h *Host) setUser(text string) error {
	var err error
	user, password, has := strings.Cut(text, ":")
	if h.User, err = url.PathUnescape(user); err != nil {
		return errors.New("the user name has a bad %-escape")
	}
	h.HasPassword = has
	if h.Password, err = url.PathUnescape(password); err != nil {
		return errors.New("the password has a bad %-escape; write % as %25")
	}
	return nil
}

// setNamePort reads "name:port", "name" and, as listeners are written, "port".
func (h *Host) setNamePort(text string) error {
	switch strings.Count(text, ":") {
	case 0:
		if isDigits(text) {
			h.Port = text
		} else {
			h.Name = text
		}
		return nil
	case 1:
		h.Name, h.Port, _ = strings.Cut(text, ":")
	default:
		i := strings.LastIndexByte(text, ':')
		_, err := netip.ParseAddr(text[:i])
		if _, whole := netip.ParseAddr(text); err != nil && whole != nil {
			return errors.New("has more than one colon: it is HOST:PORT, with an IPv6 address in brackets")
		}
		return fmt.Errorf("an IPv6 address is written in brackets: [%s]:%s", text[:i], text[i+1:])
	}
	if strings.ContainsAny(h.Name, " \t") {
		return errors.New("a host name has no spaces")
	}
	return nil
}

// checkPort refuses what is neither a number in range nor like a service's name
// (RFC 6335, section 5.1).
func checkPort(port string) error {
	if port == "" {
		return nil
	}
	if isDigits(port) {
		if n, err := strconv.Atoi(port); err != nil || n > 65535 {
			return fmt.Errorf("port %s is out of range: 0 to 65535", port)
		}
		return nil
	}
	if !isName(port) || len(port) > 15 {
		return fmt.Errorf("%q is not a port: a number from 0 to 65535 or the name of a service", port)
	}
	return nil
}

// redacted hides a password in the target.
func (t Target) redacted() Target {
	text := redactPassword(t.Text)
	if text == t.Text {
		return t
	}
	return Target{Text: text, url: t.url}
}

// redactPassword hides the password of "user:password@" in text, with or without a
// scheme in front.
func redactPassword(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	start := 0
	if i := strings.Index(text, "://"); i >= 0 && i < at {
		start = i + 3
	}
	if i := strings.IndexByte(text[start:at], ':'); i >= 0 {
		return text[:start+i+1] + "…" + text[at:]
	}
	return text
}
