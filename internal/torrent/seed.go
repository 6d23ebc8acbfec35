//go:build !notorrent

package torrent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A found file is one that is to be handed on.
type foundFile struct {
	source
	path string // in the torrent, without its name
	size int64
}

func (s Seed) run(ctx context.Context) error {
	var roots []*os.Root
	defer func() {
		for _, root := range roots {
			root.Close() //nolint:errcheck // a directory
		}
	}()
	var all []foundFile
	for _, name := range s.Paths {
		root, files, err := s.walk(name, len(s.Paths) > 1)
		if root != nil {
			roots = append(roots, root)
		}
		if err != nil {
			return err
		}
		all = append(all, files...)
	}
	mi, info, err := s.make(ctx, all)
	if err != nil {
		return err
	}
	return s.serve(ctx, mi, info, all)
}

// make makes a torrent, and has the files in its order.
func (s Seed) make(ctx context.Context, all []foundFile) (*metainfo.MetaInfo, *metainfo.Info, error) {
	if len(all) == 0 {
		return nil, nil, errors.New("there is no file in it, and a torrent has nothing else")
	}
	slices.SortFunc(all, func(a, b foundFile) int { return strings.Compare(a.path, b.path) })
	info := s.describe(all)
	if info.TotalLength() == 0 {
		return nil, nil, errors.New("all files in it are empty, and a torrent cannot be")
	}
	if err := s.hash(ctx, info, all); err != nil {
		return nil, nil, err
	}
	raw, err := bencode.Marshal(info)
	mi := &metainfo.MetaInfo{InfoBytes: raw, CreatedBy: "tenon", CreationDate: time.Now().Unix()}
	for i, tracker := range s.Trackers {
		if i == 0 {
			mi.Announce = tracker
		}
		mi.AnnounceList = append(mi.AnnounceList, []string{tracker})
	}
	return mi, info, err
}

// describe says what is in the torrent, but for the hashes.
func (s Seed) describe(all []foundFile) *metainfo.Info {
	base := filepath.Base(s.Paths[0])
	if len(s.Paths) > 1 {
		base = "shared"
	}
	if s.Name != "" {
		base = s.Name
	}
	info := &metainfo.Info{Name: base, PieceLength: max(minPiece, metainfo.ChoosePieceLength(total(all)))}
	if len(all) == 1 && all[0].path == "" {
		info.Length = all[0].size
		return info
	}
	for _, f := range all {
		info.Files = append(info.Files, metainfo.FileInfo{Length: f.size, Path: strings.Split(f.path, "/")})
	}
	return info
}

// minPiece is how many bytes a piece has at least: some groups of a stage.
const minPiece = 4 * tree.Group

func total(all []foundFile) (n int64) {
	for _, f := range all {
		n += f.size
	}
	return n
}

// walk finds the files at a path. Below says that the path is itself a name in the torrent.
func (s Seed) walk(name string, below bool) (*os.Root, []foundFile, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, nil, err
	}
	fi, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !fi.IsDir() {
		root, err := os.OpenRoot(filepath.Dir(name))
		f := foundFile{source{root, filepath.Base(name), fi.ModTime()}, "", fi.Size()}
		if below {
			f.path = f.name
		}
		if err == nil && !fi.Mode().IsRegular() {
			err = fmt.Errorf("%s is neither a file nor a folder", name)
		}
		return root, []foundFile{f}, err
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	prefix := ""
	if below {
		prefix = filepath.Base(name) + "/"
	}
	top := filepath.Base(name) + "/" // as patterns know it
	var all []foundFile
	err = fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			s.left(at, err)
			return nil
		case at == ".":
			return nil
		case d.IsDir() && s.Choice.Exclude.Inside(top+at, true):
			return fs.SkipDir
		case d.IsDir(), !s.Choice.Has(top+at, false):
			return nil
		case !d.Type().IsRegular():
			s.left(at, errors.New("it is neither a file nor a folder"))
			return nil
		}
		fi, err := d.Info()
		if err != nil {
			s.left(at, err)
			return nil
		}
		all = append(all, foundFile{source{root, at, fi.ModTime()}, prefix + at, fi.Size()})
		return nil
	})
	return root, all, err
}

func (s Seed) left(path string, why error) {
	if s.Left != nil {
		s.Left(neutral.Line(path), why)
	}
}

// hash reads everything.
func (s Seed) hash(ctx context.Context, info *metainfo.Info, all []foundFile) error {
	status := Status{Name: shownName(info), Files: len(all), Bytes: total(all), Have: total(all)}
	due := time.Now()
	i := 0
	return info.GeneratePieces(func(metainfo.FileInfo) (io.ReadCloser, error) {
		f := all[i] // the order is that of the torrent
		i++
		file, err := f.root.Open(f.name)
		if err != nil {
			return nil, err
		}
		return hashed{file, func(n int) error {
			status.Hashed += int64(n)
			if now := time.Now(); s.See != nil && now.After(due) {
				due = now.Add(time.Second)
				s.See(status)
			}
			return context.Cause(ctx)
		}}, nil
	})
}

// A hashed file is one that is being read.
type hashed struct {
	*os.File
	read func(n int) error
}

func (h hashed) Read(p []byte) (int, error) {
	n, err := h.File.Read(p)
	if err == nil {
		err = h.read(n)
	}
	return n, err
}

func shownName(info *metainfo.Info) string { return neutral.Line(info.BestName()) }

// serve hands the files on.
func (s Seed) serve(ctx context.Context, mi *metainfo.MetaInfo, info *metainfo.Info, all []foundFile) error {
	l, err := newLayout(info, mi.HashInfoBytes(), 0)
	if err != nil {
		return err
	}
	from := &placed{layout: l, sources: map[int]source{}}
	defer from.close()
	for _, f := range all {
		if n, _, ok := l.index.Find(path.Join(info.BestName(), f.path)); ok {
			from.sources[n] = f.source
		}
	}
	spec, err := torrent.TorrentSpecFromMetaInfoErr(mi)
	if err != nil {
		return err
	}
	spec.Storage = from
	sw, err := s.open(spec, true, false)
	if err != nil {
		return err
	}
	defer sw.close()
	link := metainfo.Magnet{InfoHash: mi.HashInfoBytes(), DisplayName: info.BestName(), Trackers: s.Trackers, Params: url.Values{}}
	for _, addr := range s.addresses(sw.client.LocalPort()) {
		link.Params.Add("x.pe", addr)
	}
	var file bytes.Buffer
	if err := mi.Write(&file); err != nil {
		return err
	}
	if err := s.Ready(link.String(), file.Bytes()); err != nil {
		return err
	}
	return sw.serve(ctx, Status{Hash: spec.InfoHash.HexString(), Name: shownName(info), Files: len(all), Bytes: l.bytes, Have: l.bytes, Done: true}, func(st Status) {
		if s.See != nil {
			s.See(st)
		}
	})
}

// maxAddresses is how many addresses are in a link.
const maxAddresses = 4

// addresses are those of this computer that others may reach.
func (s Seed) addresses(port int) (all []string) {
	if host, _, err := net.SplitHostPort(s.Listen); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			return []string{net.JoinHostPort(host, strconv.Itoa(port))}
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // it is found in other ways
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && len(all) < maxAddresses {
			all = append(all, net.JoinHostPort(n.IP.String(), strconv.Itoa(port)))
		}
	}
	return all
}
