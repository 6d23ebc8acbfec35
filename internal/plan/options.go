package plan

import (
	"slices"
	"strconv"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport/inet"
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

// The headings in help.
const (
	groupDialed  = "every end that is dialed"
	groupListens = "every end that listens"
)

// Options are understood by every end, whatever its kind. They take effect in this
// order, from the wire inwards: via, send-proxy or accept-proxy, the layers, rate,
// readbytes, ignoreeof, crlf, frame. A zero field means the default.
type Options struct {
	Connect    time.Duration // connect-timeout
	Idle       time.Duration
	HalfClosed time.Duration
	EOFTimeout time.Duration
	Rate       int64
	Limit      int64
	ReadBytes  int64
	CRLF       bool
	IgnoreEOF  bool
	Frame      join.Framing

	Retry     Retries
	Interval  time.Duration
	Via       Way
	Resolve   string
	SendProxy int // version of the PROXY protocol; 0 is none

	Handshake   time.Duration // handshake-timeout
	Max         int
	MaxPerIP    int
	Allow, Deny address.Prefixes
	Once, Many  bool
	AcceptProxy bool
	ProxyFrom   address.Prefixes
	AllowExec   bool
}

// Bind names the options.
func (o *Options) Bind(s *opt.Set) {
	s.Group("every end")
	s.Duration(&o.Connect, "connect-timeout", DefaultConnectTimeout, -1, "give up opening the end after so long")
	s.Duration(&o.Idle, "idle", 0, 0, "cut the joint after so long without a byte either way").Alias("idle-timeout")
	halfClosed := s.Duration(&o.HalfClosed, "half-closed", 0, -1, "cut the joint when one direction has ended and the other is silent for so long").Alias("half-closed-timeout")
	halfClosed.Default = opt.FormatDuration(join.DefaultHalfClosed) + " in a service, else never"
	s.Duration(&o.EOFTimeout, "eof-timeout", join.DefaultLinger, -1, "how long to wait for more after the other end has ended, where this end cannot be told so")
	s.Rate(&o.Rate, "rate", "bytes a second, each way, of each connection")
	s.Size(&o.Limit, "limit", 0, "cut the joint after so many bytes in one direction")
	s.Size(&o.ReadBytes, "readbytes", 0, "after so many bytes read here, take it for the end of file").Alias("bytes")
	s.Bool(&o.CRLF, "crlf", "write CR LF for each LF, and read LF for each CR LF")
	s.Bool(&o.IgnoreEOF, "ignoreeof", "an end of file read here counts only when the other end has ended, too")
	s.Text(&o.Frame, "frame", "none|lines|nul|len32|people", "how bytes are cut into messages, where the other end has messages; none; people between a terminal and a WebSocket, and with a bus", func() string {
		if o.Frame == 0 {
			return ""
		}
		return o.Frame.String()
	})

	s.Group(groupDialed)
	s.Text(&o.Retry, "retry", "N|forever", "try again when it cannot be opened; forever also opens it again when it is lost, and keeps the other end", o.Retry.String)
	s.Func("forever", "", "try again for ever until it is open, and not when it is lost, as in socat", func(string) error { o.Retry = UntilOpen; return nil })
	s.Duration(&o.Interval, "interval", 0, 0, "wait between two tries (default: 1s, and twice as long each time, up to 30s)")
	via := s.Text(&o.Via, "via", "PROXY", "the way there: socks5://, socks4a://, http:// or https:// proxy; once for each, in order", o.Via.String)
	via.Multi, via.Mask = true, maskVia
	s.Enum(&o.Resolve, "resolve", "who looks up the host name: the last proxy, or this machine", "remote", "local")
	s.Func("send-proxy", "v1|v2", "begin with a PROXY protocol header that says who the other end is", o.setSendProxy)

	s.Group(groupListens)
	s.Duration(&o.Handshake, "handshake-timeout", DefaultHandshakeTimeout, -1, "a client that is not through TLS and the like by then is dropped")
	s.Int(&o.Max, "max", DefaultMax, 1, 1<<20, "connections at once; more wait").Alias("max-children")
	s.Int(&o.MaxPerIP, "max-per-ip", DefaultMaxPerIP, 1, 1<<20, "connections at once from one address; more are refused; loopback is free unless this is given")
	s.Text(&o.Allow, "allow", "CIDR", "only clients from there; may be repeated", o.Allow.String).Alias("range").Multi = true
	s.Text(&o.Deny, "deny", "CIDR", "no clients from there; may be repeated", o.Deny.String).Multi = true
	s.Bool(&o.Once, "once", "serve one connection, then end")
	s.Bool(&o.Many, "many", "serve any number of connections").Alias("fork")
	s.Bool(&o.AcceptProxy, "accept-proxy", "clients begin with a PROXY protocol header, v1 or v2")
	s.Text(&o.ProxyFrom, "proxy-from", "CIDR", "believe the PROXY headers of these only; by default those of loopback and private addresses", o.ProxyFrom.String).Multi = true
	s.Bool(&o.AllowExec, "allow-exec", "let clients from outside start programs without having proved who they are")
}

func (o *Options) setSendProxy(v string) error {
	switch v {
	case "v1", "1":
		o.SendProxy = 1
	case "v2", "2":
		o.SendProxy = 2
	default:
		return &opt.ValueError{Msg: "must be v1 or v2"}
	}
	return nil
}

// Retries is how many times more to try; the zero value is not at all.
type Retries int

// Forever is to try until it works, and to open the end again when it is lost.
const Forever Retries = -1

// UntilOpen is to try until it works, and no more than that.
const UntilOpen Retries = -2

// UnmarshalText reads a number or forever.
func (r *Retries) UnmarshalText(text []byte) error {
	if string(text) == "forever" {
		*r = Forever
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > 1<<30 {
		return &opt.ValueError{Msg: "must be a number of tries or forever"}
	}
	*r = Retries(n)
	return nil
}

func (r *Retries) String() string {
	switch *r {
	case 0:
		return ""
	case Forever:
		return "forever"
	case UntilOpen:
		return "until open"
	}
	return strconv.Itoa(int(*r))
}

// misplaced says why an option of every end is not for this one, or "". What
// restricts and cannot be enforced is refused, and so is what would do nothing.
func (p *Plan) misplaced(d *opt.Def) string {
	switch d.Name {
	case "interval":
		if p.Common.Retry == 0 {
			return "needs retry or forever"
		}
		return ""
	case "retry", "forever":
		return "" // a listener may be opened again, too
	case "crlf", "ignoreeof", "readbytes":
		if p.Parts[0].Kind.Traits.Messages {
			return "is for ends that carry bytes, and " + p.KindName() + " carries messages"
		}
	}
	if d.Group == groupDialed && p.Listens() {
		return "is for ends that are dialed"
	}
	if d.Group == groupListens && !p.Listens() {
		return "is for ends that listen"
	}
	c := &p.Common
	_, overTCP := p.Base().End.(*inet.Dial)
	switch {
	case (d.Name == "send-proxy" || d.Name == "accept-proxy") && p.Base().Kind.Traits.Messages:
		return "goes before a stream of bytes, and " + p.Base().Kind.Name + " carries messages"
	case d.Name == "via" && !overTCP:
		return "is for ends that are dialed over tcp"
	case d.Name == "resolve" && len(c.Via) == 0:
		return "is for ends that are reached with via"
	case slices.Contains([]string{"allow", "deny", "max-per-ip"}, d.Name) && p.Base().Set.Style() != opt.Host:
		return "is for ends whose clients have IP addresses"
	case d.Name == "proxy-from" && !c.AcceptProxy:
		return "needs accept-proxy"
	case d.Name == "handshake-timeout" && len(p.Parts) == 1 && !c.AcceptProxy:
		return "is for ends with a handshake, such as tls-listen"
	case d.Name == "many" && c.Once:
		return "and once contradict each other"
	}
	return ""
}

// ConnectTimeout is how long opening may take; 0 is for ever.
func (p *Plan) ConnectTimeout() time.Duration {
	return OrDefault(p.Common.Connect, DefaultConnectTimeout)
}

// OrDefault returns def for 0, and 0 for a negative d, which means never.
func OrDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return max(d, 0)
}
