package irc

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Limits of all clients together.
const (
	maxClients = 64
	maxComing  = 16 // of those that have not registered; the one that has taken longest makes room for another
)

// Config says how a Server is made.
type Config struct {
	Node     Node
	Password string // that every client has to know; it must not be empty
	Seen     *Seen  // which client has seen what; nil = that is forgotten when the server ends
	Version  string // of the program
	Tell     func(text string)
}

// A Server lets IRC clients take part in the rooms of a node. It is made by [New].
type Server struct {
	config  Config
	world   *world
	started time.Time

	life   context.Context
	cancel context.CancelCauseFunc
	all    sync.WaitGroup

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]struct{}
	coming    []*session // not registered, the oldest first
	clients   map[*session]struct{}
	closed    bool
}

var errClosing = errors.New("the server ends")

// New returns a Server that shows the rooms of a node. The context bounds the call.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Password == "" {
		return nil, errors.New("an IRC server without a password")
	}
	if c.Seen == nil {
		c.Seen = new(Seen)
	}
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	s := &Server{config: c, world: newWorld(c.Node), started: time.Now(), listeners: map[net.Listener]struct{}{}, clients: map[*session]struct{}{}}
	s.life, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	ready := make(chan error, 1)
	s.all.Go(func() { s.follow(ready) })
	select {
	case err := <-ready:
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), s.Close())
	}
	return s, nil
}

// Serve serves the clients that l accepts, until l or the Server is closed. It closes l. Clients that are there stay until Close.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(net.ErrClosed, l.Close())
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer s.forget(l)
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.life.Err() != nil {
				err = net.ErrClosed
			}
			return err
		}
		s.take(conn)
	}
}

func (s *Server) forget(l net.Listener) {
	l.Close() //nolint:errcheck // nobody comes any more
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// take serves a client.
func (s *Server) take(conn net.Conn) {
	c := newSession(s, conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close() //nolint:errcheck // it is too late
		return
	}
	if len(s.coming) >= maxComing {
		s.coming[0].out.end(errors.New("others want to register, too"))
		s.coming = s.coming[1:]
	}
	s.coming = append(s.coming, c)
	s.all.Go(func() {
		c.run(s.life)
		s.gone(c)
	})
}

func (s *Server) gone(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
	s.notComing(c)
}

// notComing is called with mu held.
func (s *Server) notComing(c *session) {
	for i, other := range s.coming {
		if other == c {
			s.coming = append(s.coming[:i:i], s.coming[i+1:]...)
			return
		}
	}
}

// register counts a client that has shown the password; false = there are too many.
func (s *Server) register(c *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.clients) >= maxClients {
		return false
	}
	s.notComing(c)
	s.clients[c] = struct{}{}
	return true
}

// Clients is how many clients are registered.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Close ends the server, and returns when nothing of it is left.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close() //nolint:errcheck // nobody comes any more
	}
	s.mu.Unlock()
	s.cancel(errClosing)
	s.all.Wait()
	return s.config.Seen.save()
}
