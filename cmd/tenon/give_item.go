//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/gift"
	"github.com/tenon-net/tenon/transport"
)

// An item is one address of tenon give.
type item struct {
	name      string // of its descriptors
	addr      string // as the user wrote it
	what      string // canonical, without secrets
	listens   bool
	inherited bool    // this process was started with it
	shared    bool    // it is opened once, whoever comes
	open      *opened // nil if it is opened for each taker
}

// opened is an open end and the files that it is.
type opened struct {
	end   io.Closer
	files []*os.File
}

// travelling are the options of every end that have had their effect when it is
// open. All others are what this process does, and would be lost.
var travelling = []string{"connect-timeout", "retry", "interval", "via", "resolve", "send-proxy"}

// newItem reads [NAME=]ADDRESS, and refuses what can't be given before anything is
// opened.
func newItem(arg, name string) (*item, error) {
	i := &item{name: name, addr: arg}
	if before, after, ok := strings.Cut(arg, "="); ok && isPlainName(before) {
		i.name, i.addr = before, after
	}
	if isNumber(i.addr) {
		return nil, usageError(i.addr+" is no address", "a port to listen on is written tcp-listen:"+i.addr+", an inherited descriptor fd:"+i.addr)
	}
	e, err := newOpener().Explain(i.addr)
	if err != nil {
		return nil, err
	}
	base := e.Parts[len(e.Parts)-1].Kind
	kind, _ := kinds().Lookup(base)
	i.what, i.listens, i.inherited = e.Address, e.Listens, kind.Traits.Once
	i.shared = i.listens || i.inherited
	fail := func(msg, hint string) error {
		return &tenon.Error{Op: "give", End: i.what, Err: usageError(msg, hint)}
	}
	switch {
	case len(e.Parts) > 1:
		return nil, fail("the layer "+e.Parts[0].Kind+" is in the process that opened it, and can't be handed over", "give what is beneath it, and let the taker do the rest")
	case kind.Traits.Programs:
		return nil, fail("a program belongs to the process that started it, and can't be handed over", "")
	}
	for _, o := range e.Common {
		if o.Given && !slices.Contains(travelling, o.Name) {
			return nil, fail(o.Name+" is what this process would do, and does not go with the descriptor", "let the taker do it")
		}
	}
	return i, nil
}

// isPlainName tells a name in front of "=" from an address that has options.
func isPlainName(s string) bool {
	return s != "" && len(s) <= gift.MaxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// openOnce opens the end and gets at its files.
func (i *item) openOnce(ctx context.Context, o *tenon.Opener) (*opened, error) {
	var end io.Closer
	var err error
	if i.listens {
		end, err = o.Listen(ctx, i.addr)
	} else {
		end, err = o.Dial(ctx, i.addr)
	}
	if err != nil {
		return nil, err
	}
	made := &opened{end: end}
	made.files, err = filesOf(end)
	if err == nil && !i.inherited {
		err = block(made.files)
	}
	if err != nil {
		made.close()
		return nil, &tenon.Error{Op: "give", End: i.what, Err: err}
	}
	return made, nil
}

// filesOf returns the files that an open end is.
func filesOf(end io.Closer) ([]*os.File, error) {
	f, ok := end.(transport.Filer)
	if c, isConn := end.(transport.Conn); isConn && !ok {
		f, ok = transport.As[transport.Filer](c)
		if d, detaches := transport.As[transport.Detacher](c); !ok && detaches {
			fd, err := d.Detach()
			if err != nil {
				return nil, noFiles(err)
			}
			return []*os.File{os.NewFile(uintptr(fd), "detached")}, nil
		}
	}
	if !ok {
		return nil, noFiles(errors.ErrUnsupported)
	}
	files, err := f.Files()
	return files, noFiles(err)
}

// noFiles explains that an end is not made of descriptors alone.
func noFiles(err error) error {
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err == errors.ErrUnsupported {
		err = transport.Mark(errors.New("it is not one descriptor that another program could use alone"), err)
	}
	if transport.Hint(err) == "" {
		err = transport.WithHint(err, "sockets of tcp and unix, files and fd:N can be given")
	}
	return transport.Mark(err, transport.ErrUsage)
}

// block has reads and writes wait, as programs expect of what they inherit.
func block(files []*os.File) error {
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		if cerr := raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), false) }); cerr != nil || err != nil {
			return errors.Join(cerr, err)
		}
	}
	return nil
}

// close closes the end and its files.
func (o *opened) close() {
	for _, f := range o.files {
		f.Close()
	}
	o.end.Close()
}

// finish closes what is open. If it has been taken, the name of a socket in the
// file system belongs to the taker from now on: the end is left for the exit of
// the process to close, because its Close would remove the name.
func (i *item) finish(taken bool) {
	if i.open != nil && !(taken && i.listens) {
		i.open.close()
	}
}
