//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// A file is handed on where reading or writing would go on.
func TestFilesOfFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	seek := Offset{}
	if err := seek.UnmarshalText([]byte("2")); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*File{
		"read":   {Path: path},
		"seek":   {Path: path, Seek: seek},
		"append": {Path: path, Append: true},
		"write":  {Path: path, Write: true, Truncate: opt.Off, Seek: seek},
		"lock":   {Path: path, Lock: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := e.Dial(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			files, err := c.(transport.Filer).Files()
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			defer files[0].Close()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"read": "0123456789", "seek": "23456789", "append": "0123456789x", "write": "01x3456789", "lock": "0123456789"}[name]
			if !e.writes() {
				got, err := io.ReadAll(files[0])
				if string(got) != want || err != nil {
					t.Errorf("read %q, %v; want %q", got, err, want)
				}
				return
			}
			if _, err := files[0].WriteString("x"); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); string(got) != want || err != nil {
				t.Errorf("the file has %q, %v; want %q", got, err, want)
			}
		})
	}
}

// Reading and then handing on loses and repeats nothing.
func TestFilesAfterReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := (&File{Path: path}).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadFull(c.(io.Reader), make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	files, err := c.(transport.Filer).Files()
	if err != nil {
		t.Fatal(err)
	}
	defer files[0].Close()
	if got, err := io.ReadAll(files[0]); string(got) != "456789" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestFilesOfDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, 3) // as if it had been inherited
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	c, err := (&FD{FD: n}).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.(transport.Filer).Files()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	files[0].WriteString("through")
	files[0].Close()
	if got, err := io.ReadAll(r); string(got) != "through" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

// What this process does something about can't be handed on.
func TestFilesUnsupported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]transport.Dialer{
		"atomic": &File{Path: path, Atomic: true},
		"follow": &File{Path: path, Follow: true},
		"sync":   &File{Path: path, Write: true, Sync: true},
		"null":   new(Null),
		"echo":   new(Echo),
	} {
		c, err := d.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if files, err := c.(transport.Filer).Files(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, %v; want ErrUnsupported", name, files, err)
		}
		c.Close()
		if files, err := c.(transport.Filer).Files(); err == nil {
			t.Errorf("%s: %v after Close", name, files)
		}
	}
}
