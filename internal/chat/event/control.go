package event

// Create makes a room, whose first member, an [Owner], is the identity of the device
// that signs it.
type Create struct {
	Rules  uint8    // the version of the rules of package room that hold in it: 1
	Salt   [32]byte // random: rooms are named by secrets of it
	Direct bool     // it is a conversation of two
	Called string   // what the identity suggests to be called, of at most MaxCalled bytes; nobody has to
	Cert   Cert
	Prekey *Prekey
}

// MaxCalled is how many bytes the name may have that somebody suggests to be called.
const MaxCalled = 64

// Enter is the first event of a device. Via says by what right.
type Enter struct {
	Cert   Cert
	Prekey *Prekey
	Via    ID       // an Invite; or an Add of its identity, or where another device of it has entered
	Proof  [64]byte // [AcceptInvite], zero if Via is no Invite
	Called string   // as of Create
}

// Add makes somebody a member.
type Add struct {
	Member Identity
	Role   Role
}

// Remove ends the membership of somebody else, or one's own.
type Remove struct {
	Member Identity
	Cuts   []ID // the latest event of each device of the member: what the member has done that does not lead to one of these is void
}

// SetRole changes the role of a member.
type SetRole struct {
	Member Identity
	Role   Role
	Cuts   []ID // if the role is a lesser one, as in Remove
}

// Invite lets those in who have a key.
type Invite struct {
	Key    [32]byte // the public key; who invites hands the private one over
	Role   Role
	Expiry uint64 // milliseconds since 1970; 0: never
	Uses   uint64 // how many may enter by it; 0: any number
}

// Revoke ends an invite.
type Revoke struct{ Invite ID }

// RemoveDevice removes a device of a member, by a proof of the member's identity, or
// by the right of who may remove the member.
type RemoveDevice struct {
	Enter ID       // where the device has entered
	Proof [64]byte // [RevokeDevice], or zero
	Cuts  []ID     // the latest event of the device
}

// Meta changes a property of the room.
type Meta struct {
	Property Property
	Value    []byte // at most MaxValue bytes; empty: as if it had never been set
}

// A Property is one of what a room is. Those that a version does not know are kept.
type Property uint8

// The properties.
const (
	PropertyName    Property = 1 // text
	PropertyTopic   Property = 2 // text
	PropertyTTL     Property = 3 // for how many seconds what is written is kept: 8 bytes, big-endian
	PropertyHistory Property = 4 // 1 byte, 1: who enters gets the secrets of earlier epochs

	PropertyMailboxes Property = 5 // [FormatMailboxes]
)

// MaxValue is how many bytes the value of a property may have.
const MaxValue = 4096

func (*Create) kind() Kind       { return KindCreate }
func (*Enter) kind() Kind        { return KindEnter }
func (*Add) kind() Kind          { return KindAdd }
func (*Remove) kind() Kind       { return KindRemove }
func (*SetRole) kind() Kind      { return KindRole }
func (*Invite) kind() Kind       { return KindInvite }
func (*Revoke) kind() Kind       { return KindRevoke }
func (*RemoveDevice) kind() Kind { return KindRemoveDevice }
func (*Meta) kind() Kind         { return KindMeta }

func (e *Enter) links() []ID        { return []ID{e.Via} }
func (r *Remove) links() []ID       { return r.Cuts }
func (r *SetRole) links() []ID      { return r.Cuts }
func (r *Revoke) links() []ID       { return []ID{r.Invite} }
func (r *RemoveDevice) links() []ID { return append([]ID{r.Enter}, r.Cuts...) }

func (c *Create) append(b []byte) []byte {
	b = appendByte(b, tagRules, c.Rules)
	b = appendField(b, tagSalt, c.Salt[:])
	b = appendField(b, tagCert, c.Cert.bytes())
	b = appendField(b, tagPrekey, c.Prekey.Bytes())
	b = appendByte(b, tagDirect, bit(c.Direct))
	return appendField(b, tagCalled, []byte(c.Called))
}

