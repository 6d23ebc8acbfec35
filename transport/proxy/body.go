package proxy

import (
	"errors"
	"io"

	"github.com/tenon-net/tenon/transport"
)

// A body is how the end of a request's body is found.
type body struct {
	chunked bool
	given   bool  // there was a Content-Length
	length  int64 // in bytes, of what is left
	chunks  chunks
}

// scan returns how many bytes of p belong to the body, and whether it ends there.
func (b *body) scan(p []byte) (n int, done bool, err error) {
	if b.chunked {
		return b.chunks.scan(p)
	}
	n = int(min(b.length, int64(len(p))))
	b.length -= int64(n)
	return n, b.length == 0, nil
}

// A requestReader reads one request, head and body, and no byte of another one.
// After the body it waits: some servers take the end of a request's connection for
// a client that has lost interest. The end comes when the client ends its side, or
// begins another request, which is dropped: the connection is for one.
type requestReader struct {
	head []byte // rewritten, what is left of it
	src  io.Reader
	body body
	done bool
	err  error // that follows; sticky
}

func newRequestReader(r *request, early []byte, s transport.Stream) *requestReader {
	rr := &requestReader{head: r.head(), src: s, body: r.body}
	if len(early) > 0 {
		rr.src = &glued{stream: s, early: early}
	}
	rr.done = !r.body.chunked && r.body.length == 0
	return rr
}

func (r *requestReader) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	if len(p) == 0 {
		return 0, r.err
	}
	for r.err == nil {
		n, err := r.src.Read(p)
		if r.done {
			if err != nil {
				return 0, err // not kept: a deadline can be moved
			}
			if !blank(p[:n]) {
				r.err = io.EOF
			}
			continue
		}
		used, done, bad := r.body.scan(p[:n])
		switch {
		case bad != nil:
			r.err = bad
		case done:
			r.done = true
			if !blank(p[used:n]) {
				r.err = io.EOF
			}
		case errors.Is(err, io.EOF):
			r.err = io.ErrUnexpectedEOF // so that the server does not take it for whole
		case err != nil:
			return used, err
		}
		if used > 0 {
			return used, nil
		}
	}
	return 0, r.err
}

// blank tells whether p is nothing but ends of lines, which some clients send
// after a body (RFC 9112, section 2.2).
func blank(p []byte) bool {
	for _, c := range p {
		if c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}
