package inet

import "io"

// The methods here keep io.Copy from one Conn to another inside the kernel: they
// let package net see its own types, for which it uses splice(2) and sendfile(2). A
// net.UnixConn is neither an io.ReaderFrom nor an io.WriterTo.

// forCopy returns the connection of package net.
func (c *Conn) forCopy(op string) (streamConn, error) {
	nc, err := c.conn(op)
	if err != nil {
		return nil, err
	}
	if s, ok := nc.(interface{ forCopy() (streamConn, error) }); ok {
		nc, err = s.forCopy()
	}
	return nc, err
}

// ReadFrom implements [io.ReaderFrom].
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	nc, err := c.forCopy("write")
	if err != nil {
		return 0, err
	}
	rf, ok := nc.(io.ReaderFrom)
	if !ok {
		return io.Copy(nc, r)
	}
	switch src := r.(type) {
	case *Conn:
		inner, err := src.forCopy("read")
		if err != nil {
			return 0, err
		}
		return rf.ReadFrom(inner)
	case *io.LimitedReader: // as in io.CopyN
		if from, ok := src.R.(*Conn); ok {
			inner, err := from.forCopy("read")
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
	nc, err := c.forCopy("read")
	if err != nil {
		return 0, err
	}
	if to, ok := w.(*Conn); ok {
		if w, err = to.forCopy("write"); err != nil {
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
