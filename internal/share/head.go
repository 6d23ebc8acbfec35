package share

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A Head says how far a manifest is known: its first bytes, their BLAKE3, and who says so.
// When it is final that is all of it, and the hash is the root of the share.
type Head struct {
	Final bool
	Size  int64
	Hash  tree.Hash
	Sig   [64]byte // of the sharer, over the rest; zeros if the ticket has the root
}

// ErrHead: nobody vouches for a manifest, or it is not the one that is vouched for.
var ErrHead = errors.New("a manifest that nobody vouches for")

// signed returns what a sharer signs of a head.
func (h Head) signed(share ID) []byte {
	b := append(share[:len(share):len(share)], 0)
	if h.Final {
		b[len(b)-1] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(h.Size))
	return append(b, h.Hash[:]...)
}

// Append appends the Head to b as it goes over the wire, and as it can be kept.
func (h Head) Append(b []byte) []byte {
	final := byte(0)
	if h.Final {
		final = 1
	}
	b = binary.AppendUvarint(append(b, final), uint64(h.Size))
	return append(append(b, h.Hash[:]...), h.Sig[:]...)
}

// ParseHead reads what Append has written. It does not look who vouches for it.
func ParseHead(p []byte) (h Head, err error) {
	f := fields{p: p}
	final, size := f.take(1)[0], f.number()
	h.Final, h.Size = final == 1, int64(size)
	copy(h.Hash[:], f.take(len(h.Hash)))
	copy(h.Sig[:], f.take(len(h.Sig)))
	if final > 1 || size > maxManifest {
		f.bad = true
	}
	return h, f.end()
}

// vouched looks whether a head is to be believed: it need not be of the version of the share
// that is fetched.
func (s *Share) vouched(h Head) error {
	switch {
	case s.Root != (tree.Hash{}) && h.Final && h.Hash == s.Root:
		if s.sized.Final && h.Size != s.sized.Size {
			return fmt.Errorf("%w: it says that the manifest has another size", errWire)
		}
	case !s.Sharer.Verify(peer.ContextShare, h.signed(s.ID), h.Sig[:]):
		return ErrHead
	}
	return nil
}

// takeHead learns how far the other side knows the manifest.
func (x *session) takeHead(p []byte) error {
	h, err := ParseHead(p)
	if err != nil {
		return err
	}
	s := x.share
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.vouched(h); err != nil {
		return err
	}
	if h.Size < x.head.Size || s.fixed && !h.Final { // of what root it is the beginning will show
		return nil
	}
	x.head = h
	if s.Root != (tree.Hash{}) && h.Final && h.Hash != s.Root {
		x.differs()
	}
	x.kick()
	return nil
}

// Restore gives a Share the manifest that an earlier process had of it, and the Head that a
// [Keeper] has kept, before it takes part: none of it is fetched again. It is verified like
// what comes from a peer; if it is not what is vouched for, the error matches [ErrHead] and
// nothing has changed. A [Learner] is told; its error ends the share. Bytes behind those
// that the head is about are not read.
func (s *Share) Restore(h Head, r io.Reader) error {
	if h.Size < 0 || h.Size > maxManifest {
		return ErrHead
	}
	nodes := new(tree.NodeMap)
	hasher := tree.Hasher{Nodes: nodes}
	var restored Share // a builder and a layout that nobody uses if they are wrong
	buf := make([]byte, tree.Group)
	for at := int64(0); at < h.Size; {
		n, err := io.ReadFull(r, buf[:min(h.Size-at, tree.Group)])
		if err == nil {
			_, err = hasher.Write(buf[:n])
		}
		if err == nil {
			err = restored.append(buf[:n])
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrHead, err)
		}
		at += int64(n)
	}
	hash, err := hasher.Sum()
	if err != nil {
		return err
	}
	if hash != h.Hash || h.Final && !restored.layout.index.Done() {
		return ErrHead
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.layout.index.Size() > 0 {
		return errors.New("the share has a manifest already")
	}
	if err := s.vouched(h); err != nil {
		return err
	}
	if s.fixed && h.Final && h.Hash != s.Root {
		return fmt.Errorf("%w: %w", ErrHead, ErrChanged)
	}
	s.nodes, s.hasher.Nodes, s.builder, s.layout = nodes, nodes, restored.builder, restored.layout
	if h.Final {
		s.sized = h
	}
	if err := s.learn(); err != nil {
		return err
	}
	s.reached(h)
	return nil
}

// A Learner is a Store that must know what will come. It is told how far the manifest is
// known before anything that is new in it is asked for. It calls had for groups that are
// there already, and skip for those that are not wanted here: they are never asked for, nor
// waited for, nor told of to others. Its error ends the share.
type Learner interface {
	Learn(x manifest.Index, had, skip func(tree.Run)) error
}

// A Keeper is a Store that keeps how far the manifest is known, for a later process to
// [Share.Restore]. It is told after Learn has been told of the same manifest. Its error ends
// the share.
type Keeper interface {
	Keep(h Head) error
}

// learn tells the Store how far the manifest is known. It unlocks mu meanwhile: nobody else
// adds to the manifest.
func (s *Share) learn() error {
	if l, ok := s.Store.(Learner); ok {
		known := s.layout.index
		s.mu.Unlock()
		err := l.Learn(known, s.Had, s.skip)
		s.mu.Lock()
		if err != nil {
			s.end(err)
			return err
		}
	}
	if p, ok := s.Store.(Patcher); ok {
		s.patch(p.Older())
	}
	s.picker.groups = min(s.layout.groups, s.until)
	return nil
}

// keep has the Store keep how far the manifest is known, as learn does.
func (s *Share) keep(h Head) error {
	k, ok := s.Store.(Keeper)
	if !ok {
		return nil
	}
	s.mu.Unlock()
	err := k.Keep(h)
	s.mu.Lock()
	if err != nil {
		s.end(err)
	}
	return err
}
