//go:build linux

package notify

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/tenon-net/tenon/internal/node/api"
)

// sessionBus starts a bus of a session, of its own, and has the environment name it.
func sessionBus(t *testing.T) *dbus.Conn {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("needs dbus-daemon")
	}
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1", "--address=unix:dir="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // Wait tells
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the bus does not say where it is: %v", err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	conn, err := dbus.Connect(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // it was of use
	return conn
}

// A server shows notifications, as the specification says.
type server struct {
	calls chan string
	can   []string
	last  uint32
}

func (s *server) GetCapabilities() ([]string, *dbus.Error) { return s.can, nil }

func (s *server) Notify(app string, replaces uint32, _, summary, body string, actions []string, hints map[string]dbus.Variant, timeout int32) (uint32, *dbus.Error) {
	id := replaces
	if id == 0 {
		s.last++
		id = s.last
	}
	s.calls <- fmt.Sprintf("%s %d: %q %q %d %v %d", app, id, summary, body, len(actions), hints["category"].Value(), timeout)
	return id, nil
}

func (s *server) CloseNotification(id uint32) *dbus.Error {
	s.calls <- fmt.Sprintf("close %d", id)
	return nil
}

// serve has a server be there.
func serve(t *testing.T, conn *dbus.Conn, can ...string) *server {
	t.Helper()
	s := &server{calls: make(chan string, 100), can: can}
	if err := conn.Export(s, notificationsPath, notifications); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName(notifications, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the name is not ours: %v, %v", r, err)
	}
	return s
}

func (s *server) wants(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s.calls:
		if got != want {
			t.Errorf("the desktop is told\n%s\nand not\n%s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the desktop is not told %s", want)
	}
}

func said(room, name, why, from, text string) Notification {
	return Notification{Why: why, Room: room, Name: name, From: from, Message: &api.RoomMessage{ID: "m", Text: text}}
}

// Each room has one notification, which the next replaces, and which goes when the room was read. Nothing of it is markup.
func TestDesktop(t *testing.T) {
	s := serve(t, sessionBus(t), "body", "body-markup", "body-hyperlinks")
	d := newDesktop(func(text string) { t.Error(text) })
	defer d.close()
	d.notify(said("1", "plans", Mention, "bob", "<b>@me</b> & <a href=\"https://example.org\">this</a>\x1b[2J\u202e"))
	s.wants(t, `Tenon 1: "bob in #plans" "&lt;b&gt;@me&lt;/b&gt; &amp; &lt;a href=\"https://example.org\"&gt;this&lt;/a&gt;\\x1b[2J\\u202e" 0 im.received -1`)
	d.notify(said("2", "bob", Direct, "bob", "/me waves"))
	s.wants(t, `Tenon 2: "bob" "* bob waves" 0 im.received -1`)
	d.notify(said("1", "plans", Mention, "evil\n<i>", "again"))
	s.wants(t, `Tenon 1: "evil\\n<i> in #plans" "again" 0 im.received -1`)
	d.read("1")
	s.wants(t, "close 1")
	d.read("1") // it is not shown any more
	d.read("3") // it never was
	d.notify(Notification{Why: Offer, Room: "3", Name: "club", From: "dora"})
	s.wants(t, `Tenon 3: "dora invites you to #club" "tenon room offers lists what is offered" 0 im.received -1`)
	n := said("1", "plans", Mention, "bob", "")
	n.Message.File = &api.RoomFile{Name: "a&b", Size: 5}
	d.notify(n)
	s.wants(t, `Tenon 4: "bob in #plans" "[file: a&amp;b]" 0 im.received -1`)
}

// Of what waits, the last of each room is shown, and of no more rooms than a person could look at.
func TestDesktopWaits(t *testing.T) {
	d := &desktop{kick: make(chan struct{}, 1)}
	for i := range 10 {
		d.notify(said("1", "bob", Direct, "bob", fmt.Sprint(i)))
		d.notify(said("2", "plans", Mention, "bob", fmt.Sprint(i)))
	}
	d.read("2")
	d.notify(said("2", "plans", Mention, "bob", "new"))
	for i := range 2 * maxShown {
		d.read(fmt.Sprint("room ", i))
	}
	for _, want := range []string{"bob (and 9 more): 9", "bob in #plans: new"} {
		if summary, body := words(d.take()); summary+": "+body != want {
			t.Errorf("shown is %q: %q, not %s", summary, body, want)
		}
	}
	n := 2
	for d.take() != nil {
		n++
	}
	if n != maxShown {
		t.Errorf("%d wait", n)
	}
}

// They are not shown faster than a person could see, and none is long; a desktop that knows no markup gets none.
func TestDesktopMany(t *testing.T) {
	s := serve(t, sessionBus(t), "body")
	d := newDesktop(func(text string) { t.Error(text) })
	defer d.close()
	d.notify(said("0", "bob", Direct, "bob", "<first>"))
	s.wants(t, `Tenon 1: "bob" "<first>" 0 im.received -1`) // it rests now
	began := time.Now()
	d.notify(said("1", "bob", Direct, "bob", strings.Repeat("long\n", 100)))
	s.wants(t, `Tenon 2: "bob" "long\nlong\nlong\nlong\nlong…" 0 im.received -1`)
	d.notify(said("2", "bob", Direct, "bob", "more"))
	s.wants(t, `Tenon 3: "bob" "more" 0 im.received -1`)
	if time.Since(began) < desktopRest { // it is at least that, however slow all is
		t.Errorf("two were shown within %v", time.Since(began))
	}
	d.notify(said("1", "bob", Direct, "bob", strings.Repeat("ж", 1000)))
	s.wants(t, fmt.Sprintf("Tenon 2: \"bob\" %q 0 im.received -1", strings.Repeat("ж", maxBody)+"…"))
}

// Without a bus, or without anybody who shows something, that is said once; whoever comes later is told.
func TestDesktopAbsent(t *testing.T) {
	warned := make(chan string, 100)
	warn := func(text string) { warned <- text }
	for _, address := range []string{"", "autolaunch:", "unix:path=" + t.TempDir() + "/none"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		d := newDesktop(warn)
		d.notify(said("1", "bob", Direct, "bob", "hi"))
		if text := <-warned; !strings.Contains(text, "the desktop cannot be told") {
			t.Errorf("said is %q", text)
		}
		d.close()
	}
	conn := sessionBus(t)
	d := newDesktop(warn)
	defer d.close()
	d.notify(said("1", "bob", Direct, "bob", "hi"))
	<-warned
	s := serve(t, conn)
	d.notify(said("1", "bob", Direct, "bob", "there"))
	s.wants(t, `Tenon 1: "bob" "there" 0 im.received -1`)
	if len(warned) > 0 {
		t.Errorf("said is %q, too", <-warned)
	}
}
