package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds on what a video program may send.
const (
	maxFrame = 4 << 20  // bytes in one picture
	maxSide  = 4096     // pixels of its width and height: a browser pays for each, however few bytes they are
	maxJunk  = 64 << 10 // bytes between two pictures
)

// Errors of a [cutter]. A video program that causes one is not listened to any more.
var (
	errNoPicture = errors.New("what the video program sends is not JPEG pictures")
	errTooLong   = fmt.Errorf("the video program sends a picture of more than %d MiB", maxFrame>>20)
	errTooLarge  = fmt.Errorf("the video program sends a picture that is not 1 to %d pixels wide and high", maxSide)
)

// Markers of JPEG (ITU-T T.81, table B.1), without the 0xFF before them.
const (
	markTEM  = 0x01
	markSOF0 = 0xC0
	markDHT  = 0xC4
	markJPG  = 0xC8
	markDAC  = 0xCC
	markSOFn = 0xCF
	markRST0 = 0xD0
	markRST7 = 0xD7
	markSOI  = 0xD8
	markEOI  = 0xD9
	markSOS  = 0xDA
)

// A cutter cuts a stream of JPEG pictures into pictures. It knows as much of JPEG
// as it takes to find the end of one, also if a smaller picture is inside it. What
// stands between two pictures, such as the headers that `ffmpeg -f mpjpeg` writes,
// is passed over.
type cutter struct {
	r     *bufio.Reader
	frame []byte // of the picture being read
	sized bool   // it has said how large it is
}

func newCutter(r io.Reader) *cutter {
	return &cutter{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next picture, which is the caller's. The error is [io.EOF] at
// the end, if it is not inside a picture.
func (c *cutter) next() ([]byte, error) {
	if err := c.seek(); err != nil {
		return nil, err
	}
	if err := c.picture(); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return bytes.Clone(c.frame), nil
}

// seek reads up to and including the beginning of a picture.
func (c *cutter) seek() error {
	for passed := 0; passed <= maxJunk; {
		junk, err := c.r.ReadSlice(0xFF)
		passed += len(junk)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return err
		}
		mark, err := c.r.ReadByte()
		switch {
		case err != nil:
			return err
		case mark == markSOI:
			c.begin()
			return nil
		case mark == 0xFF:
			_ = c.r.UnreadByte() // follows a ReadByte
		}
	}
	return errNoPicture
}

func (c *cutter) begin() {
	c.frame, c.sized = append(c.frame[:0], 0xFF, markSOI), false
}

// picture reads the rest of a picture, segment by segment (T.81, B.1.1).
func (c *cutter) picture() error {
	mark, err := c.marker()
	for err == nil {
		switch {
		case mark == markSOI: // the one before was cut off
			c.begin()
			mark, err = c.marker()
		case mark == markEOI && c.sized:
			return nil
		case mark == markSOS && c.sized:
			if _, err = c.segment(); err == nil {
				mark, err = c.scan()
			}
		case mark == markEOI, mark == markSOS, mark >= markRST0 && mark <= markRST7, mark == markTEM, mark == 0:
			return errNoPicture
		default:
			var body []byte
			if body, err = c.segment(); err == nil && isSOF(mark) {
				err = c.size(body)
			}
			if err == nil {
				mark, err = c.marker()
			}
		}
	}
	return err
}

func isSOF(mark byte) bool {
	return mark >= markSOF0 && mark <= markSOFn && mark != markDHT && mark != markJPG && mark != markDAC
}

// size looks at the header of a frame (T.81, B.2.2).
func (c *cutter) size(body []byte) error {
	if len(body) < 5 {
		return errNoPicture
	}
	height, width := binary.BigEndian.Uint16(body[1:]), binary.BigEndian.Uint16(body[3:])
	if height == 0 || height > maxSide || width == 0 || width > maxSide {
		return errTooLarge
	}
	c.sized = true
	return nil
}

// marker reads a marker, which any number of 0xFF may come before.
func (c *cutter) marker() (byte, error) {
	b, err := c.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if b != 0xFF {
		return 0, errNoPicture
	}
	return c.mark()
}

// mark reads a marker of which 0xFF has been read.
func (c *cutter) mark() (byte, error) {
	for fill := 0; fill <= maxJunk; fill++ {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != 0xFF {
			return b, c.add(0xFF, b)
		}
	}
	return 0, errNoPicture
}

// segment reads the length of a segment and as much as it says, and returns what
// comes after the length, until the next call of anything.
func (c *cutter) segment() ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[:])) - len(head)
	if n < 0 {
		return nil, errNoPicture
	}
	if err := c.add(head[:]...); err != nil {
		return nil, err
	}
	at := len(c.frame)
	if err := c.add(make([]byte, n)...); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c.r, c.frame[at:])
	return c.frame[at:], err
}

// scan reads coded data up to the marker after it. In coded data 0xFF is followed
// by zero, or by a marker that belongs to it (T.81, B.1.1.5 and B.2.1).
func (c *cutter) scan() (byte, error) {
	for {
		data, err := c.r.ReadSlice(0xFF)
		if err == bufio.ErrBufferFull {
			if err := c.add(data...); err != nil {
				return 0, err
			}
			continue
		}
		if err != nil {
			return 0, err
		}
		if err := c.add(data[:len(data)-1]...); err != nil {
			return 0, err
		}
		mark, err := c.mark()
		if err != nil {
			return 0, err
		}
		if mark != 0 && (mark < markRST0 || mark > markRST7) {
			return mark, nil
		}
	}
}

// add appends to the picture.
func (c *cutter) add(b ...byte) error {
	if len(c.frame)+len(b) > maxFrame {
		return errTooLong
	}
	c.frame = append(c.frame, b...)
	return nil
}
