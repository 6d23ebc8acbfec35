// Package image puts a program at the end of another one's file, and finds it there:
// so that a release is one file to copy, and a program that most runs have no use for
// costs them nothing. It does not start programs.
//
// What stands behind the first program is
//
//	image     any number of bytes
//	sha256    32 bytes, of the image
//	length    8 bytes, of the image, big endian
//	magic     16 bytes
//
// An ELF loader, and those of other systems, do not look at what stands there.
package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic ends a file that has an image.
const magic = "tenon:image:0001"

// trailer is the length of what stands behind the image.
const trailer = sha256.Size + 8 + len(magic)

// ErrNone: there is no image in the file.
var ErrNone = errors.New("no image")

// ErrDamaged: there is one, and it is not what it was.
var ErrDamaged = errors.New("the image at the end of the file is damaged")

// An Image is where an image is in a file.
type Image struct {
	Offset int64
	Length int64
	Sum    [sha256.Size]byte
}

// Append writes an image and its trailer. What has been written to w before is the
// program that carries it.
func Append(w io.Writer, image io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), image)
	if err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint64(h.Sum(nil), uint64(n))
	_, err = w.Write(append(end, magic...))
	return err
}

// Find looks for an image in a file of that size. The error is [ErrNone] if there is
// none, or matches [ErrDamaged].
func Find(f io.ReaderAt, size int64) (Image, error) {
	end := make([]byte, trailer)
	if size < int64(len(end)) {
		return Image{}, ErrNone
	}
	if _, err := f.ReadAt(end, size-int64(len(end))); err != nil {
		return Image{}, err
	}
	sum, rest := end[:sha256.Size], end[sha256.Size:]
	if string(rest[8:]) != magic {
		return Image{}, ErrNone
	}
	n := binary.BigEndian.Uint64(rest)
	if n == 0 || n > uint64(size)-uint64(len(end)) {
		return Image{}, fmt.Errorf("%w: it is said to have %d bytes", ErrDamaged, n)
	}
	return Image{size - int64(len(end)) - int64(n), int64(n), [sha256.Size]byte(sum)}, nil
}

// Check reads the image and tells whether it is what was appended.
func (i Image) Check(f io.ReaderAt) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, i.Offset, i.Length)); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), i.Sum[:]) {
		return fmt.Errorf("%w: its SHA-256 is another one", ErrDamaged)
	}
	return nil
}

// CopyTo writes the image.
func (i Image) CopyTo(w io.Writer, f io.ReaderAt) error {
	_, err := io.Copy(w, io.NewSectionReader(f, i.Offset, i.Length))
	return err
}
