package folder

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// Folder serves a folder; see the package comment.
type Folder struct {
	Path   string
	Hidden bool     // names that begin with a dot are there, too
	Hosts  []string // names by which it may be asked for beside those of this machine; * for any
}

var (
	_ transport.Dialer    = (*Folder)(nil)
	_ transport.Validator = (*Folder)(nil)
)

// Kinds returns the kinds of this family.
func Kinds() transport.Kinds {
	return transport.Kinds{{
		Name: "folder", Syntax: "folder:PATH", Traits: transport.Traits{HalfClose: true, Deadlines: true, EndsBoth: true},
		Doc:     "Serves a folder over HTTP, to be read and not written.",
		Example: "folder:/srv/www",
		New:     func() transport.Endpoint { return new(Folder) },
	}}
}

// Bind binds the options, and the target as the path.
func (f *Folder) Bind(s *opt.Set) {
	s.Target(opt.Text, "PATH", func(t address.Target) error { f.Path = t.Text; return nil })
	s.Bool(&f.Hidden, "hidden", "serve and list names that begin with a dot, too")
	s.Strings(&f.Hosts, "host", "name", "answer requests for this host, too, beside addresses, localhost and names without a dot; * for any")
}

// Validate finds fault with the path.
func (f *Folder) Validate() error {
	if f.Path == "" {
		return transport.Usage(errors.New("the path of a folder is missing"))
	}
	return nil
}

// Limits on what a client may do to a server.
const (
	headerTime = time.Minute // for the header of a request
	maxHeader  = 64 << 10    // bytes of it
)

// Dial opens the folder, and returns a connection to its server.
func (f *Folder) Dial(ctx context.Context) (transport.Conn, error) {
	if err := errors.Join(f.Validate(), context.Cause(ctx)); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(f.Path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	near, far := mem.Pair()
	c := &conn{near: near, at: transport.Addr{Net: "folder", Name: path}, info: &transport.Info{Kind: "folder"},
		root: root, far: far, accepted: make(chan net.Conn, 1), ended: make(chan struct{}), over: make(chan struct{})}
	c.accepted <- far
	go c.serve(f)
	return c, nil
}

// A conn is an end in memory with a server at its other side.
type conn struct {
	near     transport.Stream
	at       transport.Addr
	info     *transport.Info
	root     *os.Root
	far      transport.Stream
	accepted chan net.Conn // far, once
	ended    chan struct{} // closed when the server has closed far
	over     chan struct{} // closed when serve has returned
}

var (
	_ transport.Stream  = (*conn)(nil)
	_ transport.Ender   = (*conn)(nil)
	_ transport.Aborter = (*conn)(nil)
	_ net.Listener      = (*listener)(nil)
)

// serve answers requests until the connection is closed.
func (c *conn) serve(f *Folder) {
	defer close(c.over)
	defer c.root.Close() //nolint:errcheck // it was only read
	s := http.Server{
		Handler:           &handler{hosts: f.Hosts, files: http.FileServerFS(files{c.root.FS(), c.root, f.Hidden})},
		ReadHeaderTimeout: headerTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          discard,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(c.ended)
			}
		},
	}
	s.Serve((*listener)(c)) //nolint:errcheck // it is that there are no more connections
}

// A listener has one connection.
type listener conn

// Accept returns the connection, and at its end that there is no other.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

// Close does nothing: the connection ends by itself.
func (l *listener) Close() error   { return nil }
func (l *listener) Addr() net.Addr { return l.at }

// Ended returns a channel that is closed when the server has closed the connection.
func (c *conn) Ended() <-chan struct{} { return c.ended }

// Close ends the connection and waits for the server.
func (c *conn) Close() error {
	err := c.near.Close()
	<-c.over
	return err
}

// CloseWrite has the server answer what was asked for, and close the connection.
func (c *conn) CloseWrite() error { return c.near.CloseWrite() }

// Abort ends the connection.
func (c *conn) Abort(cause error) error { return transport.Abort(c.near, cause) }

func (c *conn) Read(p []byte) (int, error)         { return c.near.Read(p) }
func (c *conn) Write(p []byte) (int, error)        { return c.near.Write(p) }
func (c *conn) SetDeadline(t time.Time) error      { return c.near.SetDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { return c.near.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.near.SetWriteDeadline(t) }

func (c *conn) Info() *transport.Info { return c.info }
func (c *conn) LocalAddr() net.Addr   { return c.at }
func (c *conn) RemoteAddr() net.Addr  { return c.at }
