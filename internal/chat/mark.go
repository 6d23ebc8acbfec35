package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
)

// A mark is, as it is signed and sent: device (32), stamp (8), read: time (8) and ID (32), delivered: the same,
// signature (64).
const markSize = 32 + 8 + 40 + 40 + 64

// maxMarking is for how many devices a room may have before nobody says any more how far he has got: what each
// tells all grows with the square.
const maxMarking = 16

var errMark = errors.New("not a mark of the room")

func signed(room event.ID, b []byte) []byte { return append(slices.Clone(room[:]), b...) }

func makeMark(room event.ID, device *peer.Key, stamp uint64, read, delivered event.Key) log.Mark {
	b := append([]byte{}, device.ID().Bytes()...)
	b = binary.BigEndian.AppendUint64(b, stamp)
	for _, k := range []event.Key{read, delivered} {
		b = append(binary.BigEndian.AppendUint64(b, k.Time), k.ID[:]...)
	}
	b = append(b, device.SignAs(peer.ContextChatMark, signed(room, b))...)
	return log.Mark{Device: log.ID(device.ID().Bytes()), Stamp: stamp, Read: logKey(read), Delivered: logKey(delivered), Bytes: b}
}

func parseMark(room event.ID, b []byte) (log.Mark, error) {
	if len(b) != markSize {
		return log.Mark{}, errMark
	}
	key := func(b []byte) log.Key { return log.Key{Time: binary.BigEndian.Uint64(b), ID: log.ID(b[8:])} }
	m := log.Mark{Device: log.ID(b), Stamp: binary.BigEndian.Uint64(b[32:]), Read: key(b[40:]), Delivered: key(b[80:]), Bytes: b}
	id, err := peer.NewID(m.Device[:])
	if err != nil || !id.Verify(peer.ContextChatMark, signed(room, b[:120]), b[120:]) {
		return log.Mark{}, errMark
	}
	return m, nil
}

// A marking is what is known of marks: what this device has said of how far it has got, and the latest stamps.
type marking struct {
	said   said
	stamps map[log.ID]uint64
	news   bool // that others may not know yet
}

type said struct{ delivered, read event.Key }

// fresh tells whether a row is worth a look: it is malformed, or newer than what is known.
func (r *Room) fresh(row []byte) bool {
	if len(row) != markSize {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return binary.BigEndian.Uint64(row[32:]) > r.mark.stamps[log.ID(row)]
}

// saw notes marks of devices of the room that are in the database.
func (r *Room) saw(marks []log.Mark, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mark.stamps == nil {
		r.mark.stamps = map[log.ID]uint64{}
	}
	for _, m := range marks {
		r.mark.stamps[m.Device] = max(r.mark.stamps[m.Device], m.Stamp)
	}
	r.mark.news = r.mark.news || news
}

// tellMarks tells others of marks, if there are new ones.
func (r *Room) tellMarks() {
	r.mu.Lock()
	news := r.mark.news
	r.mark.news = false
	r.mu.Unlock()
	if m := r.meets.Load(); m != nil && news {
		m.MarksChanged()
	}
}

// tellMark says how far this device has got, if there is something to be said. Others are told of what was
// read only if the user wants that.
func (r *Room) tellMark(ctx context.Context) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	s := r.now.Load()
	if s.State != Inside || s.Role == event.Nobody || len(s.devices) > maxMarking {
		return nil
	}
	last, err := r.log.Before(ctx, log.Last, 1)
	if err != nil || len(last) == 0 {
		return err
	}
	delivered, read := eventKey(last[0].Key), event.Key{}
	if r.place.receipts {
		read = r.read
	}
	if (said{delivered, read}) == r.said() {
		return nil
	}
	m := makeMark(r.id, r.chat.Device, event.Stamp(time.Now()), read, delivered)
	if _, err := r.log.PutMarks(ctx, m); err != nil {
		return err
	}
	r.mu.Lock()
	r.mark.said = said{delivered, read}
	r.mu.Unlock()
	r.saw([]log.Mark{m}, true)
	return nil
}

func (r *Room) said() said {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mark.said
}

// SetRead notes up to where the user has read, which only grows.
func (r *Room) SetRead(ctx context.Context, k event.Key) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	if err := r.log.SetRead(ctx, logKey(k)); err != nil {
		return err
	}
	if r.read.Less(k) {
		r.read = k
		r.poke()
		r.tell(ReadChanged, k, r.chat.me)
	}
	return nil
}

// Unread returns up to where the user has read, and how many messages of others are above.
func (r *Room) Unread(ctx context.Context) (event.Key, int, error) {
	read, n, err := r.log.Unread(ctx)
	return eventKey(read), n, err
}

