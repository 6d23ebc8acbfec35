package tenon

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/opt"
)

// Defaults of the options that every end has.
const (
	DefaultConnectTimeout   = 30 * time.Second // to open one end, all layers included
	DefaultHandshakeTimeout = 10 * time.Second // for a client to get through all layers
	DefaultMax              = 1024             // connections at once on one listener
	DefaultMaxPerIP         = 128              // of them from one address that is not loopback
	DefaultInterval         = time.Second      // before the second try; doubles up to MaxInterval
	MaxInterval             = 30 * time.Second
)

// endOptions are understood by every end, whatever its kind. They take effect in
// this order, from the wire inwards: via, send-proxy or accept-proxy, the layers,
// rate, ignoreeof, crlf, frame.
type endOptions struct {
	connectTimeout time.Duration
	idle, linger   time.Duration
	rate           int64
	limit          int64
	crlf           bool
	ignoreEOF      bool
	frame          join.Framing

	retry    retries
	interval time.Duration
	via      []string
	resolve  string
	sendPP   int

	handshakeTimeout time.Duration
	max, maxPerIP    int
	allow, deny      prefixes
	once, many       bool
	acceptPP         bool
	trustPP          prefixes
	allowExec        bool
}

// Bind names the options.
func (e *endOptions) Bind(s *opt.Set) {
	s.Group("every end")
	s.Duration(&e.connectTimeout, "connect-timeout", DefaultConnectTimeout, -1, "give up opening the end after so long")
	s.Duration(&e.idle, "idle", 0, 0, "cut the joint after so long without a byte either way").Alias("idle-timeout")
	s.Duration(&e.linger, "linger", join.DefaultLinger, -1, "how long to wait for more after the other end has ended, where this end cannot be told so")
	s.Rate(&e.rate, "rate", "bytes a second, each way, of each connection")
	s.Size(&e.limit, "limit", 0, "cut the joint after so many bytes in one direction").Alias("readbytes")
	s.Bool(&e.crlf, "crlf", "write CR LF for each LF, and read LF for each CR LF")
	s.Bool(&e.ignoreEOF, "ignoreeof", "take no notice of an end of file read here")
	s.Text(&e.frame, "frame", "none|lines|nul|len32|people", "how bytes are cut into messages, where the other end has messages; none; people between a terminal and a WebSocket, and with a bus", func() string {
		if e.frame == 0 {
			return ""
		}
		return e.frame.String()
	})

	s.Group("every end that is dialed")
	s.Text(&e.retry, "retry", "N|forever", "try again when it cannot be opened; forever also opens it again when it is lost, and keeps the other end", e.retry.String)
	s.Func("forever", "", "the same as retry=forever", func(string) error { e.retry = forever; return nil })
	s.Duration(&e.interval, "interval", DefaultInterval, 0, "wait before the first new try; doubles up to 30s")
	s.Strings(&e.via, "via", "PROXY", "the way there: socks5://, socks4a://, http:// or https:// proxy; once for each, in order")
	s.Enum(&e.resolve, "resolve", "who looks up the host name: the last proxy, or this machine", "remote", "local")
	s.Func("send-proxy", "v1|v2", "begin with a PROXY protocol header that says who the other end is", e.setSendPP)

	s.Group("every end that listens")
	s.Duration(&e.handshakeTimeout, "handshake-timeout", DefaultHandshakeTimeout, -1, "a client that is not through TLS and the like by then is dropped")
	s.Int(&e.max, "max", DefaultMax, 1, 1<<20, "connections at once; more wait").Alias("max-children")
	s.Int(&e.maxPerIP, "max-per-ip", DefaultMaxPerIP, 1, 1<<20, "connections at once from one address; more are refused; loopback is free unless this is given")
	s.Text(&e.allow, "allow", "CIDR", "only clients from there; may be repeated", e.allow.String).Alias("range").Multi = true
	s.Text(&e.deny, "deny", "CIDR", "no clients from there; may be repeated", e.deny.String).Multi = true
	s.Bool(&e.once, "once", "serve one connection, then end")
	s.Bool(&e.many, "many", "serve any number of connections").Alias("fork")
	s.Bool(&e.acceptPP, "accept-proxy", "clients begin with a PROXY protocol header, v1 or v2")
	s.Text(&e.trustPP, "proxy-from", "CIDR", "believe the PROXY headers of these only; by default those of loopback and private addresses", e.trustPP.String).Multi = true
	s.Bool(&e.allowExec, "allow-exec", "let clients from outside start programs without having proved who they are")
}

func (e *endOptions) setSendPP(v string) error {
	switch v {
	case "v1", "1":
		e.sendPP = 1
	case "v2", "2":
		e.sendPP = 2
	default:
		return &opt.ValueError{Msg: "must be v1 or v2"}
	}
	return nil
}

// retries is how many times more to try; the zero value is not at all.
type retries int

const forever retries = -1

func (r *retries) UnmarshalText(text []byte) error {
	if string(text) == "forever" {
		*r = forever
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > 1<<30 {
		return &opt.ValueError{Msg: "must be a number of tries or forever"}
	}
	*r = retries(n)
	return nil
}

func (r *retries) String() string {
	switch *r {
	case 0:
		return ""
	case forever:
		return "forever"
	}
	return strconv.Itoa(int(*r))
}

// prefixes is a list of address ranges.
type prefixes []netip.Prefix

// UnmarshalText adds a range, or several with spaces between.
func (p *prefixes) UnmarshalText(text []byte) error {
	for word := range strings.FieldsSeq(string(text)) {
		prefix, err := netip.ParsePrefix(word)
		if err != nil {
			var ip netip.Addr
			if ip, err = netip.ParseAddr(word); err == nil {
				prefix = netip.PrefixFrom(ip, ip.BitLen())
			}
		}
		if err != nil {
			return &opt.ValueError{Msg: "must be an address or a range such as 10.0.0.0/8 or fd00::/8"}
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p *prefixes) String() string {
	var words []string
	for _, prefix := range *p {
		words = append(words, prefix.String())
	}
	return strings.Join(words, " ")
}

func (p prefixes) contain(ip netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
