package share

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// FindProto is the protocol by which a peer is asked which of some shares it has;
// docs/protocol/share.md, chapter "Finding".
const FindProto = "/tenon/find/1"

// MaxAsked is how many shares a peer is asked for in one question.
const MaxAsked = 32

// findTime is how long a question may take.
const findTime = 10 * time.Second

// errFind: what the other side sends is no question, or no answer.
var errFind = errors.New("a question for shares that is none")

// A mark is a share as one asks another for it: only who has the share's secret can make it, or recognise it, and to
// others it says nothing.
type mark [16]byte

func markOf(k peer.FindKey, from, to peer.ID) mark {
	sum := k.Derive("tenon find 1", from.Bytes(), to.Bytes())
	return mark(sum[:16])
}

// FindKey returns what those who have the ticket of a share find each other by.
func FindKey(id ID, secret []byte) (k peer.FindKey) {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("tenon share find 1\x00")) //nolint:errcheck // hashes do not fail
	h.Write(id[:])                            //nolint:errcheck // hashes do not fail
	return peer.FindKey(h.Sum(nil))
}

// FindKey returns what others who have the share's ticket are found by.
func (s *Share) FindKey() peer.FindKey { return s.findKey }

// Gives tells whether others have a use for this process: something of the share is here that they can be given.
func (s *Share) Gives() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.ended == nil && !s.Passing && (s.sharing || s.picker.done.count > 0)
}

// AskFor asks a peer which of at most [MaxAsked] shares it has and gives to self.
func AskFor(ctx context.Context, net Opener, self, to peer.ID, keys []peer.FindKey) (has []bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	stream, err := net.Open(ctx, to, FindProto)
	if err != nil {
		return nil, err
	}
	defer stream.Close() //nolint:errcheck // all was said
	defer context.AfterFunc(ctx, func() { transport.Abort(stream, context.Cause(ctx)) })()
	question := []byte{byte(len(keys))}
	for _, k := range keys {
		m := markOf(k, self, to)
		question = append(question, m[:]...)
	}
	if _, err := stream.Write(question); err != nil {
		return nil, err
	}
	var answer [4]byte
	if _, err := io.ReadFull(stream, answer[:]); err != nil {
		return nil, err
	}
	bits := binary.LittleEndian.Uint32(answer[:])
	if bits>>len(keys) != 0 {
		return nil, fmt.Errorf("%w: an answer for what was not asked", errFind)
	}
	for i := range keys {
		has = append(has, bits>>i&1 != 0)
	}
	return has, nil
}

// HandleFind answers one question of a peer: it is told of shares of which it has the ticket, and that it would be let in
// to. Whether it may ask at all, and how often, is for the caller to decide.
func (h *Hub) HandleFind(stream transport.Stream) {
	from, ok := peer.Of(stream)
	if !ok {
		return
	}
	stream.SetDeadline(time.Now().Add(findTime)) //nolint:errcheck // the read below shows it
	marks, err := readMarks(stream)
	if err != nil {
		transport.Abort(stream, err)
		return
	}
	var bits uint32
	for _, s := range h.all() {
		if i, ok := marks[markOf(s.findKey, from, s.Self)]; ok && s.Gives() && s.admits(from, true) {
			bits |= 1 << i
		}
	}
	stream.Write(binary.LittleEndian.AppendUint32(nil, bits)) //nolint:errcheck // it asks again
	transport.LingeringClose(stream)                          //nolint:errcheck // it asks again
}

// readMarks reads a question: each mark with its place.
func readMarks(r io.Reader) (map[mark]int, error) {
	var b [1 + MaxAsked*len(mark{})]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return nil, err
	}
	count := int(b[0])
	if count == 0 || count > MaxAsked {
		return nil, errFind
	}
	if _, err := io.ReadFull(r, b[1:1+count*len(mark{})]); err != nil {
		return nil, err
	}
	marks := make(map[mark]int, count)
	for i := range count {
		marks[mark(b[1+i*len(mark{}):])] = i
	}
	return marks, nil
}

// all returns the shares that there are now.
func (h *Hub) all() (all []*Share) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.shares {
		all = append(all, s)
	}
	return all
}
