package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/irc"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport/local"
)

// An IRC says how IRC clients are served; see package irc.
type IRC struct {
	At           string `toml:"irc"`               // where; "" = nowhere
	PasswordFile string `toml:"irc-password-file"` // "" = a file in the state directory, which is made
}

// Files in the state directory.
const (
	ircPassword = "irc-password"
	ircSeen     = "irc-seen.json"
)

// Password returns the password of the IRC server of the node whose state is in dir, and makes one if there is none.
func (s IRC) Password(dir string) (string, error) {
	if s.PasswordFile != "" {
		return irc.ReadPassword(s.PasswordFile)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return irc.OwnPassword(filepath.Join(dir, ircPassword))
}

// An IRCServer serves IRC clients.
type IRCServer struct {
	Addr   string
	server *irc.Server
	done   chan struct{}
}

// ircTime is how long a node may take to tell of all its rooms.
const ircTime = time.Minute

// Serve serves the rooms of a node, whose state is in dir, until Close. The context bounds the call. What cannot be done
// later is told to tell.
func (s IRC) Serve(ctx context.Context, dir string, n irc.Node, version string, tell func(string)) (*IRCServer, error) {
	ctx, cancel := context.WithTimeout(ctx, ircTime)
	defer cancel()
	addr, err := irc.ParseAddress(s.At)
	if err != nil {
		return nil, err
	}
	password, err := s.Password(dir)
	if err != nil {
		return nil, err
	}
	seen, err := irc.OpenSeen(filepath.Join(dir, ircSeen))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ircSeen, err)
	}
	l, err := addr.Listen(ctx, listenUnix)
	if err != nil {
		return nil, err
	}
	server, err := irc.New(ctx, irc.Config{Node: n, Password: password, Seen: seen, Version: version, Tell: tell})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	x := &IRCServer{Addr: l.Addr().String(), server: server, done: make(chan struct{})}
	go x.serve(l)
	return x, nil
}

func (x *IRCServer) serve(l net.Listener) {
	defer close(x.done)
	x.server.Serve(l) //nolint:errcheck // it ends with Close
}

// Close ends it, and returns when nothing of it is left.
func (x *IRCServer) Close() error {
	err := x.server.Close()
	<-x.done
	return err
}

// listenUnix listens at a socket that only this user and root may use.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	l := &local.UnixListen{Path: path, Access: local.Access{Mode: 0o600, AllowUID: []string{strconv.Itoa(os.Geteuid()), "0"}}}
	if os.Geteuid() < 0 {
		l.AllowUID = nil // a system without user numbers
	}
	acc, err := l.Listen(ctx)
	if err != nil {
		return nil, err
	}
	return tenon.NetListener(acc), nil
}

// A gateway is the IRC server of a node, as the settings say.
type gateway struct {
	mu     sync.Mutex // guards what follows; held while the server begins and ends
	is     IRC
	server *IRCServer
	client *api.Client
}

// set serves IRC clients as s says, or not at all. If that cannot be, they are served as before.
func (g *gateway) set(n *Node, s IRC) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s == g.is || s.At == "" && g.server == nil || n.life.Err() != nil {
		return nil
	}
	if s.At == "" {
		g.end(n)
		return nil
	}
	was := g.is
	if g.server != nil { // whose clients lose their connections
		if err := s.try(n.life, n.config.Dir, s.At != was.At); err != nil {
			return fmt.Errorf("irc: %w", err)
		}
		g.end(n)
	}
	err := g.serve(n, s)
	if err != nil && was.At != "" {
		err = errors.Join(err, g.serve(n, was))
	}
	return err
}

// try tells why IRC clients could not be served as s says.
func (s IRC) try(ctx context.Context, dir string, elsewhere bool) error {
	addr, err := irc.ParseAddress(s.At)
	if err == nil {
		_, err = s.Password(dir)
	}
	if err != nil || !elsewhere {
		return err
	}
	l, err := addr.Listen(ctx, listenUnix)
	if err != nil {
		return err
	}
	return l.Close()
}

// serve is called with mu held, when nothing is served.
func (g *gateway) serve(n *Node, s IRC) error {
	client := n.Client()
	server, err := s.Serve(n.life, n.config.Dir, client, n.config.Version, func(text string) { n.tell(api.Event{Type: "warning", Text: text}) })
	if err != nil {
		client.Close() //nolint:errcheck // nothing was held
		return fmt.Errorf("irc: %w", err)
	}
	g.is, g.server, g.client = s, server, client
	n.tell(api.Event{Type: "network", Text: "IRC clients are served at " + server.Addr})
	return nil
}

// end is called with mu held.
func (g *gateway) end(n *Node) {
	if g.server == nil {
		return
	}
	if err := errors.Join(g.server.Close(), g.client.Close()); err != nil {
		n.tell(api.Event{Type: "warning", Text: "irc: " + err.Error()})
	}
	g.is, g.server, g.client = IRC{}, nil, nil
}

func (g *gateway) stop(n *Node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.end(n)
}
