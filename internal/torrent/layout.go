//go:build !notorrent

package torrent

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/anacrolix/torrent/metainfo"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// Limits of what a torrent may say. The engine takes up to 16 MiB of it.
const (
	maxFiles = 1 << 18
	maxPiece = 128 << 20
	maxBytes = 1 << 50
)

// A span is a file in the row of bytes that a torrent is.
type span struct {
	off   int64 // of its first byte
	entry manifest.Entry
	n     int   // the entry's number; -1 is a file that is only there to fill up a piece (BEP 47)
	group int64 // its first group, counted through the manifest
}

func (s span) end() int64 { return s.off + s.entry.Size }

// A layout is where the bytes of a torrent belong.
type layout struct {
	index manifest.Index
	spans []span // by offset; none is empty
	bytes int64
	piece int64
	count int // of pieces
}

// newLayout judges what a torrent says that is in it. Names are those that any share may have, and
// time is that of all files. A torrent knows no hashes of files by which they could be told from
// others at the target: they get roots that no file has.
func newLayout(info *metainfo.Info, hash metainfo.Hash, mtime int64) (*layout, error) {
	l := &layout{piece: info.PieceLength}
	if !info.HasV1() {
		return nil, fmt.Errorf("%w: it is of version 2 of BitTorrent only", ErrTorrent)
	}
	if l.piece < 1 || l.piece > maxPiece {
		return nil, fmt.Errorf("%w: its pieces have %d bytes", ErrTorrent, l.piece)
	}
	dirs := map[string]bool{}
	for f := range info.UpvertedV1Files() {
		if f.Length < 0 || f.Length > maxBytes-l.bytes || len(l.spans) == maxFiles {
			return nil, fmt.Errorf("%w: it is too large", ErrTorrent)
		}
		s := span{off: l.bytes, n: len(l.spans), entry: manifest.Entry{Kind: manifest.File, Mode: 0o644, ModTime: mtime, Size: f.Length, Root: manifest.EmptyRoot}}
		if strings.Contains(f.Attr, "p") {
			s.n = -1
		}
		if strings.Contains(f.Attr, "x") {
			s.entry.Mode = 0o755
		}
		names := append([]string{info.BestName()}, f.BestPath()...)
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "/") }) {
			return nil, fmt.Errorf("%w: a name in it has a slash", ErrTorrent)
		}
		s.entry.Path = strings.Join(names, "/")
		if f.Length > 0 {
			s.entry.Root = sha256.Sum256(binary.BigEndian.AppendUint64(hash[:], uint64(len(l.spans))))
		}
		for dir := path.Dir(s.entry.Path); s.n >= 0 && dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
		l.bytes += f.Length
		l.spans = append(l.spans, s)
	}
	l.count = int((l.bytes + l.piece - 1) / l.piece)
	if len(info.Pieces) != l.count*metainfo.HashSize {
		return nil, fmt.Errorf("%w: it has hashes of %d pieces, and not of %d", ErrTorrent, len(info.Pieces)/metainfo.HashSize, l.count)
	}
	return l, l.arrange(dirs, mtime)
}

// arrange writes the manifest, and finds the numbers of the files in it.
func (l *layout) arrange(dirs map[string]bool, mtime int64) error {
	entries := make([]manifest.Entry, 0, len(l.spans)+len(dirs))
	for dir := range dirs {
		entries = append(entries, manifest.Entry{Path: dir, Kind: manifest.Dir, Mode: 0o755, ModTime: mtime})
	}
	for _, s := range l.spans {
		if s.n >= 0 {
			entries = append(entries, s.entry)
		}
	}
	slices.SortFunc(entries, func(a, b manifest.Entry) int { return manifest.Compare(a.Path, b.Path) })
	var b manifest.Builder
	enc := manifest.Encoder{Emit: b.Append}
	type place struct {
		n     int
		group int64
	}
	places, group := make(map[string]place, len(entries)), int64(0)
	for n, e := range entries {
		if err := enc.Add(e); err != nil {
			return errors.Join(ErrTorrent, err)
		}
		places[e.Path] = place{n, group}
		if e.Kind == manifest.File {
			group += tree.Shape(e.Size).Groups()
		}
	}
	if err := enc.Finish(); err != nil {
		return errors.Join(ErrTorrent, err)
	}
	l.index = b.Index()
	for i := range l.spans {
		if s := &l.spans[i]; s.n >= 0 {
			at := places[s.entry.Path]
			s.n, s.group = at.n, at.group
		}
	}
	l.spans = slices.DeleteFunc(l.spans, func(s span) bool { return s.entry.Size == 0 })
	return nil
}

// across calls f for each part of a file that bytes from off on are in, in order, with the offset in
// the file and the number of bytes.
func (l *layout) across(off, n int64, f func(s span, at, n int64) error) error {
	i := sort.Search(len(l.spans), func(i int) bool { return l.spans[i].end() > off })
	for ; n > 0 && i < len(l.spans); i++ {
		s := l.spans[i]
		part := min(n, s.end()-off)
		if err := f(s, off-s.off, part); err != nil {
			return err
		}
		off += part
		n -= part
	}
	return nil
}

// pieceSize is how many bytes a piece has.
func (l *layout) pieceSize(i int) int64 { return min(l.piece, l.bytes-int64(i)*l.piece) }
