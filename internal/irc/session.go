package irc

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircmsg"
	"github.com/ergochat/irc-go/ircreader"
	"github.com/ergochat/irc-go/ircutils"
	"golang.org/x/time/rate"
)

// Limits of a client.
const (
	registerTime = 30 * time.Second // from the connection to the password
	pingEvery    = 90 * time.Second // of silence
	commandTime  = 30 * time.Second // for what is asked of the node
	linesPerSec  = 20               // a client that says more is read more slowly
	linesBurst   = 400
	maxSent      = 4096 // messages that are remembered as sent to the client
)

// A session is a client that is connected.
type session struct {
	server *Server
	world  *world
	conn   net.Conn
	out    *outbox
	began  time.Time

	// What follows is written by the goroutine of the session, and by others only with the lock of the world; while that
	// goroutine writes it holds the lock if others read.
	caps       caps
	version    int  // of the capability negotiation: 301 or 302
	choosing   bool // between CAP LS and CAP END
	registered bool
	nick, user string // as the client has said
	client     string // what is behind the "@" of the user name
	pass       string // of PASS
	trusted    bool   // the password was right
	wrong      int    // passwords that were not
	sasl       *ircutils.SASLBuffer
	away       string
	monitors   map[string]string      // folded nicks, as they were typed
	joined     map[*channel]bool      // those that the client shows
	parted     map[string]bool        // IDs of rooms that it does not want to see
	batch      *incoming              // of draft/multiline
	batches    int                    // to number those to the client
	marks      map[string]string      // the MARKREAD that it knows, by ID of the room
	typed      map[*channel]time.Time // when others were told that the user is writing
	reacting   map[reaction]int       // those of the client's that the node has not told of yet
	sent       *recent[string]        // IDs of messages that it has
	got        map[string]received    // by room: the last message that was sent to it
	quiet      bool                   // it has said nothing for some time, and was asked whether it is there
	pings      int                    // to number those that ask what it has got
	asking     bool                   // one of them is not answered
	asked      map[string]received    // what was sent before that

	// While a command is carried out, answers are collected if the client is to be told which is the answer to what, and all else
	// waits until it is done: what happens meanwhile is told behind it.
	busy     bool
	label    string
	answers  []*msg
	greeting bool // conversations are to be played, too
	live     []waiting
	liveLen  int
	entering []*channel // rooms that have come, to be joined when the goroutine has time
	wake     chan struct{}
}

func newSession(srv *Server, conn net.Conn) *session {
	return &session{server: srv, world: srv.world, conn: conn, out: newOutbox(func() { conn.SetDeadline(time.Unix(1, 0)) }), //nolint:errcheck // it is over
		began: time.Now(), version: 301,
		monitors: map[string]string{}, joined: map[*channel]bool{}, parted: map[string]bool{}, marks: map[string]string{}, typed: map[*channel]time.Time{}, reacting: map[reaction]int{},
		sent: newRecent[string](maxSent), got: map[string]received{}, wake: make(chan struct{}, 1)}
}

// errQuit ends a session without an error.
var errQuit = errors.New("quit")

// A read is a line of a client, or why there is none.
type read struct {
	line string
	err  error
}

// run serves the client until it goes, or ctx ends.
func (s *session) run(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lines, done := make(chan read), make(chan struct{})
	go s.write(cancel, done)
	read := make(chan struct{})
	go s.read(ctx, lines, read)
	err := s.serve(ctx, lines)
	s.leave(err)
	select {
	case <-done:
	case <-time.After(time.Second): // nobody reads why it ends
		s.out.end(net.ErrClosed)
	}
	s.conn.Close() //nolint:errcheck // it is over
	<-done
	cancel(nil)
	<-read
}

func (s *session) write(cancel context.CancelCauseFunc, done chan<- struct{}) {
	defer close(done)
	cancel(s.out.drain(s.conn))
}

// read reads lines until the connection, or ctx, ends.
func (s *session) read(ctx context.Context, lines chan<- read, done chan<- struct{}) {
	defer close(done)
	var r ircreader.Reader
	r.Initialize(s.conn, 512, ircmsg.MaxlenTagsFromClient+maxLine)
	for {
		line, err := r.ReadLine()
		select {
		case lines <- read{string(line), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// serve carries out what the client says.
func (s *session) serve(ctx context.Context, lines <-chan read) error {
	pace := rate.NewLimiter(linesPerSec, linesBurst)
	quiet := time.NewTimer(registerTime)
	defer quiet.Stop()
	for first := true; ; {
		var r read
		select {
		case r = <-lines:
		case <-s.wake:
			if err := s.do(ctx, s.enterNew); err != nil {
				return err
			}
			continue
		case <-quiet.C:
			if err := s.silent(); err != nil {
				return err
			}
			quiet.Reset(pingEvery)
			continue
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch {
		case errors.Is(r.err, ircreader.ErrReadQ):
			s.numeric(errTooLong, "a line is too long")
			return r.err
		case r.err != nil:
			return r.err
		case first && isHTTP(r.line):
			s.out.end(errQuit)
			return errQuit
		}
		first, s.quiet = false, false
		if err := pace.Wait(ctx); err != nil {
			return context.Cause(ctx)
		}
		if err := s.handle(ctx, r.line); err != nil {
			return err
		}
		if s.registered {
			quiet.Reset(pingEvery)
		}
	}
}

// silent is what to do about a client that has said nothing for some time.
func (s *session) silent() error {
	switch {
	case !s.registered:
		return errors.New("it took too long to register")
	case s.quiet:
		return errors.New("ping timeout")
	}
	s.quiet = true
	s.emit(&msg{cmd: "PING", params: []string{quietPing}})
	return nil
}

// quietPing asks whether somebody is there.
const quietPing = "tenon"

// isHTTP tells whether a line is how a browser begins.
func isHTTP(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI":
		return true
	}
	return strings.Contains(rest, " HTTP/")
}

// handle carries out a line.
func (s *session) handle(ctx context.Context, line string) error {
	if !utf8.ValidString(line) {
		s.fail("*", "INVALID_UTF8", "", "what is not UTF-8 is not taken: set the encoding of the client to UTF-8")
		return nil
	}
	m, err := ircmsg.ParseLineStrict(line, true, 0)
	switch {
	case errors.Is(err, ircmsg.ErrorTagsTooLong):
		s.numeric(errTooLong, "the tags are too long")
		return nil
	case err != nil:
		return nil // an empty line, or one that says nothing
	}
	if label := ""; s.caps.has(capLabels | capBatch) {
		if _, label = m.GetTag("label"); len(label) <= 64 {
			s.label = label
		}
	}
	return s.do(ctx, func(ctx context.Context) error { return s.dispatch(ctx, &m) })
}

// leave ends the session, and says why.
func (s *session) leave(err error) {
	s.world.mu.Lock()
	delete(s.world.sessions, s)
	s.world.mu.Unlock()
	why := "closing link"
	if err != nil && !errors.Is(err, errQuit) && !errors.Is(err, net.ErrClosed) {
		why += ": " + err.Error()
	}
	s.out.add(s.encode(&msg{cmd: "ERROR", params: []string{why}}))
	s.out.finish()
}
