package event

import (
	"errors"
	"slices"

	"github.com/tenon-net/tenon/internal/peer"
)

// A Body is what an event of a known kind says: a *Create, *Text and so on.
type Body interface {
	kind() Kind
	append(b []byte) []byte
	read(f *fields)
}

// A linker is a body that names events that must be there before it.
type linker interface{ links() []ID }

func newBody(k Kind) Body {
	switch k {
	case KindCreate:
		return new(Create)
	case KindEnter:
		return new(Enter)
	case KindAdd:
		return new(Add)
	case KindRemove:
		return new(Remove)
	case KindRole:
		return new(SetRole)
	case KindInvite:
		return new(Invite)
	case KindRevoke:
		return new(Revoke)
	case KindRemoveDevice:
		return new(RemoveDevice)
	case KindEpoch:
		return new(Epoch)
	case KindShare:
		return new(Share)
	case KindMeta:
		return new(Meta)
	case KindText:
		return new(Text)
	case KindEdit:
		return new(Edit)
	case KindDelete:
		return new(Delete)
	case KindReact:
		return new(React)
	case KindFile:
		return new(File)
	case KindPin:
		return new(Pin)
	}
	return nil
}

// parseBody returns nil for a kind that is not known, whatever its body is.
func parseBody(k Kind, b []byte) (Body, error) {
	body := newBody(k)
	if body == nil {
		return nil, nil
	}
	all, err := parseFields(b)
	if err != nil {
		return nil, err
	}
	f := &fields{all: all}
	body.read(f)
	if f.err != nil {
		return nil, f.err
	}
	return body, nil
}

// Verify checks the signatures, and that the device of the first event is one of the
// identity's: what [Parse] does beyond [Read].
func (e *Event) Verify() error {
	if !peer.VerifyCofactored(e.Device[:], peer.ContextChatEvent, e.ID[:], e.Sig[:]) {
		return errForged
	}
	return e.verifyFirst()
}

// VerifyAll verifies many events, for less than Verify takes for each. The error is that of the first one that it refuses.
func VerifyAll(events []*Event) error {
	for part := range slices.Chunk(events, together) {
		all := make([]peer.Signed, len(part))
		for i, e := range part {
			all[i] = peer.Signed{Public: e.Device[:], Msg: e.ID[:], Sig: e.Sig[:]}
		}
		verify := (*Event).verifyFirst
		if !peer.VerifyBatch(peer.ContextChatEvent, all) {
			verify = (*Event).Verify
		}
		for _, e := range part {
			if err := verify(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// together is how many signatures are verified at once. With more of them each one costs no less.
const together = 64

var errForged = malformed("its device has not signed it")

// verifyFirst checks the first event of a device. Whether the key stands for one device is checked here: others stand on that.
func (e *Event) verifyFirst() error {
	if e.Seq != 1 {
		return nil
	}
	if checkKey(e.Device) != nil {
		return errForged
	}
	var cert Cert
	var prekey *Prekey
	switch b := e.Body.(type) {
	case *Create:
		cert, prekey = b.Cert, b.Prekey
	case *Enter:
		cert, prekey = b.Cert, b.Prekey
	default:
		return malformed("a device enters first")
	}
	if !cert.Verify(e.Device) {
		return malformed("the device is not one of the identity's")
	}
	p, err := ParsePrekey(prekey.Bytes())
	if err == nil && p.Device != e.Device {
		err = malformed("a prekey of another device")
	}
	return err
}

// ErrNotSealed: a body of content was to be signed without being sealed, or one of control
// to be sealed.
var ErrNotSealed = errors.New("content is sealed, control is not")

// A Draft is an event before it is signed. The limits are those of events.
type Draft struct {
	Room    ID // of KindCreate zero
	Seq     uint64
	Time    uint64
	Epoch   ID
	Parents []ID
	Body    Body
}

// Sign makes a control event. It fails only for a draft that is beyond what an event may
// be.
func (d Draft) Sign(device *peer.Key) (*Event, error) {
	if !d.Body.kind().Control() {
		return nil, ErrNotSealed
	}
	e := d.event(device)
	e.Payload = d.Body.append(nil)
	return e.sign(device)
}

func (d Draft) event(device *peer.Key) *Event {
	return &Event{Kind: d.Body.kind(), Room: d.Room, Device: Device(device.ID().Bytes()), Seq: d.Seq, Time: d.Time, Epoch: d.Epoch, Parents: d.Parents}
}

func (e *Event) sign(device *peer.Key) (*Event, error) {
	e.complete()
	e.Sig = [64]byte(device.SignAs(peer.ContextChatEvent, e.ID[:]))
	return Read(e.Bytes()) // nobody signs what others refuse
}
