package event

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/tenon-net/tenon/internal/peer"
)

// Limits of what an event may be. All that is beyond them is refused, everywhere.
const (
	MaxBody    = 64 << 10             // bytes of a body
	MaxPayload = MaxBody + sealedMore // a body, sealed
	MaxParents = 8
	MaxCuts    = 64                                                 // of one removal
	MaxLinks   = MaxParents + 1 + 1 + MaxCuts                       // parents, epoch, where a device has entered, cuts
	MaxBytes   = headerSize + 32*MaxParents + sigSize + MaxPayload  // of an event
	headerSize = 1 + 1 + 32 + 32 + 8 + 8 + 32 + 1 + 4 + sha256.Size // without parents
	tailSize   = 4 + sha256.Size                                    // the end of the header: size and hash of the payload
	sigSize    = 64
	version    = 1
)

// An Event is one event of a room, whose signature has been checked by whoever has
// made it or has called [Parse]. It does not change.
type Event struct {
	ID      ID
	Room    ID // of KindCreate its own
	Kind    Kind
	Device  Device   // who has signed it
	Seq     uint64   // which one of the device's in this room, from 1
	Time    uint64   // [Stamp]
	Epoch   ID       // content: whose secret seals it; control: zero, or the latest one that the author knows
	Parents []ID     // if Seq is not 1, the one of the device's own that precedes it; then others, ascending
	Hash    [32]byte // SHA-256 of the payload
	Size    uint32   // of the payload, in bytes; never 0
	Sig     [64]byte
	Payload []byte // of content sealed; nil if it has been erased
	Body    Body   // of known control kinds

	header []byte
}

// Key returns the place of the event in the order.
func (e *Event) Key() Key { return Key{e.Time, e.ID} }

// Links returns all events that must be there before this one: its parents, its epoch
// and those that its body names, each once, in ascending order. There are at most
// [MaxLinks].
func (e *Event) Links() []ID {
	all := slices.Clone(e.Parents)
	if !e.Epoch.IsZero() {
		all = append(all, e.Epoch)
	}
	if l, ok := e.Body.(linker); ok {
		all = append(all, l.links()...)
	}
	slices.SortFunc(all, func(a, b ID) int { return Key{0, a}.Compare(Key{0, b}) })
	return slices.Compact(all)
}

// Erased tells whether the payload is not there any more.
func (e *Event) Erased() bool { return e.Payload == nil }

// Erase returns the event without its payload: what is left proves that it was there. A
// control event cannot be erased and is returned as it is.
func (e *Event) Erase() *Event {
	if e.Kind.Control() {
		return e
	}
	c := *e
	c.Payload = nil
	return &c
}

// Head returns what is never erased: the header and the signature.
func (e *Event) Head() []byte { return append(slices.Clone(e.header), e.Sig[:]...) }

// Bytes returns the event as it is kept and sent.
func (e *Event) Bytes() []byte { return append(e.Head(), e.Payload...) }

// Blob returns what those need who keep and carry it.
func (e *Event) Blob() Blob { return Blob{e.Key(), e.Links(), e.Bytes()} }

// appendPrefix appends the header up to the size of the payload, which the payload is sealed
// for.
// EpochAt is where the epoch is in the bytes of an event.
const EpochAt = 2 + 32 + 32 + 8 + 8