// SetReceipts decides whether others are told how far the user has read: in a conversation of two they are,
// in other rooms not, unless this is called.
func (r *Room) SetReceipts(ctx context.Context, on bool) error {
	give, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	p := r.place
	p.receipts = on
	return r.keep(ctx, p)
}

// A Delivery is what has become of a message of the user's. What was kept by somebody reaches the others by him.
type Delivery struct {
	Queued    bool // it was given to nobody yet
	Kept      int  // to how many devices it was given by this one, at least
	Delivered int  // how many others say that they have got up to there
	Read      int  // and how many have read it, of those who tell
}

// sent are the messages that were given to nobody yet, and to whom others were given since the start.
type sent struct {
	queued map[event.ID]bool
	given  map[event.ID]map[peer.ID]bool
	order  []event.ID // of given
	taken  []log.ID   // to be taken out of the outbox

	cleared time.Time // when that was done last
}

const maxGiven = 1000

func (r *Room) restoreSent(ctx context.Context) error {
	r.sent = sent{queued: map[event.ID]bool{}, given: map[event.ID]map[peer.ID]bool{}}
	rows, err := r.log.Outbox(ctx, log.MaxPage)
	for i := range rows {
		r.sent.queued[rows[i].ID] = true
	}
	return err
}

func (r *Room) queue(id event.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent.queued[id] = true
}

// given is called when events were sent to somebody.
func (r *Room) given(to peer.ID, keys []rbsr.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.sent
	for _, k := range keys {
		id := event.ID(k.ID)
		if s.queued[id] {
			delete(s.queued, id)
			s.taken = append(s.taken, k.ID)
			s.given[id] = map[peer.ID]bool{}
			if s.order = append(s.order, id); len(s.order) > maxGiven {
				delete(s.given, s.order[0])
				s.order = s.order[1:]
			}
			r.poke()
		}
		if g := s.given[id]; g != nil {
			g[to] = true
		}
	}
}

// clearEvery is how long what was given may stay in the outbox: to take it out costs as much as to say something.
const clearEvery = 250 * time.Millisecond

// clearOutbox takes what was given out of the outbox, with what has been given meanwhile, and returns how much is left, and when it
// is to be called again.
func (r *Room) clearOutbox(ctx context.Context, now time.Time) (left int, next time.Time) {
	r.mu.Lock()
	taken := r.sent.taken
	left = len(r.sent.queued)
	if at := r.sent.cleared.Add(clearEvery); len(taken) > 0 && now.Before(at) {
		r.mu.Unlock()
		return left + len(taken), at
	}
	r.sent.taken, r.sent.cleared = nil, now
	r.mu.Unlock()
	if len(taken) > 0 {
		r.log.Given(ctx, taken...) //nolint:errcheck // what is not taken out is given once more
		r.tell(MarksChanged, event.Key{}, event.Identity{})
	}
	return left, next
}

// Delivery returns what has become of a message of the user's.
func (r *Room) Delivery(ctx context.Context, k event.Key) (Delivery, error) {
	all, err := r.Deliveries(ctx, k)
	if err != nil {
		return Delivery{}, err
	}
	return all[0], nil
}

// Deliveries is Delivery for several, in their order.
func (r *Room) Deliveries(ctx context.Context, keys ...event.Key) ([]Delivery, error) {
	marks, err := r.Marks(ctx)
	if err != nil {
		return nil, err
	}
	devices := r.now.Load().devices
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Delivery, len(keys))
	for i, k := range keys {
		d := &all[i]
		if d.Queued, d.Kept = r.sent.queued[k.ID], len(r.sent.given[k.ID]); !d.Queued {
			d.Kept = max(d.Kept, 1)
		}
		for _, m := range marks {
			if devices[m.Device] == r.chat.me {
				continue
			}
			if !m.Delivered.Less(k) {
				d.Delivered++
			}
			if !m.Read.Less(k) {
				d.Read++
			}
		}
	}
	return all, nil
}

// A Mark is how far a device has got.
type Mark struct {
	Device    event.Device
	Read      event.Key // zero: it does not tell
	Delivered event.Key
}

// Marks returns how far the devices have got that are in the room, as far as they tell.
func (r *Room) Marks(ctx context.Context) (all []Mark, err error) {
	rows, err := r.log.AllMarks(ctx)
	devices := r.now.Load().devices
	for _, m := range rows {
		if _, in := devices[event.Device(m.Device)]; in {
			all = append(all, Mark{event.Device(m.Device), eventKey(m.Read), eventKey(m.Delivered)})
		}
	}
	return all, err
}
