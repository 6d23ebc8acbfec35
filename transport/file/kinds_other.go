//go:build !unix

package file

import (
	"context"
	"errors"
	"os"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// Stdio reads from standard input and writes to standard output.
type Stdio struct{}

var _ transport.Dialer = (*Stdio)(nil)

// Bind binds nothing.
func (*Stdio) Bind(*opt.Set) {}

// Dial takes over standard input and output. Here Close does not end a Read of a
// console.
func (*Stdio) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := newStream("-", "stdio", os.Stdin, fileOut{File: os.Stdout})
	s.noDeadlines = true
	return s, nil
}

// File reads a file.
type File struct {
	Path   string
	Create bool // write, and make the file if it does not exist
}

var _ transport.Dialer = (*File)(nil)

// Bind binds the options, and the target as the path.
func (e *File) Bind(s *opt.Set) {
	s.Target(opt.Text, "PATH", pathTarget(&e.Path))
	s.Bool(&e.Create, "create", "write, and make the file if it does not exist")
}

// Dial opens the file.
func (e *File) Dial(ctx context.Context) (transport.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e.Path == "" {
		return nil, transport.Mark(errors.New("a path is missing"), transport.ErrUsage)
	}
	s := newStream("file", e.Path, nil, nil)
	s.noDeadlines = true
	if e.Create {
		f, err := os.Create(e.Path)
		if err != nil {
			return nil, bare(err)
		}
		s.out = fileOut{File: f}
		return s, nil
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return nil, bare(err)
	}
	s.in = f
	return s, nil
}

// systemKinds returns what there is of the kinds that need a Unix system.
func systemKinds() transport.Kinds {
	return transport.Kinds{
		{
			Name: "-", Aliases: []string{"stdio"}, Syntax: "-", Traits: transport.Traits{HalfClose: true, Once: true},
			Doc:     "Standard input and output.",
			Example: "-",
			New:     func() transport.Endpoint { return new(Stdio) },
		},
		{
			Name: "file", Syntax: "file:PATH", Traits: transport.Traits{HalfClose: true, OneWay: true},
			Doc:     "Reads a file or, with create, writes one.",
			Example: "file:received,create",
			New:     func() transport.Endpoint { return new(File) },
		},
	}
}
