package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// taps are those who look on at the joints of a call: --dump, --tee and --pcap.
type taps struct {
	each  []func(joint uint64, a, b transport.Conn) join.Tap
	errs  []func() error // why a tap has stopped writing
	files []*os.File
}

// newTaps opens the files that the flags name.
func newTaps(stderr io.Writer, f *jointFlags) (*taps, error) {
	t := &taps{}
	for _, spec := range f.dump {
		if err := t.dump(stderr, spec); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	for _, spec := range f.tee {
		if err := t.tee(spec); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	if f.pcap != "" {
		if err := t.pcap(f.pcap); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

// of returns the taps of a joint.
func (t *taps) of(joint uint64, a, b transport.Conn) []join.Tap {
	var out []join.Tap
	for _, tap := range t.each {
		out = append(out, tap(joint, a, b))
	}
	return out
}

// close closes the files. All joints have ended.
func (t *taps) close() error {
	var errs []error
	for _, err := range t.errs {
		errs = append(errs, err())
	}
	for _, f := range t.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (t *taps) create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		t.files = append(t.files, f)
	}
	return f, err
}

// dump adds --dump hex, text, hex:FILE, text:FILE or FILE.
func (t *taps) dump(stderr io.Writer, spec string) error {
	format, path, named := strings.Cut(spec, ":")
	switch {
	case format != "hex" && format != "text":
		format, path = "hex", spec
	case named && path == "":
		return usageError("--dump "+spec+": the name of the file is missing", "")
	}
	w := stderr
	if path != "" {
		f, err := t.create(path)
		if err != nil {
			return err
		}
		w = f
	}
	d := join.HexDump(w)
	if format == "text" {
		d = join.TextDump(w)
	}
	t.errs = append(t.errs, d.Err)
	t.each = append(t.each, func(joint uint64, _, _ transport.Conn) join.Tap { return d.Joint(fmt.Sprint(joint)) })
	return nil
}

// tee adds --tee FILE, in:FILE or out:FILE.
func (t *taps) tee(spec string) error {
	var directions []join.Direction
	path := spec
	if rest, ok := strings.CutPrefix(spec, "out:"); ok {
		path, directions = rest, []join.Direction{join.AB}
	} else if rest, ok := strings.CutPrefix(spec, "in:"); ok {
		path, directions = rest, []join.Direction{join.BA}
	}
	f, err := t.create(path)
	if err != nil {
		return err
	}
	r := join.Tee(f, directions...)
	t.errs = append(t.errs, r.Err)
	t.each = append(t.each, func(uint64, transport.Conn, transport.Conn) join.Tap { return r })
	return nil
}

// pcap adds --pcap FILE.
func (t *taps) pcap(path string) error {
	f, err := t.create(path)
	if err != nil {
		return err
	}
	p, err := join.NewPcap(f)
	if err != nil {
		return err
	}
	t.errs = append(t.errs, p.Err)
	t.each = append(t.each, func(_ uint64, a, b transport.Conn) join.Tap {
		_, msgs := a.(transport.MsgConn)
		_, others := b.(transport.MsgConn)
		return p.Conversation(a.RemoteAddr(), b.RemoteAddr(), msgs && others)
	})
	return nil
}
