package scan

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// A cache has the records of a directory that was shared, or of all files that were shared
// one by one in the same directory, in a file of the folder trees. As they are in the order of the walk, the old ones are read, and new ones written to
// another file, while it goes on, and no more than one is in memory.
//
// The new file takes the place of the old ones only when it has all that they have. If
// that does not come, since the process is killed, the next one reads both.
type cache struct {
	dir  string   // of all caches
	of   string   // the directory; with a slash behind it, the files in it
	tops []string // their names, or the directory's: what is shared this time

	olds  []*records // the newest first
	names []string   // of their files

	file *os.File
	out  *bufio.Writer
	size int64
	last string // path of the last record
	buf  []byte
}

// maxOlds is how many files are read of those that were left behind.
const maxOlds = 4

func treesDir(dir string) string { return filepath.Join(dir, "trees") }

// makeCache makes the directories.
func makeCache(dir string) error {
	return errors.Join(os.MkdirAll(treesDir(dir), 0o700), os.MkdirAll(nodesDir(dir), 0o700))
}

// open opens what is there and begins with the new.
func (c *cache) open() error {
	key := tree.Sum([]byte(c.of)).String()[:32]
	found, _ := filepath.Glob(filepath.Join(treesDir(c.dir), key+"-*")) //nolint:errcheck // the pattern is right
	times := map[string]int64{}
	for _, name := range found {
		if i, err := os.Lstat(name); err == nil {
			times[name] = i.ModTime().UnixNano()
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(times[b], times[a]) })
	for i, name := range found {
		c.names = append(c.names, name)
		if f, err := os.Open(name); err == nil && i < maxOlds {
			c.olds = append(c.olds, newRecords(f))
		}
	}
	var err error
	if c.file, err = os.CreateTemp(treesDir(c.dir), key+"-"); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	c.out = bufio.NewWriterSize(c.file, 64<<10)
	n, err := c.out.WriteString(recordMagic)
	c.size = int64(n)
	return err
}

// find returns the record of a file, or nil, and gives those that come before it and are
// still good to keep. It is called in the order of the manifest.
func (c *cache) find(path string, keep func(*record)) *record {
	for {
		r := c.next(path)
		switch {
		case r == nil:
			return nil
		case r.path == path:
			return r
		case c.good(r):
			keep(r)
		}
	}
}

// good tells whether a record that nobody has asked for is of something that was not shared
// this time. Others are of files that are gone.
func (c *cache) good(r *record) bool {
	name, _, _ := strings.Cut(r.path, "/")
	return !slices.Contains(c.tops, name)
}

// next takes the next of the old records, up to a path; the newest, if there are several of
// one file. It returns nil if there is none. Without a path, all are taken.
func (c *cache) next(path string) *record {
	var first *record
	for _, o := range c.olds {
		if o.next != nil && (first == nil || manifest.Compare(o.next.path, first.path) < 0) {
			first = o.next
		}
	}
	if first == nil || path != "" && manifest.Compare(first.path, path) > 0 {
		return nil
	}
	for _, o := range c.olds {
		if o.next != nil && o.next.path == first.path {
			o.advance()
		}
	}
	return first
}

// add writes a record and returns where its nodes are.
func (c *cache) add(r *record) (at int64, err error) {
	body := r.append(c.buf[:0], c.last)
	c.buf, c.last = body, r.path
	head := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), uint64(len(body)))
	at = c.size + int64(len(head)+len(body)-len(r.nodes))
	sum := binary.LittleEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli))
	for _, b := range [][]byte{head, body, sum} {
		n, err := c.out.Write(b)
		c.size += int64(n)
		if err != nil {
			return 0, fmt.Errorf("cache: %w", err)
		}
	}
	return at, nil
}

// flush has everything that was written in the file.
func (c *cache) flush() error {
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

// finish writes what is still to be kept, which is everything if the walk was not complete,
// and throws the old files away.
func (c *cache) finish(complete bool) error {
	for r := c.next(""); r != nil; r = c.next("") {
		if complete && !c.good(r) {
			continue
		}
		if _, err := c.add(r); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.closeOlds()
	for _, name := range c.names {
		os.Remove(name) //nolint:errcheck // the next one tries again
	}
	c.names = nil
	return nil
}

func (c *cache) closeOlds() {
	for _, o := range c.olds {
		o.file.Close() //nolint:errcheck // it was only read
	}
	c.olds = nil
}

// close lets go of the files. A Scan that never ran leaves none behind.
func (c *cache) close() error {
	c.closeOlds()
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	if c.last == "" {
		err = errors.Join(err, os.Remove(c.file.Name()))
	}
	return err
}
