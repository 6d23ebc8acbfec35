package event

// Limits of content.
const (
	MaxText     = 60 << 10 // bytes
	MaxMentions = 64
	MaxEmoji    = 64   // bytes
	MaxTicket   = 2048 // bytes
	MaxName     = 255  // bytes
)

// Text is a message. What it says is as its author has written it: who shows it makes it
// harmless.
type Text struct {
	Text     string
	Reply    ID         // what it answers; zero: nothing
	Mentions []Identity // ascending
}

// Edit replaces the text of a message of the same identity.
type Edit struct {
	Target   ID
	Text     string
	Mentions []Identity // ascending
}

// Delete takes a message back, or away.
type Delete struct{ Target ID }

// React adds or takes back a reaction.
type React struct {
	Target ID
	Emoji  string
	Off    bool
}

// File is a message with a share.
type File struct {
	Ticket string // of the share
	Name   string
	Size   uint64 // in bytes; 0: not known
	Media  string // media type; may be empty
	Text   string // may be empty
	Reply  ID
}

// Pin puts a message where all see it, or takes it from there.
type Pin struct {
	Target ID
	Off    bool
}

func (*Text) kind() Kind   { return KindText }
func (*Edit) kind() Kind   { return KindEdit }
func (*Delete) kind() Kind { return KindDelete }
func (*React) kind() Kind  { return KindReact }
func (*File) kind() Kind   { return KindFile }
func (*Pin) kind() Kind    { return KindPin }

func (t *Text) append(b []byte) []byte {
	b = appendReply(appendField(b, tagText, []byte(t.Text)), t.Reply)
	return appendIDs(b, tagMention, t.Mentions)
}

func (t *Text) read(f *fields) {
	t.Text, t.Reply, t.Mentions = f.words(MaxText), f.reply(), ids[Identity](f, tagMention, MaxMentions)
}

func (e *Edit) append(b []byte) []byte {
	b = appendField(appendField(b, tagTarget, e.Target[:]), tagText, []byte(e.Text))
	return appendIDs(b, tagMention, e.Mentions)
}

func (e *Edit) read(f *fields) {
	e.Target, e.Text, e.Mentions = f.id(tagTarget), f.words(MaxText), ids[Identity](f, tagMention, MaxMentions)
}

func (d *Delete) append(b []byte) []byte { return appendField(b, tagTarget, d.Target[:]) }
func (d *Delete) read(f *fields)         { d.Target = f.id(tagTarget) }

func (r *React) append(b []byte) []byte {
	b = appendField(appendField(b, tagTarget, r.Target[:]), tagEmoji, []byte(r.Emoji))
	return appendByte(b, tagOff, bit(r.Off))
}

func (r *React) read(f *fields) {
	r.Target, r.Emoji, r.Off = f.id(tagTarget), f.text(tagEmoji, MaxEmoji), f.flag(tagOff, 1) == 1
	if r.Emoji == "" {
		f.fail("a reaction without one")
	}
}

func (x *File) append(b []byte) []byte {
	b = appendReply(appendField(b, tagText, []byte(x.Text)), x.Reply)
	b = appendField(appendField(b, tagTicket, []byte(x.Ticket)), tagName, []byte(x.Name))
	return appendField(appendUint(b, tagSize, x.Size), tagMedia, []byte(x.Media))
}

func (x *File) read(f *fields) {
	x.Text, x.Reply, x.Ticket = f.text(tagText, MaxText), f.reply(), f.text(tagTicket, MaxTicket)
	x.Name, x.Size, x.Media = f.text(tagName, MaxName), f.uint(tagSize), f.text(tagMedia, MaxName)
	if x.Ticket == "" || x.Name == "" {
		f.fail("a file without a ticket or a name")
	}
}

func (p *Pin) append(b []byte) []byte {
	return appendByte(appendField(b, tagTarget, p.Target[:]), tagOff, bit(p.Off))
}

func (p *Pin) read(f *fields) { p.Target, p.Off = f.id(tagTarget), f.flag(tagOff, 1) == 1 }

func appendReply(b []byte, to ID) []byte {
	if to.IsZero() {
		return b
	}
	return appendField(b, tagReply, to[:])
}

func (f *fields) reply() (to ID) {
	if v := f.maybe(tagReply, 32, 32); v != nil {
		if to = ID(v); to.IsZero() {
			f.fail("a reply to nothing")
		}
	}
	return to
}

// words returns a text that must be there.
func (f *fields) words(most int) string {
	s := f.text(tagText, most)
	if s == "" {
		f.fail("a message without text")
	}
	return s
}
