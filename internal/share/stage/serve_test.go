package stage

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// send encodes all of a file and returns what who verifies it gets.
func (src *source) send(b share.Blob, n int) ([]byte, error) {
	e := src.entries[n]
	shape := tree.Shape(e.Size)
	var proof bytes.Buffer
	sent := (&tree.Encoder{Trust: b.Trusted()}).Encode(&proof, tree.File{Shape: shape, Root: e.Root, Nodes: b.Nodes()}, b, shape.All(), 0)
	var got []byte
	var v tree.Verifier
	err := v.Start(tree.File{Shape: shape, Root: e.Root, Nodes: new(tree.NodeMap)}, shape.All(), 0, func(_ int64, p []byte) error {
		got = append(got, p...)
		return nil
	})
	if err == nil {
		if _, err = v.Feed(proof.Bytes()); err != nil {
			src.t.Errorf("what was sent of %s is wrong: %v", e.Path, err)
		}
	}
	return got, errors.Join(err, sent)
}

// serve sends a file as the stage has it.
func (src *source) serve(s *Stage, n int) ([]byte, error) {
	b, err := s.Open(n, src.entries[n])
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return src.send(b, n)
}

// serves checks that everything is sent that is wanted and not empty.
func (src *source) serves(s *Stage) {
	src.t.Helper()
	have := int64(0)
	s.Have(func(r tree.Run) { have += r.Len() })
	for n, e := range src.entries {
		if e.Size == 0 || s.Want != nil && !s.Want(e) {
			continue
		}
		have -= tree.Shape(e.Size).Groups()
		if p, err := src.serve(s, n); err != nil || !bytes.Equal(p, src.data[n]) {
			src.t.Errorf("%d bytes of %s are sent: %v", len(p), e.Path, err)
		}
	}
	if have != 0 {
		src.t.Errorf("%d groups more are said to be there than are", have)
	}
}

// What was put in place is served from there until Close, which leaves nothing else behind.
func TestServesOn(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"all":     nil,
		"a part":  wanting(only("photos/a", "photos/sub/tool")),
		"renamed": func(c *Config) { c.Rename = true },
		"some are there already": func(c *Config) {
			put(t, filepath.Join(c.Target, "photos/a"), photos(t).data[1])
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := photos(t)
			target := t.TempDir()
			if name == "renamed" {
				put(t, filepath.Join(target, "photos/a"), []byte("mine"))
			}
			s, err := at(t, target, change)
			must(t, err)
			_, err = src.fetch(s, -1)
			must(t, err)
			src.serves(s)
			must(t, s.Finish())
			src.serves(s)
			must(t, s.sync())
			src.serves(s)
			must(t, s.Close())
			if left, err := filepath.Glob(filepath.Join(target, prefix+"*")); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// What has become of a file at the target, or of one that was open when it got its name, is
// never sent for what was shared.
func TestChangedAfterwards(t *testing.T) {
	src := photos(t)
	const n, path = 1, "photos/a"
	for name, change := range map[string]func(file string){
		"written to": func(f string) { put(t, f, append([]byte{src.data[n][0] ^ 1}, src.data[n][1:]...)) },
		"longer":     func(f string) { put(t, f, append(bytes.Clone(src.data[n]), 1)) },
		"shorter":    func(f string) { must(t, os.Truncate(f, 5)) },
		"gone":       func(f string) { must(t, os.Remove(f)) },
		"a link": func(f string) {
			must(t, os.Rename(f, f+"2"))
			must(t, os.Symlink("a2", f))
		},
		"a directory":           func(f string) { must(t, os.Remove(f)); must(t, os.Mkdir(f, 0o755)) },
		"its directory is gone": func(f string) { must(t, os.RemoveAll(filepath.Dir(f))) },
	} {
		t.Run(name, func(t *testing.T) {
			target := t.TempDir()
			s, err := at(t, target, nil)
			must(t, err)
			_, err = src.fetch(s, -1)
			must(t, err)
			open, err := s.Open(n, src.entries[n])
			must(t, err)
			defer open.Close()
			must(t, s.Finish())
			if p, err := src.send(open, n); err != nil || !bytes.Equal(p, src.data[n]) {
				t.Errorf("what was open has %d bytes now: %v", len(p), err)
			}
			change(filepath.Join(target, path))
			_, err = src.serve(s, n)
			wantErr(t, err, tree.ErrChanged)
			if !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), "group") {
				t.Errorf("no file is named: %v", err)
			}
			if p, err := src.send(open, n); !errors.Is(err, tree.ErrChanged) && !bytes.Equal(p, src.data[n]) {
				t.Errorf("what was open has %d bytes now: %v", len(p), err)
			}
		})
	}
}

// Whoever asks for a file while Finish goes on gets it when that is over.
func TestOpenWhileFinishing(t *testing.T) {
	src := photos(t)
	var s *Stage
	var all sync.WaitGroup
	begun := false
	s, err := open(Config{Target: t.TempDir(), ID: id}, func(st step) (bool, error) {
		if st.op == "rename" && strings.Contains(st.path, "/tree/") && !begun {
			begun = true
			asked := make(chan struct{})
			all.Go(func() {
				close(asked)
				if p, err := src.serve(s, 1); err != nil || !bytes.Equal(p, src.data[1]) {
					t.Errorf("%d bytes are sent: %v", len(p), err)
				}
			})
			<-asked
		}
		return dry(st)
	}, false)
	must(t, err)
	_, err = src.fetch(s, -1)
	must(t, err)
	must(t, s.Finish())
	all.Wait()
	must(t, s.Close())
	_, err = s.Open(1, src.entries[1])
	wantErr(t, err, fs.ErrClosed)
}
