package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/tree"
	"github.com/tenon-net/tenon/transport"
)

// Deposited is how much of a sealed copy a holder has.
type Deposited struct {
	Units, Of int64
	All       bool      // it has everything, and has it on its disk
	Until     time.Time // when the holder gives it up
}

var errNotWhole = errors.New("the share is still being hashed")

// holdSilence is how long who brings a copy, or is brought one, may be silent: both wait for disks.
const holdSilence = time.Minute

// Deposit has a peer hold a sealed copy of the share, and tells how much of it the peer has, until it has everything. All of the
// share must be known. The error matches [HoldError] if the peer does not want it, and [tree.ErrChanged] if a file is
// not what was shared. What the peer has it keeps: a later call goes on. It is what the sharer calls, and nobody else.
func (s *Share) Deposit(ctx context.Context, net Opener, to peer.ID, notAfter time.Time, tell func(Deposited)) error {
	d, err := s.deposit(notAfter)
	if err != nil {
		return err
	}
	x, hangUp, err := callHolder(ctx, net, to)
	if err != nil {
		return err
	}
	defer hangUp()
	d.x = x
	d.x.share = s
	if err := d.x.write(frameOffer, d.offer.append); err != nil {
		return err
	}
	answered := make(chan error, 1)
	go func() { answered <- d.answer() }()
	err = d.read(tell)
	close(d.x.gone)
	if err != nil {
		transport.Abort(d.x.stream, err)
	}
	if failed := <-answered; failed != nil {
		err = failed // because of which the other side goes
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// callHolder opens a stream to a holder, which is aborted when the context ends.
func callHolder(ctx context.Context, net Opener, to peer.ID) (x *session, hangUp func(), err error) {
	stream, err := net.Open(ctx, to, HoldProto)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { transport.Abort(stream, context.Cause(ctx)) })
	return newSession(stream, to), func() {
		stop()
		stream.Close() //nolint:errcheck // all was said
	}, nil
}

// A deposit is a copy that is brought to a holder.
type deposit struct {
	x      *session
	seal   *seal
	head   Head
	layout layout
	nodes  *tree.NodeMap
	offer  Offer
}

func (s *Share) deposit(notAfter time.Time) (*deposit, error) {
	seal, err := newSeal(s.ID, s.Secret)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	d := &deposit{seal: seal, head: s.head, layout: s.layout, nodes: s.nodes}
	s.mu.Unlock()
	if !d.head.Final {
		return nil, errNotWhole
	}
	d.offer = Offer{ID: seal.id, Access: [32]byte(seal.access), Version: seal.version(d.head.Hash), NotAfter: notAfter,
		Manifest: pieces(tree.Shape(d.head.Size).Groups()), Pieces: pieces(d.layout.groups),
		Head: seal.seal(nil, tree.Hash{}, unit{sort: unitHead}, 0, d.head.Append(nil))}
	d.offer.Bytes = d.bytes()
	return d, nil
}

// bytes returns how many all units have, sealed: that follows from the manifest.
func (d *deposit) bytes() (all int64) {
	shape := tree.Shape(d.head.Size)
	for g := int64(0); g < shape.Groups(); g += piece {
		all += sealedSize(proofSize(shape, unitOf(g, shape.Groups())))
	}
	size, at := int64(0), int64(0)
	for p := range d.layout.parts(tree.Run{To: d.layout.groups}) {
		for r := p.run; r.From < r.To; { // the groups of it in each piece
			end := min(r.To, r.From+piece-at%piece)
			size += proofSize(tree.Shape(p.entry.Size), tree.Run{From: r.From, To: end})
			at, r.From = at+end-r.From, end
			if at%piece == 0 {
				all, size = all+sealedSize(size), 0
			}
		}
	}
	return all + sealedSize(size)
}

// proofSize returns how many bytes the proof of a run has.
func proofSize(shape tree.Shape, run tree.Run) (n int64) {
	for _, r := range shape.Walk(run) {
		if r.Leaf() {
			n += int64(shape.GroupSize(r.From))
		} else {
			n += tree.NodeSize
		}
	}
	return n
}

// read takes what the holder says and asks, until it has everything.
func (d *deposit) read(tell func(Deposited)) error {
	for {
		d.x.stream.SetReadDeadline(time.Now().Add(holdSilence)) //nolint:errcheck // the read shows it
		kind, p, err := readFrame(d.x.in, &d.x.last)
		if err != nil {
			return err
		}
		switch kind {
		case frameHold:
			h, err := parseHeld(p)
			if err != nil {
				return err
			}
			tell(Deposited{min(h.n, d.offer.Units()), d.offer.Units(), h.how == holdAll, h.until})
			if h.how == holdAll {
				return nil
			}
		case frameUnit:
			f := fields{p: p}
			q := want{number: f.number()}
			err := f.end()
			if err == nil {
				err = d.x.enqueue(q)
			}
			if err != nil {
				return err
			}
		}
	}
}

// answer answers one question after the other.
func (d *deposit) answer() error {
	var e tree.Encoder
	for {
		select {
		case q := <-d.x.wants:
			if err := d.answerOne(&e, q.number); err != nil {
				transport.Abort(d.x.stream, err)
				return err
			}
		case <-d.x.gone:
			return nil
		}
	}
}

// answerOne sends a unit. All of it is hashed again before it is sealed: what is wrong could be found by
// nobody who holds it.
func (d *deposit) answerOne(e *tree.Encoder, n uint64) error {
	if n >= uint64(d.offer.Units()) {
		return fmt.Errorf("%w: a holder asks for what is no unit", errWire)
	}
	u, of := unit{unitManifest, int64(n)}, tree.Shape(d.head.Size).Groups()
	if u.number >= d.offer.Manifest {
		u, of = unit{unitPiece, u.number - d.offer.Manifest}, d.layout.groups
	}
	w := &sealer{seal: d.seal, root: d.head.Hash, unit: u, out: d.send}
	if err := d.prove(w, e, u, unitOf(u.number*piece, of)); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	return d.x.end(n, endAll)
}

func (d *deposit) prove(w io.Writer, e *tree.Encoder, u unit, run tree.Run) error {
	if u.sort == unitManifest {
		f, err := prefix(d.layout.index, d.head.Size, d.nodes)
		if err != nil {
			return err
		}
		return e.Encode(w, f, io.NewSectionReader(d.layout.index, 0, d.head.Size), run, 0)
	}
	for p := range d.layout.parts(run) {
		if err := d.x.share.prove(w, e, p, 0, true); err != nil {
			return err
		}
	}
	return nil
}

// send sends a sealed frame, when it is its turn.
func (d *deposit) send(frame []byte) error {
	for rest := frame; len(rest) > 0; {
		cut := rest[:d.x.share.cut(len(rest))]
		rest = rest[len(cut):]
		if err := d.x.await(frameHeadN + len(cut)); err != nil {
			return err
		}
		if err := d.x.write(frameData, func(b []byte) []byte { return append(b, cut...) }); err != nil {
			return err
		}
		d.x.sent(len(cut))
	}
	return nil
}

// Withdraw has a peer hold the copies of a share no more; that it holds none is no error.
func Withdraw(ctx context.Context, net Opener, to peer.ID, id ID, secret []byte) error {
	seal, err := newSeal(id, secret)
	if err != nil {
		return err
	}
	x, hangUp, err := callHolder(ctx, net, to)
	if err != nil {
		return err
	}
	defer hangUp()
	x.stream.SetDeadline(time.Now().Add(holdSilence)) //nolint:errcheck // the read below shows it
	if err := x.write(frameDrop, func(b []byte) []byte { return append(b, seal.id[:]...) }); err != nil {
		return err
	}
	kind, p, err := readFrame(x.in, &x.last)
	if err != nil {
		return err
	}
	if kind != frameHold {
		return errWire
	}
	_, err = parseHeld(p)
	return err
}