func (e *Event) appendPrefix(b []byte) []byte {
	room := e.Room
	if e.Kind == KindCreate {
		room = ID{} // it is what the header is hashed to
	}
	b = append(b, version, byte(e.Kind))
	b = append(b, room[:]...)
	b = append(b, e.Device[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, e.Time)
	b = append(b, e.Epoch[:]...)
	b = append(b, byte(len(e.Parents)))
	for _, p := range e.Parents {
		b = append(b, p[:]...)
	}
	return b
}

// complete fills in what follows from the rest: hash, header, ID.
func (e *Event) complete() {
	e.Size, e.Hash = uint32(len(e.Payload)), sha256.Sum256(e.Payload)
	b := e.appendPrefix(make([]byte, 0, headerSize+32*len(e.Parents)))
	b = binary.BigEndian.AppendUint32(b, e.Size)
	e.header = append(b, e.Hash[:]...)
	e.identify()
}

func (e *Event) identify() {
	e.ID = hash(string(peer.ContextChatEvent), e.header)
	if e.Kind == KindCreate {
		e.Room = e.ID
	}
}

// Parse reads an event that comes from others, and checks all that can be checked without
// other events. It keeps parts of b. The error matches [ErrMalformed].
func Parse(b []byte) (*Event, error) {
	e, err := Read(b)
	if err != nil {
		return nil, err
	}
	return e, e.Verify()
}

// Read reads an event that has been checked before, from one's own records: it does not
// verify the signature. It keeps parts of b.
func Read(b []byte) (*Event, error) {
	if len(b) < headerSize+sigSize || len(b) > MaxBytes {
		return nil, malformed("it has %d bytes", len(b))
	}
	if b[0] != version {
		return nil, malformed("version %d", b[0])
	}
	n := int(b[headerSize-tailSize-1])
	size := headerSize + 32*n
	if n > MaxParents || len(b) < size+sigSize {
		return nil, malformed("%d parents", n)
	}
	e := &Event{Kind: Kind(b[1]), Room: ID(b[2:34]), Device: Device(b[34:66]), Seq: binary.BigEndian.Uint64(b[66:]),
		Time: binary.BigEndian.Uint64(b[74:]), Epoch: ID(b[82:114]), Parents: make([]ID, n)}
	for i := range e.Parents {
		e.Parents[i] = ID(b[115+32*i:])
	}
	tail := b[size-tailSize:]
	e.Size, e.Hash, e.Sig = binary.BigEndian.Uint32(tail), [32]byte(tail[4:]), [64]byte(tail[tailSize:])
	e.header = b[:size:size]
	if payload := b[size+sigSize:]; len(payload) > 0 {
		e.Payload = payload
		if uint64(e.Size) != uint64(len(payload)) || sha256.Sum256(payload) != e.Hash {
			return nil, malformed("the payload is another one")
		}
	}
	if err := e.checkHeader(); err != nil {
		return nil, err
	}
	e.identify()
	return e, e.readBody()
}

// checkHeader says what is wrong with the fields of a header.
func (e *Event) checkHeader() error {
	limit := uint32(MaxPayload)
	if e.Kind.Control() {
		limit = MaxBody
	}
	first, rest := e.Seq == 1, e.Parents
	if !first && len(rest) > 0 {
		rest = rest[1:] // the device's own
	}
	switch {
	case e.Seq == 0 || e.Seq >= 1<<48 || e.Time == 0 || e.Time >= 1<<63:
		return malformed("a number out of bounds")
	case e.Size == 0 || e.Size > limit || !e.Kind.Control() && e.Size <= sealedMore:
		return malformed("a payload of %d bytes", e.Size)
	case e.Kind.Control() && e.Payload == nil:
		return malformed("a control event without its body")
	case !e.Kind.Control() && e.Epoch.IsZero():
		return malformed("content without an epoch")
	case e.Kind == KindCreate:
		if !first || len(e.Parents) > 0 || !e.Room.IsZero() || !e.Epoch.IsZero() {
			return malformed("the first event of a room has nothing before it")
		}
		return nil
	case first != (e.Kind == KindEnter):
		return malformed("a device enters first, and once")
	case len(e.Parents) == 0 || e.Room.IsZero():
		return malformed("it belongs nowhere")
	}
	for i, p := range rest {
		if i > 0 && !rest[i-1].Less(p) || !first && p == e.Parents[0] {
			return malformed("parents that do not ascend")
		}
	}
	return nil
}

// readBody reads the body of a control event.
func (e *Event) readBody() error {
	if !e.Kind.Control() {
		return nil
	}
	body, err := parseBody(e.Kind, e.Payload)
	e.Body = body
	return err
}
