package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// stagger is how long one address of a name has before the next is tried beside it
// (RFC 8305, section 5).
const stagger = 250 * time.Millisecond

// maxTried is how many addresses of a name are tried at most.
const maxTried = 8

// A Dial opens a stream in a QUIC connection of its own.
type Dial struct {
	TLS
	Tuning
	Host, Port string

	cfg tlsconf.Loader
}

var (
	_ transport.Dialer    = (*Dial)(nil)
	_ transport.Validator = (*Dial)(nil)
	_ transport.Noticer   = (*Dial)(nil)
	_ transport.Reloader  = (*Dial)(nil)
)

// Bind binds the target and the options of TLS and QUIC.
func (d *Dial) Bind(s *opt.Set) {
	s.Target(opt.Host, "HOST:PORT", nil)
	s.OnHost(func(h address.Host) error {
		if h.Name == "" || h.Port == "" {
			return errors.New("quic needs a host and a port: quic:HOST:PORT")
		}
		d.Host, d.Port = h.Name, h.Port
		return nil
	})
	d.TLS.BindClient(s)
	d.Tuning.Bind(s)
}

// Validate checks the options of an end that dials.
func (d *Dial) Validate() error { return transport.Validate(&d.TLS, transport.Dialed) }

// Notify has tell called when files that have changed were read, or could not be.
func (d *Dial) Notify(tell func(line string)) { d.cfg.Notify(tell) }

// Reload reads the files again.
func (d *Dial) Reload() (commit func(), err error) { return d.cfg.Reload(&d.TLS, d.build) }

func (d *Dial) build(f tlsconf.Files) (*tls.Config, error) {
	return withALPN(d.TLS).Client(f, d.Host)
}

// Dial resolves the host, does the handshake with the first of its addresses that
// answers, and opens the stream.
func (d *Dial) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := d.cfg.Get(&d.TLS, d.build)
	if err != nil {
		return nil, err
	}
	addrs, err := d.resolve(ctx)
	if err != nil {
		return nil, err
	}
	c, err := d.race(ctx, addrs, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, explain(err)
	}
	return c, nil
}

func (d *Dial) resolve(ctx context.Context) ([]*net.UDPAddr, error) {
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", d.Port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, d.Host)
	if err != nil {
		return nil, err
	}
	var addrs []*net.UDPAddr
	for _, ip := range ips[:min(len(ips), maxTried)] {
		addrs = append(addrs, &net.UDPAddr{IP: ip.IP, Zone: ip.Zone, Port: port})
	}
	return addrs, nil
}

// race tries the addresses, each a while after the one before, and returns the
// first that works. All attempts have ended when it returns.
func (d *Dial) race(ctx context.Context, addrs []*net.UDPAddr, cfg *tls.Config) (*Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		c   *Conn
		err error
	}
	results := make(chan result, len(addrs))
	started, failed := 0, 0
	next := time.NewTimer(0)
	defer next.Stop()
	var won *Conn
	var first error
	for won == nil && failed < len(addrs) {
		select {
		case <-next.C:
			if started < len(addrs) {
				a := addrs[started]
				go func() { c, err := d.attempt(ctx, a, cfg); results <- result{c, err} }()
				started++
				next.Reset(stagger)
			}
		case r := <-results:
			if won = r.c; r.err != nil {
				if failed++; first == nil {
					first = r.err
				}
				next.Reset(0)
			}
		}
	}
	cancel()
	for n := started - failed - one(won != nil); n > 0; n-- {
		if r := <-results; r.c != nil {
			_ = r.c.Abort(context.Canceled)
		}
	}
	if won == nil {
		return nil, first
	}
	return won, nil
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// attempt opens a connection to one address, from a socket of its own.
func (d *Dial) attempt(ctx context.Context, to *net.UDPAddr, cfg *tls.Config) (*Conn, error) {
	pc, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	t := &quicgo.Transport{Conn: pc}
	release := func() { t.Close(); pc.Close() }
	qc, err := t.Dial(ctx, to, cfg, d.Tuning.config(-1))
	if err != nil {
		release()
		return nil, err
	}
	c, err := d.open(ctx, qc)
	if err != nil {
		_ = qc.CloseWithError(codeAborted, "")
		release()
		return nil, err
	}
	c.release = release
	return c, nil
}

// open opens the stream and makes it visible to the other side.
func (d *Dial) open(ctx context.Context, qc *quicgo.Conn) (*Conn, error) {
	st, err := qc.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(qc, st, "quic", d.Tuning.Drain)
	c.info.Peer = d.TLS.Identity(c.info.TLS, transport.Dialed)
	if c.tenon {
		_, err = st.Write([]byte{0})
	}
	return c, err
}
