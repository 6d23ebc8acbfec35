package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	goyamux "github.com/libp2p/go-yamux/v5"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// errReset is what a stream reads and writes that its other side has aborted.
var errReset = errors.New("the peer has aborted the stream")

// What has ended a stream.
const (
	doneClosed  = 1
	doneAborted = 2
)

// writeStep is how much is written before it is counted that something has moved.
const writeStep = 64 << 10

// A stream is one of many over a connection of libp2p, as [transport.Stream] wants it.
//
// Of yamux and quic-go it makes one thing: writes do not mix, an end of file is what
// the other side has sent and nothing else, and a side that has closed tells a writer
// that nobody reads.
type stream struct {
	n     *Network
	inner network.Stream
	over  overlay
	info  transport.Info
	moved moveCount

	local, remote net.Addr

	rmu     sync.Mutex // held by Read
	wmu     sync.Mutex // held by Write and CloseWrite: guards written
	written bool       // nothing more may be written

	ended atomic.Bool  // the end of file has been read
	done  atomic.Int32 // 0, or what has ended the stream
	close sync.Once
}

var (
	_ transport.Stream  = (*stream)(nil)
	_ transport.Aborter = (*stream)(nil)
)

func newStream(n *Network, s network.Stream, who peer.ID, over overlay) *stream {
	x := &stream{n: n, inner: s, over: over, moved: moveCount{all: n.movedOver(s.Conn())}, info: transport.Info{Kind: "peer", Peer: who.String()}}
	x.local, x.remote = netAddr(s.Conn().LocalMultiaddr()), netAddr(s.Conn().RemoteMultiaddr())
	return x
}

// Read reads what has arrived. Bytes come without an error, which the next Read meets
// again: yamux says that the connection is over while it still gives bytes.
func (s *stream) Read(p []byte) (int, error) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	if err := s.gone(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.inner.Read(p)
	switch {
	case n > 0:
		s.moved.read()
		return n, nil
	case err == io.EOF:
		if err := s.gone(); err != nil {
			return 0, err
		}
		s.ended.Store(true)
		return 0, io.EOF
	}
	return 0, s.explain(err)
}

// Write writes p in one piece.
func (s *stream) Write(p []byte) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.gone(); err != nil {
		return 0, err
	}
	if s.written {
		return 0, io.ErrClosedPipe
	}
	done := 0
	for {
		n, err := s.inner.Write(p[done:min(len(p), done+writeStep)])
		done += n
		s.moved.write(n)
		if err != nil || done == len(p) {
			return done, s.explain(err)
		}
	}
}

// CloseWrite sends an end of file behind all that was written.
func (s *stream) CloseWrite() error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.gone(); err != nil {
		return err
	}
	if s.written {
		return nil
	}
	s.written = true
	return s.explain(s.inner.CloseWrite())
}

// Close ends both directions. What was written still arrives, unless a Write is going
// on, which is cut.
func (s *stream) Close() error {
	s.close.Do(func() {
		s.done.Store(doneClosed)
		if !s.wmu.TryLock() {
			s.inner.Reset() //nolint:errcheck // it is gone
			return
		}
		defer s.wmu.Unlock()
		switch {
		case s.ended.Load(), s.over == overQUIC: // QUIC tells the other side that nobody reads
			s.inner.Close() //nolint:errcheck // what quic-go says of a stream that the other side has left is no failure
		case s.inner.CloseWrite() != nil:
			s.inner.Reset() //nolint:errcheck // it is gone
		default:
			s.inner.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // whoever reads returns
			if !s.n.task(s.linger) {
				s.inner.Reset() //nolint:errcheck // it is gone
			}
		}
	})
	return nil
}

// The bounds of linger.
const (
	lingerSilence = time.Minute // for the other side to end, too
	lingerTime    = transport.LingeringCloseTime
)

// linger reads what still comes, for yamux does not tell the other side that nobody
// does. Who goes on for longer than lingerTime is told by a reset, which would destroy
// what is on its way to him if it came at once.
func (s *stream) linger() {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	until := time.Now().Add(lingerSilence)
	buf := make([]byte, 1)
	for {
		s.inner.SetReadDeadline(until) //nolint:errcheck // Read would say it
		_, err := s.inner.Read(buf)
		if err != nil {
			if err == io.EOF {
				s.inner.Close() //nolint:errcheck // it is gone
			} else {
				s.inner.Reset() //nolint:errcheck // it is gone
			}
			return
		}
		if len(buf) == 1 {
			buf = make([]byte, 16<<10)
			until = time.Now().Add(lingerTime)
		}
	}
}

// Abort ends both directions at once, and the other side sees it.
func (s *stream) Abort(error) error {
	s.close.Do(func() {
		s.done.Store(doneAborted)
		s.inner.Reset() //nolint:errcheck // it is gone
	})
	return nil
}

// gone returns how this side has ended the stream, or nil.
func (s *stream) gone() error {
	switch s.done.Load() {
	case doneClosed:
		return net.ErrClosed
	case doneAborted:
		return transport.ErrAborted
	}
	return nil
}

// explain turns what libp2p says into what the contract says. In particular nothing
// that comes of it matches io.EOF.
func (s *stream) explain(err error) error {
	if err == nil {
		return nil
	}
	if over := s.gone(); over != nil {
		return over
	}
	var reset *network.StreamError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, goyamux.ErrTimeout):
		return os.ErrDeadlineExceeded
	case errors.As(err, &reset) && reset.Remote && !s.inner.Conn().IsClosed():
		return errReset
	}
	return fmt.Errorf("%w: %v", peer.ErrUnreachable, err) //nolint:errorlint // it may wrap io.EOF
}

// Path tells over which path the stream goes.
func (s *stream) Path() peer.Path {
	if s.over == overRelay {
		return peer.Relayed
	}
	return peer.Direct
}

func (s *stream) Info() *transport.Info { return &s.info }
func (s *stream) LocalAddr() net.Addr   { return s.local }
func (s *stream) RemoteAddr() net.Addr  { return s.remote }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.inner.SetReadDeadline(t)
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.inner.SetWriteDeadline(t)
}
