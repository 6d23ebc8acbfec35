package share

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tenon-net/tenon/internal/golden"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// What is sealed, and what it is sealed with, is in testdata/sealed.txt, for other programs.
func TestSealVectors(t *testing.T) {
	secret, id := bytes.Repeat([]byte{7}, 32), ID{1, 2, 3}
	s, err := newSeal(id, secret)
	if err != nil {
		t.Fatal(err)
	}
	root := tree.Sum([]byte("root"))
	owner := somebody()
	var out strings.Builder
	say := func(name string, p []byte) { fmt.Fprintf(&out, "%s %x\n", name, p) }
	out.WriteString("# Sealed copies, docs/protocol/share.md. A frame is opened with the key and the additional data above it.\n")
	held := heldID(owner, s.id)
	version := s.version(root)
	say("secret", secret)
	say("share", id[:])
	say("sharer", owner.Bytes())
	say("root", root[:])
	say("copy", s.id[:])
	say("held", held[:])
	say("access", s.access)
	say("version", version[:])
	say("seal", s.derive("tenon hold 1 seal", 32))
	for n, u := range []unit{{unitHead, 0}, {unitManifest, 0}, {unitManifest, 3}, {unitPiece, 0}, {unitPiece, 1 << 20}} {
		r := root
		if u.sort == unitHead {
			r = tree.Hash{}
		}
		text := fmt.Appendf(nil, "text %d", n)
		sealed := s.sealWith(nil, [chacha20poly1305.NonceSizeX]byte{byte(n)}, r, u, uint32(n), text)
		out.WriteString("\n")
		say("data", u.about(nil, r, uint32(n)))
		say("text", text)
		say("sealed", sealed)
		if got, err := s.open(r, u, uint32(n), slices.Clone(sealed)); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v: %q, %v", u, got, err)
		}
		for name, open := range map[string]func() ([]byte, error){
			"another root":  func() ([]byte, error) { return s.open(tree.Hash{1}, u, uint32(n), slices.Clone(sealed)) },
			"another sort":  func() ([]byte, error) { return s.open(r, unit{u.sort ^ 3, u.number}, uint32(n), slices.Clone(sealed)) },
			"another unit":  func() ([]byte, error) { return s.open(r, unit{u.sort, u.number + 1}, uint32(n), slices.Clone(sealed)) },
			"another frame": func() ([]byte, error) { return s.open(r, u, uint32(n)+1, slices.Clone(sealed)) },
			"cut":           func() ([]byte, error) { return s.open(r, u, uint32(n), slices.Clone(sealed[:len(sealed)-1])) },
			"nothing":       func() ([]byte, error) { return s.open(r, u, uint32(n), nil) },
		} {
			if text, err := open(); !errors.Is(err, errSealed) || !errors.Is(err, tree.ErrWrongData) {
				t.Errorf("%v, %s: %q, %v", u, name, text, err)
			}
		}
	}
	golden.Check(t, "testdata/sealed.txt", out.String())
}

// Units have sizes in steps, whatever is in them, and as many bytes as is said before they are made.
func TestSealedSizes(t *testing.T) {
	s, err := newSeal(ID{1}, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 100, sealedStep - sealedMore, sealedStep - sealedMore + 1, sealedText - 1, sealedText, sealedText + 1, 3*sealedText + 5} {
		for _, cut := range []int{1 << 20, 1000} {
			var size int64
			w := &sealer{seal: s, out: func(frame []byte) error {
				if len(frame) > sealedMost || len(frame)%sealedStep != 0 {
					t.Errorf("a frame has %d bytes", len(frame))
				}
				size += int64(len(frame))
				return nil
			}}
			for p := make([]byte, n); len(p) > 0; {
				k := min(cut, len(p))
				if _, err := w.Write(p[:k]); err != nil {
					t.Fatal(err)
				}
				p = p[k:]
			}
			if err := w.end(); err != nil {
				t.Fatal(err)
			}
			if size != sealedSize(int64(n)) {
				t.Errorf("%d bytes are %d, sealed, and were to be %d", n, size, sealedSize(int64(n)))
			}
		}
	}
	if _, err := newSeal(ID{1}, nil); !errors.Is(err, errNoSecret) {
		t.Errorf("without a secret: %v", err)
	}
}
