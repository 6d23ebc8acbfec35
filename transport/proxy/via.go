package proxy

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// A Hop is a proxy on the way to a target, as it is written after via=. A way of
// several hops is opened like this: connect to the first hop's Addr; put TLS on
// the connection if the hop says so; Wrap it with the hop's Layer for the Addr of
// the next hop, or in the end for the target; and so on.
type Hop struct {
	Scheme   string // socks5, socks4, socks4a, http or https
	TLS      bool   // the proxy itself is reached through TLS, verified for the name Host
	Host     string // name or address of the proxy, without brackets
	Port     string // number or service, never empty
	User     string
	Password opt.Secret
}

// ParseVia reads SCHEME://[USER[:PASSWORD]@]HOST[:PORT]. The scheme is socks5 or
// socks5h, which mean the same, socks4a, socks4, http or https. The ports that
// may be left out are [DefaultSOCKSPort], [DefaultHTTPPort] and
// [DefaultHTTPSPort].
//
// In the user name and the password, characters such as / @ : % are written as %2F
// and so on. Instead of a password there can be @FILE, whose first line counts, or
// env:NAME, as in "socks5://bob:@/run/secret@proxy:1080".
//
// The errors match [transport.ErrUsage] and do not repeat the text.
func ParseVia(text string) (Hop, error) {
	h, err := parseVia(text)
	if err != nil {
		return Hop{}, transport.Mark(err, transport.ErrUsage)
	}
	return h, nil
}

func parseVia(text string) (Hop, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Hop{}, badVia("a proxy is written socks5://HOST:PORT or http://HOST:PORT")
	}
	h := Hop{Scheme: strings.ToLower(scheme), Port: DefaultSOCKSPort}
	switch h.Scheme {
	case kindSOCKS5, kindSOCKS4, kindSOCKS4a:
	case "socks5h":
		h.Scheme = kindSOCKS5
	case "http":
		h.Port = DefaultHTTPPort
	case "https":
		h.Port, h.TLS = DefaultHTTPSPort, true
	default:
		return h, badVia("the scheme of a proxy is socks5, socks4a, socks4, http or https")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if err := h.setUser(rest[:i]); err != nil {
			return h, err
		}
		rest = rest[i+1:]
	}
	to, err := address.ParseHost(strings.TrimSuffix(rest, "/"), true)
	if err != nil {
		return h, err
	}
	if to.Name == "" || to.Name == "*" || to.Path != "" {
		return h, badVia("after the scheme come the host and the port of the proxy, and nothing more")
	}
	if _, err := netip.ParseAddr(to.Name); err != nil && !isName(to.Name) {
		return h, badVia("the host of the proxy is neither a name nor an address")
	}
	if h.Host = to.Name; to.Port != "" {
		h.Port = to.Port
	}
	return h, h.check()
}

// setUser reads "user" or "user:password".
func (h *Hop) setUser(text string) error {
	user, password, has := strings.Cut(text, ":")
	var err error
	if h.User, err = url.PathUnescape(user); err != nil || h.User == "" {
		return badVia("the user name for the proxy is empty or has a bad %-escape")
	}
	switch {
	case !has:
		return nil
	case strings.HasPrefix(password, "@"), strings.HasPrefix(password, "env:"), strings.HasPrefix(password, "pass:"):
		h.Password, err = opt.NewSecret(password, h.takes)
		return err
	case strings.ContainsAny(password, "/ ?#"):
		return badVia("in a password for a proxy, / is written %2F, a space %20, ? %3F and # %23")
	}
	if password, err = url.PathUnescape(password); err != nil {
		return badVia("the password for the proxy has a bad %-escape; write % as %25")
	}
	if password == "" {
		return badVia("the password for the proxy is empty; where there is none, there is no colon")
	}
	h.Password = opt.Plain(password)
	return nil
}

// takes finds what the protocol has no room for in a password that a file says later.
func (h Hop) takes(password string) error {
	h.Password = opt.Plain(password)
	return h.check()
}

// check finds what the protocol has no room for.
func (h Hop) check() error {
	switch l := h.Layer("").(type) {
	case *SOCKS5:
		return l.check()
	case *SOCKS4:
		if !h.Password.IsZero() {
			return badVia("a socks4 proxy takes no password; socks5 does")
		}
		return l.check()
	case *HTTPConnect:
		return l.Validate()
	}
	return nil
}

// Addr returns "host:port" of the proxy, to connect to.
func (h Hop) Addr() string { return net.JoinHostPort(h.Host, h.Port) }

// Layer returns the layer that has the proxy connect to target, "host:port". A
// name is resolved by the proxy, save with socks4.
func (h Hop) Layer(target string) transport.Layer {
	switch h.Scheme {
	case kindSOCKS4, kindSOCKS4a:
		return &SOCKS4{Target: target, User: h.User, Remote: h.Scheme == kindSOCKS4a}
	case "http", "https":
		return &HTTPConnect{Target: target, User: h.User, Password: h.Password}
	}
	return &SOCKS5{Target: target, User: h.User, Password: h.Password}
}

// String returns the hop without its password, or the name that stands in its place.
func (h Hop) String() string {
	user := ""
	if h.User != "" {
		user = "…@" // a token, perhaps
	}
	if !h.Password.IsZero() {
		user = url.PathEscape(h.User) + ":…@"
	}
	return h.Scheme + "://" + user + h.Addr()
}

func badVia(msg string) error { return &opt.ValueError{Msg: msg} }
