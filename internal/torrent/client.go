//go:build !notorrent

package torrent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/iplist"
	"github.com/anacrolix/torrent/metainfo"
	"golang.org/x/time/rate"

	"github.com/tenon-net/tenon/internal/neutral"
)

// maxTorrentFile is how many bytes of a file are read.
const maxTorrentFile = 32 << 20

// spec reads what is to be fetched.
func (f Fetch) spec() (*torrent.TorrentSpec, error) {
	if isMagnet(f.Source) {
		spec, err := torrent.TorrentSpecFromMagnetUri(f.Source)
		if err == nil && spec.InfoHash.IsZero() {
			err = errors.New("it has no info hash of version 1 (urn:btih)")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTorrent, err)
		}
		spec.Sources = nil // URLs that somebody else has chosen are not asked
		return spec, nil
	}
	file, err := os.Open(f.Source)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	mi, err := metainfo.Load(io.LimitReader(file, maxTorrentFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTorrent, err)
	}
	spec, err := torrent.TorrentSpecFromMetaInfoErr(mi)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTorrent, err)
	}
	info, err := mi.UnmarshalInfo()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTorrent, err)
	}
	_, err = newLayout(&info, spec.InfoHash, 0)
	return spec, err
}

// A swarm is who takes part in one torrent, as far as this process knows.
type swarm struct {
	client *torrent.Client
	t      *torrent.Torrent
	opened chan struct{} // is closed when t is known, or never will be
	failed chan error    // of reading or writing files; has room for one
}

// open joins. A private torrent (BEP 27) is asked for at its trackers only.
func (c Config) open(spec *torrent.TorrentSpec, seed, private bool) (*swarm, error) {
	spec.Webseeds, spec.DhtNodes = nil, nil
	spec.PeerAddrs = append(spec.PeerAddrs, c.Peers...)
	for _, tracker := range c.Trackers {
		spec.Trackers = append(spec.Trackers, []string{tracker})
	}
	trackers := 0
	for _, tier := range spec.Trackers {
		trackers += len(tier)
	}
	if trackers+len(spec.PeerAddrs) == 0 && !c.DHT && !seed {
		return nil, ErrNoPeers
	}
	cfg := torrent.NewDefaultClientConfig()
	cfg.DefaultStorage = nowhere{} // else the engine has a database in the working directory
	cfg.Slogger = slog.New(slog.DiscardHandler)
	cfg.Seed = seed
	cfg.NoDHT = !c.DHT || private
	cfg.DisablePEX = !c.DHT || private
	cfg.PeriodicallyAnnounceTorrentsToDht = !cfg.NoDHT
	cfg.NoDefaultPortForwarding = true
	cfg.DisableUTP = true // that of the engine stood still for half a minute in one of ten transfers
	cfg.DisableWebtorrent, cfg.DisableWebseeds = true, true
	cfg.HTTPUserAgent, cfg.ExtendedHandshakeClientVersion = "tenon", "tenon"
	if c.Up > 0 {
		cfg.UploadRateLimiter = limiter(c.Up)
	}
	if c.Down > 0 {
		cfg.DownloadRateLimiter = limiter(c.Down)
	}
	cfg.ListenPort = 0
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err == nil {
			cfg.ListenPort, err = strconv.Atoi(port)
		}
		if err != nil {
			return nil, fmt.Errorf("the address to listen at, %q: %w", c.Listen, err)
		}
		cfg.ListenHost = func(string) string { return host }
		ip, err := netip.ParseAddr(host)
		cfg.DisableIPv6, cfg.DisableIPv4 = err == nil && ip.Is4(), err == nil && ip.Is6()
	}
	if !c.local() {
		cfg.IPBlocklist = nearer{}
		dialer := &net.Dialer{Control: refuseNearer}
		cfg.TrackerDialContext, cfg.HTTPDialContext = dialer.DialContext, dialer.DialContext
		cfg.TrackerListenPacket = listenFar
	}
	client, err := torrent.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	s := &swarm{client: client, opened: make(chan struct{}), failed: make(chan error, 1)}
	spec.Storage = ended{spec.Storage, s}
	s.t, _, err = client.AddTorrentSpec(spec)
	close(s.opened)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("%w: %w", ErrTorrent, err)
	}
	s.t.SetOnWriteChunkError(s.fail)
	return s, nil
}

// limiter bounds bytes a second; the engine reads and writes up to 128 KiB at once.
func limiter(bytes int64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytes), int(max(bytes/10, 256<<10)))
}

func (s *swarm) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

func (s *swarm) close() { s.client.Close() }

// info waits until it is known what is in the torrent.
func (s *swarm) info(ctx context.Context, see func(Status)) (*metainfo.Info, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.t.GotInfo():
			return s.t.Info(), nil
		case <-tick.C:
			see(s.status())
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// status is how it is, but for what is on disk.
func (s *swarm) status() Status {
	st := s.t.Stats()
	status := Status{Hash: s.t.InfoHash().HexString(), Peers: st.ActivePeers, Got: st.BytesReadUsefulData.Int64(), Sent: st.BytesWrittenData.Int64()}
	if info := s.t.Info(); info != nil {
		status.Name = neutral.Line(info.BestName())
	}
	return status
}

// local tells whether the user himself has named something of this machine. Otherwise nothing that a
// torrent, a tracker or a peer says makes this process connect to it.
func (c Config) local() bool {
	hosts := []string{c.Listen}
	hosts = append(hosts, c.Peers...)
	for _, tracker := range c.Trackers {
		if u, err := url.Parse(tracker); err == nil {
			hosts = append(hosts, u.Host)
		}
	}
	for _, host := range hosts {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && near(ip) {
			return true
		}
	}
	return false
}

// near tells whether an address is one of this machine or this link only, or of nobody.
func near(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
}

// nearer blocks the addresses that are near.
type nearer struct{}

func (nearer) Lookup(ip net.IP) (r iplist.Range, ok bool) {
	addr, good := netip.AddrFromSlice(ip)
	return iplist.Range{First: ip, Last: ip, Description: "of this machine"}, !good || near(addr)
}

func (nearer) NumRanges() int { return 1 }
