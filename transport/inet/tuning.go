package inet

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// DefaultKeepAlive is how long a connection of TCP is idle before the other side
// is asked whether it is still there. Connections of the loopback interface are
// not asked unless one of the fields about it is set: a process that is gone there
// is noticed.
const DefaultKeepAlive = time.Minute

// Of the probes of an idle connection.
const (
	defaultKeepCount = 4         // unanswered ones until the connection is given up
	minKeepInterval  = 1         // seconds between two
	keepFraction     = 4         // the interval is this part of the idle time
	maxKeepSeconds   = 1<<15 - 1 // MAX_TCP_KEEPIDLE of Linux
)

// Tuning is the options of TCP itself, which dialed and accepted connections
// share. The zero value is the defaults.
type Tuning struct {
	// KeepAlive is how long a connection is idle before it is probed. Zero
	// is [DefaultKeepAlive], negative is never.
	KeepAlive    time.Duration
	KeepInterval time.Duration // between two probes; 0 is a quarter of KeepAlive
	KeepCount    int           // unanswered probes that end the connection; 0 is 4

	NoDelay     opt.Switch    // send at once, without Nagle's algorithm (RFC 9293, section 3.7.4); on
	UserTimeout time.Duration // how long sent data may stay unacknowledged (RFC 5482); 0 is the system's
	Congestion  string        // congestion control algorithm, such as "bbr"; "" is the system's
	MSS         int           // largest segment, in bytes; 0 is the system's

	// FastOpen puts the first data into the first packet (RFC 7413), where
	// the system allows it. When dialing, it is for protocols in which the
	// client speaks first: until then there may be no connection.
	FastOpen bool
}

// Bind binds the options.
func (t *Tuning) Bind(s *opt.Set) {
	s.Group("TCP")
	// The type lets it stand alone, as in socat.
	d := s.Text((*keepAlive)(&t.KeepAlive), "keepalive", "yes|no", "probe an idle connection; or after how long, as in 30s", func() string {
		switch {
		case t.KeepAlive == 0:
			return ""
		case t.KeepAlive < 0:
			return "no"
		}
		return opt.FormatDuration(t.KeepAlive)
	})
	d.Default = opt.FormatDuration(DefaultKeepAlive) + ", not on loopback"
	d.Alias("so-keepalive")
	s.Duration(&t.KeepAlive, "keepidle", DefaultKeepAlive, -1, "how long a connection is idle before it is probed").Alias("tcp-keepidle")
	s.Duration(&t.KeepInterval, "keepintvl", DefaultKeepAlive/keepFraction, 0, "time between two probes").Alias("tcp-keepintvl")
	s.Int(&t.KeepCount, "keepcnt", defaultKeepCount, 1, 127, "unanswered probes that end the connection").Alias("tcp-keepcnt")
	s.Switch(&t.NoDelay, "nodelay", true, "send at once instead of collecting small writes").Alias("tcp-nodelay")
	s.Duration(&t.UserTimeout, "user-timeout", 0, 0, "how long sent data may stay unacknowledged").Alias("tcp-user-timeout")
	s.String(&t.Congestion, "congestion", "name", "congestion control algorithm").Alias("tcp-congestion")
	s.Int(&t.MSS, "mss", 0, 88, 32767, "largest segment").Alias("tcp-maxseg", "maxseg")
	s.Bool(&t.FastOpen, "fastopen", "data in the first packet, where the system allows it").Alias("tcp-fastopen")
}

// validate refuses what would have no effect.
func (t *Tuning) validate() error {
	if t.KeepAlive < 0 && (t.KeepInterval != 0 || t.KeepCount != 0) {
		return usage("keepintvl and keepcnt are about probes, and keepalive=no sends none", "")
	}
	return nil
}

// keepAlive reads yes, no or a duration.
type keepAlive time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keepAlive) UnmarshalText(text []byte) error {
	switch string(text) {
	case "yes", "on", "true", "1":
		if *k <= 0 { // keepidle= may have been read before
			*k = keepAlive(DefaultKeepAlive)
		}
		return nil
	case "no", "off", "false", "0", "never":
		*k = -1
		return nil
	}
	d, err := opt.ParseDuration(string(text))
	if err != nil {
		return &opt.ValueError{Msg: "must be yes, no or a duration such as 30s"}
	}
	*k = keepAlive(d)
	if d == 0 {
		*k = -1
	}
	return nil
}

// probes returns what the system is to be told, in seconds; idle 0 means that
// connections are not probed.
func (t *Tuning) probes(loopback bool) (idle, interval, count int) {
	wanted := t.KeepAlive > 0 || t.KeepInterval != 0 || t.KeepCount != 0
	if t.KeepAlive < 0 || loopback && !wanted {
		return 0, 0, 0
	}
	after := t.KeepAlive
	if after == 0 {
		after = DefaultKeepAlive
	}
	every := t.KeepInterval
	if every == 0 {
		every = after / keepFraction
	}
	if count = t.KeepCount; count == 0 {
		count = defaultKeepCount
	}
	return keepSeconds(after), keepSeconds(every), count
}

// keepSeconds rounds up to the seconds that the system counts in.
func keepSeconds(d time.Duration) int {
	d = min(d, maxKeepSeconds*time.Second)
	return max(minKeepInterval, int((d+time.Second-1)/time.Second))
}
