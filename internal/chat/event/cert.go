package event

import (
	"encoding/binary"

	"github.com/tenon-net/tenon/internal/peer"
)

// A Cert says that a device is one of an identity's. It is good in every room, and
// for ever: a device is removed from each room by itself.
type Cert struct {
	Identity Identity
	Sig      [64]byte // of the device's key, by the identity
}

const certSize = 32 + 64

// Certify makes the certificate of a device.
func Certify(identity *peer.Key, d Device) Cert {
	return Cert{Identity(identity.ID().Bytes()), [64]byte(identity.SignAs(peer.ContextChatDevice, d[:]))}
}

// Verify tells whether it is one of the device's.
func (c Cert) Verify(d Device) bool {
	return verify(c.Identity, peer.ContextChatDevice, d[:], c.Sig[:])
}

func (c Cert) bytes() []byte { return append(append([]byte(nil), c.Identity[:]...), c.Sig[:]...) }

func (f *fields) cert() Cert {
	b := f.must(tagCert, certSize, certSize)
	return Cert{Identity(b[:32]), [64]byte(b[32:])}
}

// RevokeDevice returns the proof that an identity wants a device of its own removed
// from a room, so that whoever has stolen one device cannot remove the others.
func RevokeDevice(identity *peer.Key, room ID, d Device) [64]byte {
	return [64]byte(identity.SignAs(peer.ContextChatRevoke, append(room[:], d[:]...)))
}

// VerifyRevoke tells whether proof is one that RevokeDevice has made.
func VerifyRevoke(i Identity, room ID, d Device, proof [64]byte) bool {
	return verify(i, peer.ContextChatRevoke, append(room[:], d[:]...), proof[:])
}

// AcceptInvite returns the proof that a device has the key of an invite. Nobody else can use it.
func AcceptInvite(key *peer.Key, room, invite ID, i Identity, d Device) [64]byte {
	return [64]byte(key.SignAs(peer.ContextChatInvite, invited(room, invite, i, d)))
}

// VerifyInvited tells whether proof is one that AcceptInvite has made, with the key of an
// invite.
func VerifyInvited(key [32]byte, room, invite ID, i Identity, d Device, proof [64]byte) bool {
	return verify(key, peer.ContextChatInvite, invited(room, invite, i, d), proof[:])
}

func invited(room, invite ID, i Identity, d Device) []byte {
	b := append(append([]byte(nil), room[:]...), invite[:]...)
	return append(append(b, i[:]...), d[:]...)
}

// A Prekey is where a device takes secrets: two public keys of HPKE, signed by the
// device. A device makes a new one every week and forgets the private keys of old ones
// 30 days later. Of two, the one with the later time counts. Its first one is in the
// event by which the device enters; later ones are no events.
type Prekey struct {
	Device  Device
	Time    uint64 // milliseconds since 1970
	Classic [ClassicKeySize]byte
	Hybrid  [HybridKeySize]byte
	Sig     [64]byte
}

// PrekeySize is how many bytes a prekey has.
const PrekeySize = prekeySize

const prekeySize = 32 + 8 + ClassicKeySize + HybridKeySize + 64

// NewPrekey signs the public keys.
func NewPrekey(device *peer.Key, millis uint64, keys *PrekeySecret) (Prekey, error) {
	p := Prekey{Device: Device(device.ID().Bytes()), Time: millis}
	if err := keys.public(&p); err != nil {
		return Prekey{}, err
	}
	copy(p.Sig[:], device.SignAs(peer.ContextChatPrekey, p.Bytes()[:prekeySize-64]))
	return p, nil
}

// Bytes returns it as it is sent.
func (p *Prekey) Bytes() []byte {
	b := binary.BigEndian.AppendUint64(append([]byte(nil), p.Device[:]...), p.Time)
	b = append(append(b, p.Classic[:]...), p.Hybrid[:]...)
	return append(b, p.Sig[:]...)
}

// Tag is by what a device knows which of its prekeys a secret has been wrapped to.
func (p *Prekey) Tag() [8]byte {
	sum := hash("tenon chat prekey tag 1", p.Bytes()[:prekeySize-64])
	return [8]byte(sum[:])
}

// ParsePrekey reads and verifies what Bytes has written.
func ParsePrekey(b []byte) (*Prekey, error) {
	p, err := readPrekey(b)
	if err != nil {
		return nil, err
	}
	if !verify(p.Device, peer.ContextChatPrekey, b[:prekeySize-64], p.Sig[:]) {
		return nil, malformed("a prekey that its device has not signed")
	}
	return p, nil
}

// ReadPrekey reads what [ParsePrekey] has verified before.
func ReadPrekey(b []byte) (*Prekey, error) { return readPrekey(b) }

func readPrekey(b []byte) (*Prekey, error) {
	if len(b) != prekeySize {
		return nil, malformed("a prekey of another length")
	}
	p := &Prekey{Device: Device(b[:32]), Time: binary.BigEndian.Uint64(b[32:])}
	b = b[40:]
	b = b[copy(p.Classic[:], b):]
	b = b[copy(p.Hybrid[:], b):]
	copy(p.Sig[:], b)
	return p, nil
}
