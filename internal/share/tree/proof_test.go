package tree

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"lukechampine.com/blake3/bao"
)

// plain makes a proof as docs/protocol/share.md describes it, without our own walk. The
// parts, nodes and groups, are not put together.
func plain(p []byte, nodes *NodeMap, r, run Run, depth, skip int) [][]byte {
	if r.To-r.From <= 1 {
		return [][]byte{p[r.From*Group : min(int64(len(p)), r.To*Group)]}
	}
	half := int64(1)
	for 2*half < r.To-r.From {
		half *= 2
	}
	m := r.From + half
	var parts [][]byte
	if n := nodes.nodes[m]; depth >= skip {
		parts = append(parts, n[:])
	}
	if run.From < m {
		parts = append(parts, plain(p, nodes, Run{r.From, m}, run, depth+1, skip)...)
	}
	if run.To > m {
		parts = append(parts, plain(p, nodes, Run{m, r.To}, run, depth+1, skip)...)
	}
	return parts
}

// expect is a writer that fails at the first byte that is not the next one of its parts.
type expect struct{ parts [][]byte }

func (e *expect) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; e.parts = e.parts[1:] {
		if len(e.parts) == 0 || !bytes.HasPrefix(rest, e.parts[0]) {
			return 0, errors.New("another proof")
		}
		rest = rest[len(e.parts[0]):]
	}
	return len(p), nil
}

// Every run with every skip of files of up to 20 groups: the walk meets what the document
// says. For files of up to 9 groups, and others now and then, so does the proof; the
// getter takes it, and has what it needs to serve the run on.
func TestEveryRun(t *testing.T) {
	const most = 20
	var e Encoder
	p := random(most * Group)
	for groups := int64(1); groups <= most; groups++ {
		p := p[:groups*Group-Group+1+rand.Int64N(Group)]
		f := hashed(t, p)
		for from := range groups {
			for to := from + 1; to <= groups; to++ {
				run := Run{from, to}
				for skip := range depth(f.Shape, run) + 2 {
					parts := plain(p, f.Nodes.(*NodeMap), f.Shape.All(), run, 0, skip)
					if walked := walked(f, run, skip); !slices.Equal(walked, lengths(parts)) {
						t.Fatalf("%d groups, %v, skip %d: the walk has %v", groups, run, skip, walked)
					}
					if groups > 9 && rand.IntN(100) > 0 {
						continue
					}
					same(t, &e, f, p, run, skip, parts)
					g := served(t, f, p, run, skip, parts)
					same(t, &e, g.File, p, run, skip, parts)
				}
			}
		}
	}
}

// walked returns the lengths of what a walk meets.
func walked(f File, run Run, skip int) (all []int) {
	for d, r := range f.Shape.Walk(run) {
		switch {
		case r.Leaf():
			all = append(all, f.Shape.GroupSize(r.From))
		case d >= skip:
			all = append(all, NodeSize)
		}
	}
	return all
}

func lengths(parts [][]byte) (all []int) {
	for _, p := range parts {
		all = append(all, len(p))
	}
	return all
}

// depth returns the depth of the deepest node above a run.
func depth(s Shape, run Run) int {
	deepest := 0
	for d := range s.Walk(run) {
		deepest = max(deepest, d)
	}
	return deepest
}

// same checks that the proof has these parts.
func same(t *testing.T, e *Encoder, f File, p []byte, run Run, skip int, parts [][]byte) {
	t.Helper()
	w := &expect{parts}
	if err := e.Encode(w, f, bytes.NewReader(p), run, skip); err != nil || len(w.parts) > 0 {
		t.Fatalf("size %d, %v, skip %d: %v, %d parts are not written", f.Shape, run, skip, err, len(w.parts))
	}
}

// served returns a getter that has taken the proof with these parts.
func served(t *testing.T, f File, p []byte, run Run, skip int, parts [][]byte) *getter {
	t.Helper()
	g := get(f, p)
	for d, r := range f.Shape.Walk(run) {
		if !r.Leaf() && d < skip {
			var n Node
			f.Nodes.Node(r.Split(), &n)    //nolint:errcheck // it is there
			g.Nodes.SetNode(r.Split(), &n) //nolint:errcheck // into memory
		}
	}
	if known, err := g.Skip(run); err != nil || known < min(skip, depth(f.Shape, run)) {
		t.Fatalf("size %d, %v: knows %d and not %d, %v", f.Shape, run, known, skip, err)
	}
	if err := g.start(run, skip); err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if rest, err := g.Feed(part); err != nil || len(rest) > 0 {
			t.Fatalf("size %d, %v, skip %d: %v", f.Shape, run, skip, err)
		}
	}
	if known, err := g.Skip(run); err != nil || known != maxDepth || !g.Done() || int64(len(g.got)) != run.Len() {
		t.Fatalf("size %d, %v: has groups %v, knows %d, %v", f.Shape, run, g.got, known, err)
	}
	return g
}

