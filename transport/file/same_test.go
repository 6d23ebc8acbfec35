//go:build unix

package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// A joint whose one end reads the file that the other one writes would go on until the
// disk is full, or empty the file first. All ways to write it are refused, whichever
// end is opened first, and the file stays as it was.
func TestSameFile(t *testing.T) {
	const content = "precious"
	path := written(t, content)
	dir := filepath.Dir(path)
	hard, soft := filepath.Join(dir, "hard"), filepath.Join(dir, "soft")
	if err := errors.Join(os.Link(path, hard), os.Symlink(path, soft)); err != nil {
		t.Fatal(err)
	}
	fd := func(flags int) int {
		n, err := unix.Open(path, flags, 0) // not closed on exec(2), as what a shell opens
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// open opens what a text stands for, as the end that is joined to other.
	open := func(text string, other transport.Conn) (transport.Conn, error) {
		ctx := transport.WithOther(context.Background(), other)
		if other == nil {
			ctx = context.Background()
		}
		switch text {
		case "< f":
			return takeOver(ctx, "-", "stdio", fd(unix.O_RDONLY), -1, false)
		case ">> f":
			return takeOver(ctx, "-", "stdio", -1, fd(unix.O_WRONLY|unix.O_APPEND), false)
		case "fd: < f":
			return (&FD{FD: fd(unix.O_RDONLY)}).Dial(ctx)
		case "fd: >> f":
			return (&FD{FD: fd(unix.O_WRONLY | unix.O_APPEND)}).Dial(ctx)
		}
		e, err := transporttest.Fill(kindOf(t, "file"), text)
		if err != nil {
			t.Fatal(err)
		}
		return e.(transport.Dialer).Dial(ctx)
	}
	readers := []string{"file:" + path, "file:" + hard, "file:" + soft + ",follow", "file:" + path + ",rdwr", "< f", "fd: < f"}
	writers := []string{"file:" + path + ",create,append", "file:" + hard + ",append", "file:" + soft + ",write", "file:" + path + ",create",
		"file:" + path + ",rdwr,append", ">> f", "fd: >> f"}
	for _, reader := range readers {
		for _, writer := range writers {
			first, err := open(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if second, err := open(writer, first); !errors.Is(err, transport.ErrUsage) || transport.Hint(err) == "" {
				t.Errorf("%s and %s: error %v, want one about usage, and a hint", reader, writer, err)
				if err == nil {
					second.Close()
				}
			}
			first.Close()
			wantContent(t, path, content)
		}
	}
	appending, err := open(writers[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	defer appending.Close()
	for _, reader := range readers {
		if c, err := open(reader, appending); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s and %s: error %v, want one about usage", writers[0], reader, err)
			if err == nil {
				c.Close()
			}
		}
	}
}

// What looks alike is not the same: another file, two ends that both read or both
// write, a file that is replaced when it is complete, a device.
func TestOtherFile(t *testing.T) {
	path, other := written(t, "x"), written(t, "y")
	for _, pair := range [][2]string{
		{"file:" + path, "file:" + other + ",append"},
		{"file:" + path, "file:" + path},
		{"file:" + path + ",append", "file:" + path + ",append"},
		{"file:" + path, "file:" + path + ",atomic"},
		{"file:/dev/null", "file:/dev/null,write"},
	} {
		first := opened(t, pair[0])
		e, err := filled(t, pair[1])
		if err != nil {
			t.Fatal(err)
		}
		c, err := e.Dial(transport.WithOther(t.Context(), first))
		if err != nil {
			t.Errorf("%s: %v", strings.Join(pair[:], " and "), err)
			continue
		}
		transport.Abort(c, nil)
	}
}
