package rooms

import (
	"context"
	"errors"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/chat"
	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// attach shares files with who is in a room, and says so. What cannot be said is not shared.
func (r *Rooms) attach(ctx context.Context, room *chat.Room, m chat.Message, paths []string) (event.ID, error) {
	i := room.Info()
	switch {
	case over(&i):
		return event.ID{}, chat.ErrOutside
	case i.Role < event.Member:
		return event.ID{}, chat.ErrRole
	}
	d, err := r.Host.Attach(ctx, i.ID.String(), paths, i.Vanish)
	if err != nil {
		return event.ID{}, err
	}
	key, err := room.Send(ctx, event.File{Ticket: d.Ticket, Name: shortName(d.Name), Size: uint64(d.Bytes), Media: mediaOf(paths), Text: m.Text, Reply: m.Reply})
	if err != nil {
		return key.ID, errors.Join(err, r.Host.Detach(context.WithoutCancel(ctx), i.ID.String(), d.Ticket))
	}
	return key.ID, r.Host.Said(ctx, d.Ticket, key.ID.String())
}

// shortName is what of a name a message has room for.
func shortName(name string) string {
	n := min(len(name), event.MaxName)
	for n > 0 && n < len(name) && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// mediaOf returns the media type of a file by its name, or "".
func mediaOf(paths []string) string {
	if len(paths) != 1 {
		return ""
	}
	if fi, err := os.Stat(paths[0]); err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	media, _, _ := strings.Cut(mime.TypeByExtension(filepath.Ext(paths[0])), ";")
	return media
}

// A File is one that somebody has said in a room.
type File struct {
	Room   string // its ID
	ID     string // of the message
	Ticket string
	Size   int64     // in bytes; 0 = that was not said
	Peers  []peer.ID // devices of those who are in the room, who are connected first
}

// File returns the one that a message has, or with an empty ID the last one that somebody else has said.
func (r *Rooms) File(ctx context.Context, name, id string) (File, error) {
	_, room, err := r.find(name)
	if err != nil {
		return File{}, err
	}
	var x chat.Entry
	if id == "" {
		x, err = r.lastFile(ctx, room)
	} else {
		x, err = findMessage(ctx, room, id)
	}
	if err != nil {
		return File{}, explain(err)
	}
	f, ok := x.Message.Body.(*event.File)
	switch {
	case x.Message.Deleted, x.Erased:
		return File{}, transport.Mark(errors.New("the message was taken back, or has disappeared"), api.ErrNotFound)
	case x.Waiting:
		return File{}, transport.Mark(errors.New("the message cannot be read here yet"), api.ErrNotFound)
	case !ok:
		return File{}, transport.Usage(errors.New("the message is not a file"))
	}
	return File{Room: room.ID().String(), ID: x.ID.String(), Ticket: f.Ticket, Size: sizeOf(f), Peers: r.devicesIn(room)}, nil
}

// sizeOf is how many bytes a file is said to have.
func sizeOf(f *event.File) int64 { return int64(min(f.Size, 1<<62)) }

func (r *Rooms) lastFile(ctx context.Context, room *chat.Room) (chat.Entry, error) {
	all, err := room.Files(ctx, maxFiles)
	if err != nil {
		return chat.Entry{}, err
	}
	for _, x := range slices.Backward(all) {
		if !r.sharesHere(x.Message.Body.(*event.File)) {
			return x, nil
		}
	}
	return chat.Entry{}, transport.WithHint(transport.Mark(errors.New("nobody else has said a file lately"), api.ErrNotFound), "tenon room files ROOM lists those that were said")
}

// devicesIn returns the devices of the others in a room, and the user's others, those first that are connected.
func (r *Rooms) devicesIn(room *chat.Room) (all []peer.ID) {
	for _, p := range room.Connected() {
		all = append(all, p.ID)
	}
	for _, m := range room.Info().Members {
		for _, d := range m.Devices {
			if id, err := peer.NewID(d[:]); err == nil && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// sharesHere tells whether it is this device that shares a file, by a key that it has or has had.
func (r *Rooms) sharesHere(f *event.File) bool {
	id, ok := sharerOf(f)
	return ok && r.Host.Access().IsSelf(id)
}

// sharerOf returns the device that shares a file, as the ticket has it.
func sharerOf(f *event.File) (peer.ID, bool) {
	t, err := ticket.Decode(f.Ticket, ticket.Share)
	if err != nil {
		return peer.ID{}, false
	}
	key, _ := t.Get(ticket.Issuer)
	id, err := peer.NewID(key)
	return id, err == nil
}

// MayHave tells whether a device may have what was said in a room by a message, both named by their IDs: whoever it is of is
// in the room now, and the message is there. With an empty one it is just being said.
func (r *Rooms) MayHave(ctx context.Context, id, message string, device peer.ID) bool {
	room := r.byID(id)
	if room == nil {
		return false
	}
	if message != "" && !isThere(ctx, room, message) {
		return false
	}
	is, was := event.Device(device.Bytes()), event.Device(r.earlier(device).Bytes())
	return slices.ContainsFunc(room.Info().Members, func(m chat.Member) bool {
		return slices.Contains(m.Devices, is) || slices.Contains(m.Devices, was)
	})
}

// Stands tells whether the user is in a room, and a message there, both named by their IDs.
func (r *Rooms) Stands(ctx context.Context, id, message string) bool {
	room := r.byID(id)
	if room == nil {
		return false
	}
	i := room.Info()
	return !over(&i) && isThere(ctx, room, message)
}

func isThere(ctx context.Context, room *chat.Room, message string) bool {
	x, err := findMessage(ctx, room, message)
	return err == nil && !x.Message.Deleted && !x.Erased
}

// RoomName returns what a room is called, named by its ID.
func (r *Rooms) RoomName(id string) string {
	room := r.byID(id)
	if room == nil {
		return id[:min(len(id), 8)]
	}
	i := room.Info()
	if i.Name == "" {
		return "@" + r.roomName(&i)
	}
	return "#" + r.roomName(&i)
}

// byID returns a room by its whole ID, or nil.
func (r *Rooms) byID(id string) *chat.Room {
	c, err := r.now()
	if err != nil {
		return nil
	}
	for _, room := range c.Rooms() {
		if room.ID().String() == id {
			return room
		}
	}
	return nil
}
