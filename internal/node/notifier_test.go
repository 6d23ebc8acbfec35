//go:build linux

package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/notify"
)

// sayTo says something to a peer alone.
func sayTo(t *testing.T, n *node.Node, to, text string) {
	t.Helper()
	if _, err := n.Client().DirectRoom(within(t), to); err != nil {
		t.Fatal(err)
	}
	say(t, n, to, text)
}

// openPipe opens a named pipe to read, when a program has opened it to write.
func openPipe(t *testing.T, name string) *os.File {
	t.Helper()
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(name)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			t.Fatal(o.err)
		}
		t.Cleanup(func() { o.f.Close() }) //nolint:errcheck // it was only read
		return o.f
	case <-within(t).Done():
		if f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil { // so that the goroutine ends
			f.Close() //nolint:errcheck // nothing was written
		}
		t.Fatal("nobody writes to the pipe")
	}
	return nil
}

// readPipe reads all that a program writes to a named pipe.
func readPipe(t *testing.T, name string) string {
	t.Helper()
	text, err := io.ReadAll(openPipe(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Who is away from his screen is told by a program, and at a socket, of what names him or is said to him alone, and of
// nothing else; nobody is told any more when the configuration says so.
func TestNotify(t *testing.T) {
	w := new(world)
	dir := t.TempDir()
	pipe, script, config := filepath.Join(dir, "pipe"), filepath.Join(dir, "script"), filepath.Join(dir, "config")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\n{ echo $TENON_WHY; cat; } >"+pipe+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was listened at
	write(t, `notify = ["exec:`+script+`", "unix:`+dir+`/socket"]`, config)
	c := w.config(stateDir(t), "bob")
	c.ConfigFile = config
	alice, bob := w.node(t, "alice"), start(t, c)
	pairUp(t, alice, bob)
	meetIn(t, "plans", alice, bob)
	say(t, alice, "plans", "nobody in particular")
	say(t, bob, "plans", "@bob says bob")
	say(t, alice, "plans", "@bob look `reboot`")
	why, text, _ := strings.Cut(readPipe(t, pipe), "\n")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	conn.Close() //nolint:errcheck // it was only read
	if err != nil || line != text {
		t.Errorf("at the socket there is %q, %v, and the program got %q", line, err, text)
	}
	var n notify.Notification
	if err := json.Unmarshal([]byte(text), &n); err != nil || why != "mention" || n.Why != why || n.Name != "plans" || n.From != "alice" || n.Message.Text != "@bob look `reboot`" {
		t.Errorf("told is %s, %s, %v", why, text, err)
	}
	if _, err := bob.Client().ChangeRoom(within(t), "plans", api.RoomChange{Muted: new(true)}); err != nil {
		t.Fatal(err)
	}
	sayTo(t, alice, "bob", "are you there?")
	if why, text, _ := strings.Cut(readPipe(t, pipe), "\n"); why != "direct" {
		t.Errorf("told is %q %s", why, text)
	}
	write(t, "", config)
	if out, err := bob.Client().Reload(within(t)); err != nil || len(out.Changes) != 1 || out.Changes[0] != "notify: 0" {
		t.Errorf("%+v, %v", out, err)
	}
}

// A program that runs on is ended with the node, and what it has started, too.
func TestNotifyEnds(t *testing.T) {
	w := new(world)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec 3>"+pipe+"\necho begun >&3\nsleep 1000 &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := w.config(stateDir(t), "bob")
	c.Flags.Notify = []string{"exec:" + script}
	alice := w.node(t, "alice")
	bob, err := node.New(context.WithoutCancel(t.Context()), c)
	if err != nil {
		t.Fatal(err)
	}
	pairUp(t, alice, bob)
	sayTo(t, alice, "bob", "hi")
	f := openPipe(t, pipe)
	f.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // Read tells
	r := bufio.NewReader(f)
	if line, err := r.ReadString('\n'); err != nil || line != "begun\n" {
		t.Fatalf("it has begun with %q, %v", line, err)
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadByte(); err == nil || os.IsTimeout(err) { // the end comes when nobody has the pipe any more
		t.Errorf("something of it goes on: %v", err)
	}
}

// What cannot be told to is a mistake in the configuration.
func TestNotifyMistakes(t *testing.T) {
	w := new(world)
	for _, to := range []string{"dekstop", "exec:", "tcp-listen:1234", "irc"} {
		c := w.config(stateDir(t), "bob")
		c.Flags.Notify = []string{"desktop", to}
		if n, err := node.New(t.Context(), c); err == nil {
			t.Errorf("%q is told", to)
			n.Close() //nolint:errcheck // it is wrong already
		} else if !strings.Contains(err.Error(), "--notify") {
			t.Errorf("%q: %v", to, err)
		}
	}
}
