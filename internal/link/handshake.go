package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
)

// handshakeTime is how long either side of a handshake waits for the other.
const handshakeTime = 10 * time.Second

// An opening is the content of frameOpen.
type opening struct {
	random  [idSize]byte
	key     [keySize]byte
	survive time.Duration
	window  uint32
	proto   string
	early   bool // the opener sends data before it has the answer
}

func (o *opening) frame() []byte {
	number := uint64(0)
	if o.early {
		number = 1
	}
	b := head{frameOpen, openSize + len(o.proto), number}.append(make([]byte, 0, headSize+openSize+maxProto))
	b = append(append(b, o.random[:]...), o.key[:]...)
	b = binary.BigEndian.AppendUint32(b, millis(o.survive))
	b = binary.BigEndian.AppendUint32(b, o.window)
	return append(b, o.proto...)
}

func parseOpening(b []byte) (o opening) {
	copy(o.random[:], b)
	copy(o.key[:], b[idSize:])
	o.survive = time.Duration(binary.BigEndian.Uint32(b[idSize+keySize:])) * time.Millisecond
	o.window = binary.BigEndian.Uint32(b[idSize+keySize+4:])
	o.proto = string(b[openSize:])
	return o
}

// openedFrame answers frameOpen.
func openedFrame(survive time.Duration, window uint32) []byte {
	b := head{frameOpened, 8, 0}.append(nil)
	b = binary.BigEndian.AppendUint32(b, millis(survive))
	return binary.BigEndian.AppendUint32(b, window)
}

func parseOpened(b []byte) (survive time.Duration, window uint32) {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Millisecond, binary.BigEndian.Uint32(b[4:])
}

func millis(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), 1<<32-1))
}

// A standing is where one side of a session stands.
type standing struct {
	received int64 // all before this position is here
	limit    int64 // the other side may send up to here
}

func (p standing) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.received))
	return binary.BigEndian.AppendUint64(b, uint64(p.limit))
}

// parseStanding refuses numbers that no session reaches.
func parseStanding(b []byte) (p standing, ok bool) {
	received, limit := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	return standing{int64(received), int64(limit)}, received <= maxNumber && limit <= maxNumber
}

// A resuming is what a session's two frames for going on are made from.
type resuming struct {
	id    sessionID
	key   *[keySize]byte
	from  peer.ID // who resumes
	to    peer.ID
	epoch uint64
}

// seal appends the proof that whoever made b knows the key of the session, is the
// resumer or the one who answers, and means this attempt.
func (r *resuming) seal(b []byte) []byte {
	m := hmac.New(sha256.New, r.key[:])
	m.Write([]byte("tenon link 1\x00")) //nolint:errcheck // it does not fail
	m.Write(r.from.Bytes())             //nolint:errcheck // it does not fail
	m.Write(r.to.Bytes())               //nolint:errcheck // it does not fail
	m.Write(r.id.random[:])             //nolint:errcheck // it does not fail
	m.Write(b)                          //nolint:errcheck // it does not fail
	return m.Sum(b)
}

func (r *resuming) request(p standing) []byte {
	b := head{frameResume, resumeSize, r.epoch}.append(make([]byte, 0, headSize+resumeSize))
	return r.seal(p.append(append(b, r.id.random[:]...)))
}

func (r *resuming) answer(p standing) []byte {
	return r.seal(p.append(head{frameResumed, repliedLen, r.epoch}.append(make([]byte, 0, headSize+repliedLen))))
}

// open checks a frame and returns what it says.
func (r *resuming) open(h head, content []byte) (standing, bool) {
	b := h.append(make([]byte, 0, headSize+resumeSize))
	b = append(b, content[:len(content)-macSize]...)
	if !hmac.Equal(r.seal(b), append(b[:len(b):len(b)], content[len(content)-macSize:]...)) || h.number != r.epoch {
		return standing{}, false
	}
	return parseStanding(content[len(content)-macSize-16:])
}
