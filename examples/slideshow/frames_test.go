package main

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// jpegOf is a picture of one colour.
func jpegOf(t testing.TB, width, height int, shade uint8) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: shade + uint8(i%7)}.Y
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSegment puts a segment behind the beginning of a picture.
func withSegment(picture []byte, mark byte, body []byte) []byte {
	n := len(body) + 2
	return slices.Concat(picture[:2], []byte{0xFF, mark, byte(n >> 8), byte(n)}, body, picture[2:])
}

// cut returns all pictures in a stream and what ended it.
func cut(r io.Reader) (pictures [][]byte, err error) {
	for c := newCutter(r); ; {
		p, err := c.next()
		if err != nil {
			return pictures, err
		}
		pictures = append(pictures, p)
	}
}

func TestCutter(t *testing.T) {
	a, b := jpegOf(t, 64, 48, 10), jpegOf(t, 200, 300, 99)
	thumb := withSegment(a, 0xE1, jpegOf(t, 8, 8, 1)) // an end of image that is not this one's
	filled := slices.Concat(a[:2], []byte{0xFF, 0xFF}, a[2:])
	for name, test := range map[string]struct {
		in   []byte
		want [][]byte
		err  error
	}{
		"nothing":              {nil, nil, io.EOF},
		"two":                  {slices.Concat(a, b), [][]byte{a, b}, io.EOF},
		"a picture in it":      {slices.Concat(thumb, b), [][]byte{thumb, b}, io.EOF},
		"fill bytes":           {filled, [][]byte{a}, io.EOF},
		"headers between":      {slices.Concat([]byte("--ffmpeg\r\nContent-type: image/jpeg\r\n\r\n"), a, []byte("\r\n--ffmpeg\r\n\r\n"), b), [][]byte{a, b}, io.EOF},
		"junk with 0xFF":       {slices.Concat([]byte{0xFF, 0x00, 0xFF, 0xFF}, a), [][]byte{a}, io.EOF},
		"cut off":              {slices.Concat(a, b[:len(b)/2]), [][]byte{a}, io.ErrUnexpectedEOF},
		"cut off, then others": {slices.Concat(a[:20], b), nil, errNoPicture},
		"cut off in its data":  {slices.Concat(a[:len(a)-9], b), [][]byte{b}, io.EOF},
		"no picture":           {bytes.Repeat([]byte("text"), maxJunk), nil, errNoPicture},
		"fill without end":     {append(a[:2:2], bytes.Repeat([]byte{0xFF}, 2*maxJunk)...), nil, errNoPicture},
		"no size":              {[]byte{0xFF, 0xD8, 0xFF, 0xD9}, nil, errNoPicture},
		"short segment":        {[]byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 1}, nil, errNoPicture},
		"wide":                 {withSegment(a, 0xC0, []byte{8, 0, 16, 0xFF, 0xFF, 1, 1, 0x11, 0}), nil, errTooLarge},
		"no height":            {withSegment(a, 0xC0, []byte{8, 0, 0, 0, 16, 1, 1, 0x11, 0}), nil, errTooLarge},
		"without end":          {slices.Concat(a[:len(a)-2], make([]byte, maxFrame)), nil, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"whole": bytes.NewReader(test.in), "byte by byte": iotest.OneByteReader(bytes.NewReader(test.in)),
			} {
				got, err := cut(r)
				if !slices.EqualFunc(got, test.want, bytes.Equal) || !errors.Is(err, test.err) {
					t.Errorf("%s: %d pictures and %v, want %d and %v", how, len(got), err, len(test.want), test.err)
				}
			}
		})
	}
}

func FuzzCutter(f *testing.F) {
	a := jpegOf(f, 16, 16, 3)
	f.Add(slices.Concat(a, a))
	f.Add(withSegment(a, 0xE1, a))
	f.Add(withSegment(a, 0xC0, []byte{8, 0, 16, 0xFF, 0xFF, 1, 1, 0x11, 0}))
	f.Add(slices.Concat([]byte("--x\r\n\r\n"), a, []byte{0xFF, 0xFF}, a[:40]))
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 8, 8, 0, 1, 0, 1, 0, 0xFF, 0xDA, 0, 2, 0xFF, 0xD0, 0xFF, 0, 0xFF, 0xD9})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := cut(bytes.NewReader(in))
		if err == nil {
			t.Fatal("no error at the end")
		}
		total := 0
		for _, p := range got {
			total += len(p)
			if len(p) > maxFrame || !bytes.HasPrefix(p, []byte{0xFF, 0xD8}) || !bytes.HasSuffix(p, []byte{0xFF, 0xD9}) {
				t.Errorf("not a picture: %x", p)
			}
		}
		if total > len(in) {
			t.Errorf("%d bytes of pictures in %d bytes", total, len(in))
		}
		again, err2 := cut(iotest.OneByteReader(bytes.NewReader(in)))
		if !slices.EqualFunc(got, again, bytes.Equal) || !errors.Is(err2, err) {
			t.Errorf("byte by byte: %d pictures and %v, whole: %d and %v", len(again), err2, len(got), err)
		}
		rest, err3 := cut(bytes.NewReader(bytes.Join(got, nil)))
		if !slices.EqualFunc(got, rest, bytes.Equal) || err3 != io.EOF {
			t.Errorf("the pictures alone: %d and %v, want %d", len(rest), err3, len(got))
		}
	})
}
