package inet

import "io"

// The methods here keep io.Copy from one Conn to another inside the kernel: they
// let package net see its own types, for which it uses splice(2) and sendfile(2). A
// net.UnixConn is neither an io.ReaderFrom nor an io.WriterTo.

// ReadFrom implements [io.ReaderFrom].
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	nc, err := c.conn("write")
	if err != nil {
		return 0, err
	}
	rf, ok := nc.(io.ReaderFrom)
	if !ok {
		return io.Copy(nc, r)
	}
	switch src := r.(type) {
	case *Conn:
		inner, err := src.conn("read")
		if err != nil {
			return 0, err
		}
		return rf.ReadFrom(inner)
	case *io.LimitedReader: // as in io.CopyN
		if from, ok := src.R.(*Conn); ok {
			inner, err := from.conn("read")
			if err != nil {
				return 0, err
			}
			limited := io.LimitedReader{R: inner, N: src.N}
			n, err := rf.ReadFrom(&limited)
			src.N = limited.N
			return n, err
		}
	}
	return rf.ReadFrom(r)
}

// WriteTo implements [io.WriterTo].
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	nc, err := c.conn("read")
	if err != nil {
		return 0, err
	}
	if to, ok := w.(*Conn); ok {
		if w, err = to.conn("write"); err != nil {
			return 0, err
		}
	}
	if wt, ok := nc.(io.WriterTo); ok {
		return wt.WriteTo(w)
	}
	if rf, ok := w.(io.ReaderFrom); ok {
		return rf.ReadFrom(nc)
	}
	return io.Copy(w, nc)
}
