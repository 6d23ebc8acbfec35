package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// taps are what records the joints of a call: --dump, --tee and --pcap.
type taps struct {
	each    []func(joint uint64, a, b transport.Conn) join.Tap
	records []*record
	failed  func(error)
}

// newTaps opens the files that the flags name. It calls failed when one of them cannot
// be written any more, and again at the end of a call that has failed otherwise.
func newTaps(stderr io.Writer, f *jointFlags, failed func(error)) (*taps, error) {
	if err := tapUsage(f); err != nil {
		return nil, err
	}
	t := &taps{failed: failed}
	if err := t.open(stderr, f); err != nil {
		t.close()
		return nil, err
	}
	for _, r := range t.records {
		r.failed = failed
	}
	return t, nil
}

// tapUsage refuses flags that would do nothing.
func tapUsage(f *jointFlags) error {
	some := len(f.dump) > 0 || len(f.tee) > 0 || f.pcap != ""
	switch {
	case f.required && !some:
		return usageError("--tap-required needs --dump, --tee or --pcap", "for example: --pcap file.pcapng --tap-required")
	case some && (f.chat || f.broadcast):
		return usageError("--dump, --tee and --pcap look on at joints of two ends; --chat and --broadcast have many",
			"another end can listen: tenon listen 9000 FILE --broadcast")
	}
	return nil
}

func (t *taps) open(stderr io.Writer, f *jointFlags) error {
	for _, spec := range f.dump {
		if err := t.dump(stderr, spec); err != nil {
			return err
		}
	}
	for _, spec := range f.tee {
		if err := t.tee(spec); err != nil {
			return err
		}
	}
	if f.pcap != "" {
		return t.pcap(f.pcap)
	}
	return nil
}

// of returns the taps of a joint.
func (t *taps) of(joint uint64, a, b transport.Conn) []join.Tap {
	for _, r := range t.records {
		r.begin(a, b)
	}
	var out []join.Tap
	for _, tap := range t.each {
		out = append(out, tap(joint, a, b))
	}
	return out
}

// end closes the files when all joints have ended, and says which of them are not whole.
// Err is how the call ended; if it ended well, that is its error.
func (t *taps) end(err error) error {
	t.close()
	var lost []error
	for _, r := range t.records {
		if r.Err() != nil && !errors.Is(err, r.Err()) {
			lost = append(lost, fmt.Errorf("not all was recorded: %w", r.Err()))
		}
	}
	if err == nil {
		return errors.Join(lost...)
	}
	for _, l := range lost {
		t.failed(l)
	}
	return err
}

func (t *taps) close() {
	for _, r := range t.records {
		r.close()
	}
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
	w, err := t.record("--dump "+spec, path, stderr)
	if err != nil {
		return err
	}
	d := join.HexDump(w)
	if format == "text" {
		d = join.TextDump(w)
	}
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
	if path == "" {
		return usageError("--tee "+spec+": the name of the file is missing", "")
	}
	w, err := t.record("--tee "+spec, path, nil)
	if err != nil {
		return err
	}
	r := join.Tee(w, directions...)
	t.each = append(t.each, func(uint64, transport.Conn, transport.Conn) join.Tap { return r })
	return nil
}

// pcap adds --pcap FILE.
func (t *taps) pcap(path string) error {
	w, err := t.record("--pcap "+path, path, nil)
	if err != nil {
		return err
	}
	p, err := join.NewPcap(w)
	if err != nil {
		return err
	}
	t.each = append(t.each, func(_ uint64, a, b transport.Conn) join.Tap {
		_, msgs := a.(transport.MsgConn)
		_, others := b.(transport.MsgConn)
		return p.Conversation(a.RemoteAddr(), b.RemoteAddr(), msgs && others)
	})
	return nil
}
