package image

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// carrier returns a file with an image.
func carrier(t *testing.T, image string) []byte {
	t.Helper()
	b := bytes.NewBufferString("the program")
	if err := Append(b, strings.NewReader(image)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAppendAndFind(t *testing.T) {
	file := carrier(t, "the image")
	i, err := Find(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(file[i.Offset : i.Offset+i.Length]); got != "the image" {
		t.Errorf("found %q", got)
	}
	if err := i.Check(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
}

func TestNone(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", 1000)} {
		if _, err := Find(strings.NewReader(text), int64(len(text))); !errors.Is(err, ErrNone) {
			t.Errorf("in %d bytes: %v", len(text), err)
		}
	}
}

// Any byte of the image or the trailer that changes is noticed, at the latest by Check.
func TestDamaged(t *testing.T) {
	whole := carrier(t, "the image")
	for at := len("the program"); at < len(whole); at++ {
		file := bytes.Clone(whole)
		file[at] ^= 0x40
		i, err := Find(bytes.NewReader(file), int64(len(file)))
		if err == nil {
			err = i.Check(bytes.NewReader(file))
		}
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNone) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	for n := range whole {
		if i, err := Find(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Errorf("cut to %d bytes: found %v", n, i)
		}
	}
}

func FuzzFind(f *testing.F) {
	var b bytes.Buffer
	if err := Append(&b, strings.NewReader("image")); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[1:])
	f.Fuzz(func(t *testing.T, file []byte) {
		i, err := Find(bytes.NewReader(file), int64(len(file)))
		if err == nil && (i.Offset < 0 || i.Length < 0 || i.Offset+i.Length > int64(len(file))) {
			t.Fatalf("%v in %d bytes", i, len(file))
		}
	})
}
