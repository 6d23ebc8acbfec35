//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// sendPipe sends the reading side of a pipe that has text in it.
func sendPipe(t *testing.T, c transport.Conn, text string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := c.(transport.FilePasser).SendFile(r); err != nil {
		t.Fatal(err)
	}
}

// wantPipe receives one, and reads the text from it.
func wantPipe(t *testing.T, c transport.Conn, text string) {
	t.Helper()
	var f *os.File
	err := await(t, start(func() (err error) { f, err = c.(transport.FilePasser).ReceiveFile(); return err }), "receiving a file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != text {
		t.Errorf("the file has %q, %v; want %q", got, err, text)
	}
}

// TestFiles passes files both ways, while nothing, or everything, goes on besides.
func TestFiles(t *testing.T) {
	for _, msgs := range []bool{false, true} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("messages=%v,busy=%v", msgs, busy), func(t *testing.T) {
				fds, maps := held(t)
				t.Run("", func(t *testing.T) {
					a, b := pair(t, msgs, MinSize)
					park(a, b)
					var done []<-chan error
					if busy {
						for _, c := range []transport.Conn{a, b} {
							done = append(done, start(func() error { return writeMuchForEver(c) }), start(func() error { return readForEver(c) }))
						}
					}
					for i := range 40 {
						sendPipe(t, a, fmt.Sprint("from a ", i))
						sendPipe(t, b, fmt.Sprint("from b ", i))
						if i%3 == 0 {
							sendPipe(t, a, "one more")
						}
						wantPipe(t, b, fmt.Sprint("from a ", i))
						wantPipe(t, a, fmt.Sprint("from b ", i))
						if i%3 == 0 {
							wantPipe(t, b, "one more")
						}
					}
					sendPipe(t, a, "nobody takes it")
					waiting := start(func() error { _, err := linkOf(a).ReceiveFile(); return err })
					a.Close()
					if err := await(t, waiting, "ReceiveFile during Close"); !errors.Is(err, net.ErrClosed) {
						t.Errorf("ReceiveFile during Close: %v, want net.ErrClosed", err)
					}
					wantPipe(t, b, "nobody takes it")
					if _, err := linkOf(b).ReceiveFile(); err != io.EOF {
						t.Errorf("at the end: %v, want io.EOF", err)
					}
					if err := linkOf(b).SendFile(os.Stdin); err == nil {
						t.Error("a file can be sent to who is gone")
					}
					b.Close()
					for _, d := range done {
						await(t, d, "ending")
					}
				})
				wantHeld(t, fds, maps)
			})
		}
	}
}

func readForEver(c transport.Conn) error {
	for {
		if err := readSome(c); err != nil {
			return err
		}
	}
}

func writeMuchForEver(c transport.Conn) error {
	for {
		if err := writeMuch(c); err != nil {
			return err
		}
	}
}

// TestFilesWait: files that came while nobody waited are there for who asks, though
// the socket was read for other reasons.
func TestFilesWait(t *testing.T) {
	a, b := streams(t, MinSize)
	park(a, b)
	for i := range maxInbox {
		sendPipe(t, a, fmt.Sprint(i))
		for range 5 { // b parks, and reads its socket at times
			read := start(func() error { return readSome(b) })
			until(t, "the reader parks", func() bool { return b.in.c.ctl.consumerWaits.load() == 1 })
			if _, err := a.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := await(t, read, "reading"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range maxInbox {
		wantPipe(t, b, fmt.Sprint(i))
	}
}

// TestNobodyHoldsFiles: a file that was received and closed is closed; nothing of it
// stays in the socket. The end of a pipe shows it.
func TestNobodyHoldsFiles(t *testing.T) {
	a, b := streams(t, MinSize)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(a.SendFile(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := b.ReceiveFile()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
	f.Close()
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "x" || err != nil {
		t.Errorf("through the pipe came %q, %v; want x, and the end", got, err)
	}
}

// TestFileBesideWaiter: who receives a file reads the socket, and whoever is parked
// beside him must not miss what he has read away.
func TestFileBesideWaiter(t *testing.T) {
	a, b := streams(t, MinSize)
	park(a, b)
	const rounds = 500
	ahead := make(chan struct{}, maxInbox/2) // files sent and not received
	received := start(func() error {
		for range rounds {
			f, err := b.ReceiveFile()
			if err != nil {
				return err
			}
			f.Close()
			<-ahead
		}
		return nil
	})
	echoed := start(func() error {
		p := make([]byte, 1)
		for range rounds {
			if _, err := io.ReadFull(b, p); err != nil {
				return err
			}
			if _, err := b.Write(p); err != nil {
				return err
			}
		}
		return nil
	})
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	sent := start(func() error {
		p := make([]byte, 1)
		for range rounds {
			_, err1 := a.Write(p)
			ahead <- struct{}{}
			err2 := a.SendFile(null)
			_, err3 := io.ReadFull(a, p)
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []<-chan error{sent, echoed, received} {
		if err := await(t, c, "bytes and files side by side"); err != nil {
			t.Error(err)
		}
	}
}

func TestReceiveFileDeadline(t *testing.T) {
	a, b := streams(t, MinSize)
	waiting := start(func() error { _, err := a.ReceiveFile(); return err })
	until(t, "it parks", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.fileQueue != nil && a.fileQueue.waiters > 0 })
	if err := a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := await(t, waiting, "the deadline"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want os.ErrDeadlineExceeded", err)
	}
	if _, err := a.ReceiveFile(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v, want os.ErrDeadlineExceeded", err)
	}
	if err := a.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	sendPipe(t, b, "later")
	wantPipe(t, a, "later")
}