// A proof without skip is a slice of Bao but for the size in front of that.
func TestProofIsASliceOfBao(t *testing.T) {
	for _, size := range borders()[1:] {
		p := pattern(size)
		f := hashed(t, p)
		outboard, _ := bao.EncodeBuf(p, 6, true)
		for range 2 {
			from := rand.Int64N(f.Shape.Groups())
			run := Run{from, from + 1 + rand.Int64N(f.Shape.Groups()-from)}
			length := min(run.To*Group, int64(size)) - from*Group
			var want bytes.Buffer
			if err := bao.ExtractSlice(&want, bytes.NewReader(p[from*Group:]), bytes.NewReader(outboard), 6, uint64(from)*Group, uint64(length)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(prove(t, f, p, run, 0), want.Bytes()[8:]) {
				t.Errorf("size %d, %v: another proof", size, run)
			}
		}
	}
}

// A proof comes in pieces of any size, or is read, and what follows it is left alone.
func TestProofInPieces(t *testing.T) {
	p := random(6*Group + 77)
	f := hashed(t, p)
	for _, run := range []Run{{0, 7}, {2, 5}, {6, 7}} {
		proof := prove(t, f, p, run, 0)
		stream := append(slices.Clone(proof), "and more"...)
		for _, piece := range []int{1, 63, 64, 65, 1000, Group, Group + 256, len(stream)} {
			g := get(f, p)
			if err := g.start(run, 0); err != nil {
				t.Fatal(err)
			}
			for rest := stream; !g.Done(); {
				n := min(piece, len(rest))
				left, err := g.Feed(rest[:n])
				if err != nil || len(left) > 0 && !g.Done() {
					t.Fatalf("%v in pieces of %d: %v, %d bytes left", run, piece, err, len(left))
				}
				if rest = rest[n-len(left):]; g.Done() && string(rest) != "and more" {
					t.Errorf("%v in pieces of %d: %d bytes left at the end", run, piece, len(rest))
				}
			}
			if int64(len(g.got)) != run.Len() {
				t.Errorf("%v in pieces of %d: groups %v", run, piece, g.got)
			}
		}

		g := get(f, p)
		g.start(run, 0) //nolint:errcheck // ReadProof says it too
		r := bytes.NewReader(stream)
		if err := g.ReadProof(iotest.HalfReader(r)); err != nil || !g.Done() || r.Len() != len("and more") {
			t.Errorf("%v read: %v, %d bytes left", run, err, r.Len())
		}
		for _, cut := range []int{0, 1, 64, len(proof) - 1} {
			g.start(run, 0) //nolint:errcheck // ReadProof says it too
			if err := g.ReadProof(bytes.NewReader(proof[:cut])); err != io.ErrUnexpectedEOF || g.Done() {
				t.Errorf("%v cut after %d bytes: %v", run, cut, err)
			}
		}
	}
}

// Groups that come as a whole are handed on where they are.
func TestFeedDoesNotCopy(t *testing.T) {
	p := random(3 * Group)
	f := hashed(t, p)
	proof := prove(t, f, p, Run{0, 3}, 0)
	var v Verifier
	seen := 0
	give := func(_ int64, data []byte) error {
		data[0]++
		seen++
		return nil
	}
	if err := v.Start(f, Run{0, 3}, 0, give); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(proof)
	if _, err := v.Feed(proof); err != nil || seen != 3 || v.buf != nil || bytes.Equal(before, proof) {
		t.Errorf("%v, %d groups, a buffer of %d bytes", err, seen, len(v.buf))
	}
}

func TestEmptyFile(t *testing.T) {
	f := hashed(t, nil)
	proof := prove(t, f, nil, Run{}, 0)
	g := get(f, nil)
	if err := g.take(proof, Run{}, 0); len(proof) != 0 || err != nil {
		t.Errorf("a proof of %d bytes, %v", len(proof), err)
	}
	g.Root[0]++
	if err := g.take(nil, Run{}, 0); !errors.Is(err, ErrWrongData) || g.Done() {
		t.Errorf("another root: %v", err)
	}
}

func TestNoSuchRun(t *testing.T) {
	p := random(3 * Group)
	f := hashed(t, p)
	for _, s := range []Shape{-1, 0, 1, 3 * Group, math.MaxInt64} {
		f.Shape = s
		for _, run := range []Run{{-1, 1}, {1, 0}, {1, 1}, {0, s.Groups() + 1}, {math.MinInt64, math.MaxInt64}, {math.MaxInt64, math.MinInt64}, {5, math.MaxInt64}} {
			_, skip := f.Skip(run)
			for what, err := range map[string]error{
				"Encode": new(Encoder).Encode(io.Discard, f, bytes.NewReader(p), run, 0),
				"Start":  new(Verifier).Start(f, run, 0, nil),
				"Skip":   skip,
			} {
				if !errors.Is(err, ErrRun) {
					t.Errorf("size %d, %v: %s: %v", s, run, what, err)
				}
			}
		}
	}
}

// Who has a part of a file proves what it can, and writes nothing of what it cannot.
func TestPartialNodes(t *testing.T) {
	p := random(11*Group + 1)
	f := hashed(t, p)
	g := get(f, p)
	if err := g.take(prove(t, f, p, Run{3, 6}, 0), Run{3, 6}, 0); err != nil {
		t.Fatal(err)
	}
	for from := range f.Shape.Groups() {
		for to := from + 1; to <= f.Shape.Groups(); to++ {
			run, can := Run{from, to}, true
			for _, r := range f.Shape.Walk(run) {
				can = can && (r.Leaf() || r.Meets(Run{3, 6}))
			}
			var b bytes.Buffer
			err := new(Encoder).Encode(&b, g.File, bytes.NewReader(p), run, 0)
			if can && !bytes.Equal(b.Bytes(), prove(t, f, p, run, 0)) || !can && (!errors.Is(err, ErrMissing) || b.Len() > 0) {
				t.Errorf("%v: %v, %d bytes", run, err, b.Len())
			}
		}
	}
	g.Nodes = nil
	if err := new(Encoder).Encode(io.Discard, g.File, bytes.NewReader(p), Run{3, 4}, 0); !errors.Is(err, ErrMissing) {
		t.Errorf("without nodes: %v", err)
	}
}

func TestChangedData(t *testing.T) {
	p := random(5*Group + 10)
	f := hashed(t, p)
	whole := prove(t, f, p, f.Shape.All(), 0)
	changed := slices.Clone(p)
	changed[3*Group+5] ^= 1
	for name, now := range map[string][]byte{"a bit": changed, "cut": p[:4*Group-1], "none": nil} {
		var b bytes.Buffer
		err := new(Encoder).Encode(&b, f, bytes.NewReader(now), f.Shape.All(), 0)
		if !errors.Is(err, ErrChanged) || !bytes.HasPrefix(whole, b.Bytes()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&Encoder{Trust: true}).Encode(io.Discard, f, bytes.NewReader(changed), f.Shape.All(), 0); err != nil {
		t.Errorf("trusted: %v", err)
	}
	bad := errors.New("bad sector")
	if err := new(Encoder).Encode(io.Discard, f, brokenReader{bad}, Run{2, 3}, 0); !errors.Is(err, bad) || errors.Is(err, ErrChanged) {
		t.Errorf("a disk that fails: %v", err)
	}
}

// The work for each group allocates nothing.
func TestProofsAllocateNothing(t *testing.T) {
	p := random(8 * Group)
	f := hashed(t, p)
	var e Encoder
	var v Verifier
	var b bytes.Buffer
	data := bytes.NewReader(p)
	give := func(int64, []byte) error { return nil }
	f.Nodes = NodeFile{tempFile(t)}
	HashAt(data, f.Shape, f.Nodes, 1) //nolint:errcheck // Encode would fail
	if n := testing.AllocsPerRun(10, func() {
		b.Reset()
		if err := e.Encode(&b, f, data, f.Shape.All(), 0); err != nil {
			t.Fatal(err)
		}
		v.Start(f, f.Shape.All(), 0, give) //nolint:errcheck // Feed says it too
		if _, err := v.Feed(b.Bytes()); err != nil || !v.Done() {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
