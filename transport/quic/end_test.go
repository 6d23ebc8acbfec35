package quic_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/quic"
)

// waitEnded waits until the other side of c has ended both directions.
func waitEnded(t *testing.T, c transport.Conn) {
	t.Helper()
	e, _ := transport.As[transport.Ender](c)
	select {
	case <-e.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("the end of both directions is not noticed")
	}
}

// FIN ends one direction. A side that closes ends both, and waits until we have
// noticed.
func TestEnds(t *testing.T) {
	for _, swap := range []bool{false, true} {
		d, l := endpoints(t)
		a, b := connect(t, d, l)
		if swap {
			a, b = b, a
		}
		if err := b.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.(transport.Stream).Read(make([]byte, 1)); err != io.EOF || transport.HasEnded(a) {
			t.Errorf("after FIN: %v, ended both ways: %v", err, transport.HasEnded(a))
		}
		closed := make(chan error, 1)
		go func() { closed <- b.Close() }()
		waitEnded(t, a)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		a.Close()
	}
}

// stranger has a program that speaks its own protocol call l, and returns both.
func stranger(t *testing.T, l *quic.Listen) (*quicgo.Conn, *quicgo.Stream, transport.Conn) {
	t.Helper()
	a, port := listen(t, l)
	qc, err := quicgo.DialAddr(t.Context(), "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"own"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { qc.CloseWithError(0, "") })
	st, err := qc.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.(transport.Stream).Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return qc, st, s
}

// What a program of another protocol does: FIN and STOP_SENDING end both
// directions, in any order, and so does closing the connection.
func TestStrangerEnds(t *testing.T) {
	for name, end := range map[string]func(*quicgo.Conn, *quicgo.Stream){
		"FIN, STOP_SENDING": func(_ *quicgo.Conn, st *quicgo.Stream) { st.Close(); st.CancelRead(7) },
		"STOP_SENDING, FIN": func(_ *quicgo.Conn, st *quicgo.Stream) { st.CancelRead(7); st.Close() },
		"CONNECTION_CLOSE":  func(qc *quicgo.Conn, _ *quicgo.Stream) { qc.CloseWithError(7, "enough") },
	} {
		t.Run(name, func(t *testing.T) {
			_, l := fill(t, "", ",alpn=own,drain=never")
			qc, st, s := stranger(t, l)
			if transport.HasEnded(s) {
				t.Error("has ended already")
			}
			end(qc, st)
			s.(transport.Stream).Read(make([]byte, 1))
			waitEnded(t, s)
		})
	}
}

// Codes and reasons of another protocol pass from one end to the next.
func TestCloseStatus(t *testing.T) {
	for name, say := range map[string]func(*quicgo.Conn, *quicgo.Stream){
		"enough": func(qc *quicgo.Conn, _ *quicgo.Stream) { qc.CloseWithError(4001, "enough") },
		"":       func(_ *quicgo.Conn, st *quicgo.Stream) { st.CancelWrite(4001) },
	} {
		_, l := fill(t, "", ",alpn=own,drain=never")
		qc, st, from := stranger(t, l)
		_, l = fill(t, "", ",alpn=own,drain=never")
		far, _, to := stranger(t, l)
		if _, ok := from.(transport.StatusCloser).CloseStatus(); ok {
			t.Error("a status before the end")
		}
		say(qc, st)
		if _, err := from.(transport.Stream).Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("read: %v", err)
		}
		transport.PassCloseStatus(from, to)
		transport.Abort(to, nil)
		<-far.Context().Done()
		var app *quicgo.ApplicationError
		if err := context.Cause(far.Context()); !errors.As(err, &app) || app.ErrorCode != 4001 || app.ErrorMessage != name {
			t.Errorf("the other side is told %v, want 4001 %q", err, name)
		}
	}
	a, b := pair(t)
	b.(transport.Aborter).Abort(nil)
	a.(transport.Stream).Read(make([]byte, 1))
	if s, ok := a.(transport.StatusCloser).CloseStatus(); ok {
		t.Errorf("between two Tenons: %+v", s)
	}
}

// A removed authority lets nobody in any more, also not by a session that began
// before; see the same test of tlslayer.
func TestRemovedAuthority(t *testing.T) {
	old, new := tlstest.New(t), tlstest.New(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	replace := func(with string) {
		data, err := os.ReadFile(with)
		if err := errors.Join(err, os.WriteFile(ca+".new", data, 0o600), os.Rename(ca+".new", ca)); err != nil {
			t.Fatal(err)
		}
	}
	replace(old.File)
	d, l := fill(t, ",insecure,cert="+old.Issue(t, "alice"), ",ca="+ca)
	other, _ := fill(t, ",insecure,cert="+new.Issue(t, "bob"), "")
	told := make(chan string, 10)
	l.Notify(func(line string) { told <- line })
	d.Drain, l.Drain, other.Drain = -1, -1, -1
	a, port := listen(t, l)
	d.Port, other.Port = port, port
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			s, err := a.Accept()
			if err != nil {
				return
			}
			s.(transport.Stream).Write([]byte("x"))
			s.(transport.Stream).Read(make([]byte, 1))
			s.Close()
		}
	}()
	defer func() { a.Close(); <-served }()
	resumed := false
	dial := func(d *quic.Dial) error {
		c, err := d.Dial(t.Context())
		if err != nil {
			return err
		}
		resumed = c.Info().TLS.DidResume
		defer c.Close()
		_, err = c.(transport.Stream).Read(make([]byte, 1))
		return err
	}
	for range 2 {
		mustWork(t, dial(d))
	}
	if !resumed {
		t.Error("the session is not resumed")
	}
	replace(new.File)
	mustDeny(t, dial(d), "")
	mustWork(t, dial(other))
	if line := <-told; !strings.Contains(line, "read "+ca) {
		t.Errorf("told %q", line)
	}
	replace(old.File)
	commit, err := l.Reload()
	if err != nil {
		t.Fatal(err)
	}
	commit()
	mustWork(t, dial(d))
	mustDeny(t, dial(other), "")
}
