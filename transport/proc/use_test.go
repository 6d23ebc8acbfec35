//go:build unix

package proc

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/term"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// dialAs opens the address for a joint that uses the end so.
func dialAs(t *testing.T, use transport.Use, text string) transport.Stream {
	t.Helper()
	e, err := transporttest.Fill(kind("sh"), "sh:"+text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.(transport.Dialer).Dial(transport.WithUse(context.Background(), use))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { transport.Abort(c, nil) })
	return c.(transport.Stream)
}

// replaced puts one end of a pipe in place of a standard file, and returns the other.
func replaced(t *testing.T, std **os.File, write bool) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ours, its, before := w, r, *std
	if write {
		ours, its = r, w
	}
	*std = its
	t.Cleanup(func() { *std = before; r.Close(); w.Close() })
	return ours
}

// wires are the ways to connect a program.
var wires = []string{"", ",wire=socketpair", ",pty,raw,echo=no"}

// What a program writes that nobody is to read goes to our own standard output, as in
// socat, and half-closing it waits until all of that has been written.
func TestOutputThatNobodyReads(t *testing.T) {
	for _, options := range []string{"", ",wire=socketpair", ",pty"} {
		out := replaced(t, &os.Stdout, true)
		c := dialAs(t, transport.WriteOnly, "'read line; sleep 0.2; echo got $line; echo failed >&2; exit 3',stderr=join,kill-after=1ms"+options)
		if n, err := c.Read(make([]byte, 8)); n != 0 || err != io.EOF {
			t.Errorf("%q: reading: %d, error %v; want io.EOF", options, n, err)
		}
		if _, err := io.WriteString(c, "this\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("%q: CloseWrite: %v", options, err)
		}
		wantExit(t, c.Close(), 3)
		os.Stdout.Close()
		if got, err := io.ReadAll(out); err != nil || string(got) != "got this\nfailed\n" {
			t.Errorf("%q: standard output has %q, error %v", options, got, err)
		}
	}
}

// CloseWrite, which waits for the program, ends with Close and Abort.
func TestCloseWriteIsUnblocked(t *testing.T) {
	for name, end := range map[string]func(transport.Conn) error{
		"Close": func(c transport.Conn) error { return c.Close() },
		"Abort": func(c transport.Conn) error { return transport.Abort(c, errors.New("cut")) },
	} {
		replaced(t, &os.Stdout, true)
		c := dialAs(t, transport.WriteOnly, "'exec sleep 1000',kill-after=1ms")
		waiting := make(chan error, 1)
		go func() { waiting <- c.CloseWrite() }()
		select {
		case err := <-waiting:
			t.Fatalf("CloseWrite does not wait: %v", err)
		case <-time.After(20 * time.Millisecond): // to see that nothing happens
		}
		end(c)
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: CloseWrite returns %v, want net.ErrClosed", name, err)
		}
	}
}

// A program that is only read has our own standard input, and what is on a terminal
// its process group.
func TestInputThatNobodyWrites(t *testing.T) {
	for _, options := range wires {
		in := replaced(t, &os.Stdin, false)
		c := dialAs(t, transport.ReadOnly, "'read line; echo got $line'"+options)
		if _, err := io.WriteString(in, "this\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("lost")); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: writing: error %v, want errors.ErrUnsupported", options, err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("%q: CloseWrite: %v", options, err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != "got this\n" {
			t.Errorf("%q: read %q, error %v", options, got, err)
		}
		<-c.(transport.Ender).Ended()
		if err := c.Close(); err != nil {
			t.Errorf("%q: Close: %v", options, err)
		}
	}
	if o := (&Options{}); !o.grouped(&wire{stdin: os.Stdin}) || o.grouped(&wire{}) == term.IsTerminal(0) {
		t.Error("a program that reads our terminal leads a group of its own, or another one does not")
	}
}

// A program that exits ends both directions; one that only closes its output, or
// leaves a child that goes on reading, ends one.
func TestEnded(t *testing.T) {
	for _, options := range append(wires, ",until=exit", ",pty") {
		c := dial(t, "sh:'echo last words'"+options)
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		<-c.(transport.Ender).Ended()
		if err := c.CloseWrite(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: CloseWrite: %v", options, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%q: Close: %v", options, err)
		}
	}
	for _, text := range []string{
		"sh:'exec >&- 2>&-; cat >/dev/null'",
		"sh:'exec 3<&0; (exec >&- 2>&-; cat <&3 >/dev/null) & exit 0'",
	} {
		c := dial(t, text)
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		if transport.HasEnded(c) {
			t.Errorf("%s: Ended is closed, and the input is still read", text)
		}
		if _, err := io.WriteString(c, "more"); err != nil {
			t.Errorf("%s: writing: %v", text, err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("%s: CloseWrite: %v", text, err)
		}
	}
	until := dial(t, "sh:'exec 3<&0; (exec >&- 2>&-; cat <&3 >/dev/null) & exit 0',until=exit")
	if _, err := io.ReadAll(until); err != nil {
		t.Fatal(err)
	}
	<-until.(transport.Ender).Ended()
}