func (c *Create) read(f *fields) {
	if c.Rules = f.flag(tagRules, 255); c.Rules != 1 {
		f.fail("rules that this version does not know")
	}
	c.Salt, c.Cert, c.Prekey, c.Direct = f.id(tagSalt), f.cert(), f.prekey(), f.flag(tagDirect, 1) == 1
	c.Called = f.text(tagCalled, MaxCalled)
}

func (e *Enter) append(b []byte) []byte {
	b = appendField(b, tagCert, e.Cert.bytes())
	b = appendField(b, tagPrekey, e.Prekey.Bytes())
	b = appendField(b, tagVia, e.Via[:])
	return appendField(appendProof(b, e.Proof), tagCalled, []byte(e.Called))
}

func (e *Enter) read(f *fields) {
	e.Cert, e.Prekey, e.Via, e.Proof = f.cert(), f.prekey(), f.id(tagVia), f.proof()
	e.Called = f.text(tagCalled, MaxCalled)
}

func (a *Add) append(b []byte) []byte {
	return appendByte(appendField(b, tagMember, a.Member[:]), tagRole, byte(a.Role))
}

func (a *Add) read(f *fields) { a.Member, a.Role = f.key(tagMember), f.role() }

func (r *Remove) append(b []byte) []byte {
	return appendIDs(appendField(b, tagMember, r.Member[:]), tagCut, r.Cuts)
}

func (r *Remove) read(f *fields) { r.Member, r.Cuts = f.key(tagMember), ids[ID](f, tagCut, MaxCuts) }

func (r *SetRole) append(b []byte) []byte {
	b = appendByte(appendField(b, tagMember, r.Member[:]), tagRole, byte(r.Role))
	return appendIDs(b, tagCut, r.Cuts)
}

func (r *SetRole) read(f *fields) {
	r.Member, r.Role, r.Cuts = f.key(tagMember), f.role(), ids[ID](f, tagCut, MaxCuts)
}

func (i *Invite) append(b []byte) []byte {
	b = appendByte(b, tagRole, byte(i.Role))
	b = appendField(b, tagKey, i.Key[:])
	return appendUint(appendUint(b, tagExpiry, i.Expiry), tagUses, i.Uses)
}

func (i *Invite) read(f *fields) {
	i.Role, i.Key, i.Expiry, i.Uses = f.role(), f.key(tagKey), f.uint(tagExpiry), f.uint(tagUses)
}

func (r *Revoke) append(b []byte) []byte { return appendField(b, tagTarget, r.Invite[:]) }
func (r *Revoke) read(f *fields)         { r.Invite = f.id(tagTarget) }

func (r *RemoveDevice) append(b []byte) []byte {
	b = appendProof(appendField(b, tagVia, r.Enter[:]), r.Proof)
	return appendIDs(b, tagCut, r.Cuts)
}

func (r *RemoveDevice) read(f *fields) {
	r.Enter, r.Proof, r.Cuts = f.id(tagVia), f.proof(), ids[ID](f, tagCut, MaxCuts)
}

func (m *Meta) append(b []byte) []byte {
	return appendField(appendByte(b, tagProperty, byte(m.Property)), tagValue, m.Value)
}

func (m *Meta) read(f *fields) {
	if m.Property = Property(f.flag(tagProperty, 255)); m.Property == 0 {
		f.fail("a property without a number")
	}
	if m.Value = f.maybe(tagValue, 1, MaxValue); m.Property == PropertyTTL && len(m.Value) != 8 && m.Value != nil {
		f.fail("a time that is none")
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendProof(b []byte, proof [64]byte) []byte {
	if proof == [64]byte{} {
		return b
	}
	return appendField(b, tagProof, proof[:])
}

func (f *fields) proof() (proof [64]byte) {
	if v := f.maybe(tagProof, 64, 64); v != nil {
		if proof = [64]byte(v); proof == [64]byte{} {
			f.fail("a proof of zeros")
		}
	}
	return proof
}

func (f *fields) prekey() *Prekey {
	p, err := readPrekey(f.must(tagPrekey, prekeySize, prekeySize))
	if f.err == nil {
		f.err = err
	}
	return p
}
