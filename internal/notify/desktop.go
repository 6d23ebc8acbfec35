package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/throttle"
)

// Bounds of what the desktop shows.
const (
	callTime    = 5 * time.Second        // of a call
	desktopRest = 500 * time.Millisecond // between two
	maxShown    = 256                    // rooms; of more, nothing is replaced or taken away
	maxBody     = 300                    // characters
	maxBodyRows = 5
)

// Names of the Desktop Notifications Specification 1.2 (https://specifications.freedesktop.org/notification-spec/1.2/).
const (
	notifications     = "org.freedesktop.Notifications"
	notificationsPath = "/org/freedesktop/Notifications"
)

// A desktop shows notifications, for each room the last one, and takes it away when the room was read.
type desktop struct {
	warn   func(text string)
	said   throttle.Set[string] // how often it is said what has failed
	cancel context.CancelFunc
	all    sync.WaitGroup
	kick   chan struct{} // has room for one: there is something to do

	mu   sync.Mutex // guards what follows
	news []*showing // in the order in which they came, one for each room

	conn  *dbus.Conn        // of run alone, as what follows
	shown map[string]uint32 // what is shown of rooms, by their IDs
}

// A showing is what the desktop is to show of a room; without a message it is to show nothing.
type showing struct {
	room string
	last *Notification
	more int // how many came before it and were not shown
}

func newDesktop(warn func(string)) *desktop {
	d := &desktop{warn: warn, kick: make(chan struct{}, 1), shown: map[string]uint32{}, said: throttle.Set[string]{Every: 10 * time.Minute, Burst: 1, Keys: 1}}
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	d.all.Go(func() { d.run(ctx) })
	return d
}

func (d *desktop) notify(n Notification) { d.put(n.Room, &n) }
func (d *desktop) read(room string)      { d.put(room, nil) }

// put has the last of a room shown; what waits to be shown of it is not any more.
func (d *desktop) put(room string, n *Notification) {
	d.mu.Lock()
	i := slices.IndexFunc(d.news, func(s *showing) bool { return s.room == room })
	switch {
	case i >= 0 && n == nil:
		d.news[i].last, d.news[i].more = nil, 0
	case i >= 0:
		if d.news[i].last != nil {
			d.news[i].more++
		}
		d.news[i].last = n
	case len(d.news) < maxShown:
		d.news = append(d.news, &showing{room: room, last: n})
	}
	d.mu.Unlock()
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

func (d *desktop) take() *showing {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.news) == 0 {
		return nil
	}
	s := d.news[0]
	d.news = d.news[1:]
	return s
}

// close leaves what is shown.
func (d *desktop) close() {
	d.cancel()
	d.all.Wait()
}

func (d *desktop) run(ctx context.Context) {
	defer d.disconnect()
	for {
		select {
		case <-d.kick:
		case <-ctx.Done():
			return
		}
		for s := d.take(); s != nil; s = d.take() {
			if err := d.show(ctx, s); err != nil && ctx.Err() == nil {
				d.disconnect()
				if d.said.Allow("") {
					d.warn("notify: the desktop cannot be told: " + err.Error())
				}
			}
			select {
			case <-time.After(desktopRest):
			case <-ctx.Done():
				return
			}
		}
	}
}

func (d *desktop) disconnect() {
	if d.conn != nil {
		d.conn.Close() //nolint:errcheck // it is of no use any more
		d.conn = nil
	}
}

// show shows something, or takes away what is shown.
func (d *desktop) show(ctx context.Context, s *showing) error {
	id, there := d.shown[s.room]
	if s.last == nil && !there {
		return nil
	}
	if d.conn == nil || !d.conn.Connected() {
		conn, err := connect(ctx)
		if err != nil {
			return err
		}
		d.conn = conn
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	o := d.conn.Object(notifications, notificationsPath)
	if s.last == nil {
		delete(d.shown, s.room)
		return o.CallWithContext(ctx, notifications+".CloseNotification", 0, id).Err
	}
	var can []string
	if err := o.CallWithContext(ctx, notifications+".GetCapabilities", 0).Store(&can); err != nil {
		return err
	}
	summary, body := words(s)
	if slices.Contains(can, "body-markup") {
		body = markup.Replace(body)
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(byte(1)), "category": dbus.MakeVariant("im.received")}
	err := o.CallWithContext(ctx, notifications+".Notify", 0, "Tenon", id, "", summary, body, []string{}, hints, int32(-1)).Store(&id)
	if err == nil && (there || len(d.shown) < maxShown) {
		d.shown[s.room] = id
	}
	return err
}

// markup writes text so that no part of it is markup.
var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// words says in a line, and some more, what there is. Nothing of it is markup.
func words(s *showing) (summary, body string) {
	n := s.last
	switch summary = n.From; {
	case n.Why == Offer && n.Name != "":
		return neutral.Line(n.From + " invites you to #" + n.Name), "tenon room offers lists what is offered"
	case n.Why == Offer:
		return neutral.Line(n.From + " wants to talk"), "tenon room offers lists what is offered"
	case n.Why == Mention && n.Name != "" && n.Name != n.From:
		summary += " in #" + n.Name
	}
	if s.more > 0 {
		summary += fmt.Sprintf(" (and %d more)", s.more)
	}
	body = n.Message.Text
	if did, ok := api.Action(body); ok {
		body = "* " + n.From + " " + did
	}
	if f := n.Message.File; f != nil {
		body = strings.TrimSpace("[file: " + f.Name + "]\n" + body)
	}
	return neutral.Line(summary), short(body)
}

// short is the beginning of a text, without what could do harm.
func short(text string) string {
	rows := strings.Split(text, "\n")
	more := len(rows) > maxBodyRows
	for i, row := range rows[:min(len(rows), maxBodyRows)] {
		rows[i] = neutral.Prose(row)
	}
	runes := []rune(strings.Join(rows[:min(len(rows), maxBodyRows)], "\n"))
	if len(runes) > maxBody {
		runes, more = runes[:maxBody], true
	}
	if more {
		runes = append(runes, '…')
	}
	return string(runes)
}

var errNoBus = errors.New("there is no session bus: DBUS_SESSION_BUS_ADDRESS names none")

// connect connects to the bus of the session. None is started, as some libraries do.
func connect(ctx context.Context) (*dbus.Conn, error) {
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if address == "" { // where systemd has it, https://www.freedesktop.org/software/systemd/man/latest/user@.service.html
		path := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
		if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) {
			return nil, errNoBus
		}
		address = "unix:path=" + dbus.EscapeBusAddressValue(path)
	}
	if strings.HasPrefix(address, "autolaunch:") {
		return nil, errNoBus
	}
	within, cancel := context.WithCancel(ctx) // it lives as long as the connection
	late := time.AfterFunc(callTime, cancel)
	conn, err := dbus.Connect(address, dbus.WithContext(within))
	if !late.Stop() && err == nil {
		err = errors.Join(context.DeadlineExceeded, conn.Close())
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return conn, nil
}
