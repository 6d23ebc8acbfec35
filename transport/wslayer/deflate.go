package wslayer

import (
	"compress/flate"
	"errors"
	"io"
	"runtime"
	"sync"
)

// Compression of messages (RFC 7692), always without context takeover: a context
// costs every connection some hundred kilobytes, and lets a guess at a secret be
// checked against what else was sent.

// deflateMin is the length in bytes from which compression is tried.
const deflateMin = 128

// deflateTail ends each message on the wire and is left out (section 7.2.1). The
// last block after it makes the end known to package flate.
const (
	deflateTail  = "\x00\x00\xff\xff"
	deflateFinal = "\x01\x00\x00\xff\xff"
)

// compressing is a semaphore that bounds how many messages are compressed or
// decompressed at the same time: a [flate.Writer] is more than a megabyte. Nobody waits
// for anything while holding it.
var compressing = make(chan struct{}, runtime.NumCPU())

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is in range
	return w
}}

// pack compresses p into a buffer that the caller frees. It returns false if that is no
// shorter than p, or if there is no memory for it: then p is sent as it is.
func (c *Conn) pack(p []byte) (msgBuffer, bool) {
	compressing <- struct{}{}
	defer func() { <-compressing }()
	w := packers.Get().(*flate.Writer)
	defer func() { w.Reset(io.Discard); packers.Put(w) }()
	out := packed{c: c, msgBuffer: msgBuffer{b: takeBuffer()}, limit: len(p)}
	for rest, piece := p, c.window; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
		w.Reset(&out) // the window does not reach back into the piece before
		_, err := w.Write(rest[:min(piece, len(rest))])
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			c.free(&out.msgBuffer)
			return msgBuffer{}, false
		}
	}
	out.b = out.b[:len(out.b)-len(deflateTail)]
	return out.msgBuffer, true
}

// packed collects compressed data, up to the limit.
type packed struct {
	msgBuffer
	c     *Conn
	limit int
}

var errNoGain = errors.New("compressed data is no shorter")

func (o *packed) Write(p []byte) (int, error) {
	n := len(o.b) + len(p)
	if n-len(deflateTail) >= o.limit {
		return 0, errNoGain
	}
	if n > cap(o.b) {
		size := int64(max(n, min(2*n, o.limit+len(deflateTail))))
		if !o.c.share.tryReserve(size) {
			return 0, errNoMemory
		}
		o.c.resize(&o.msgBuffer, size)
	}
	o.b = append(o.b, p...)
	return len(p), nil
}

// An inflater decompresses one message at a time.
type inflater struct {
	r    io.ReadCloser // a flate.Resetter, which reads the inflater's ReadByte
	msg  []byte        // what is left of the message
	tail string        // what is left of what follows it
}

var inflaters = sync.Pool{New: func() any {
	i := new(inflater)
	i.r = flate.NewReader(i)
	return i
}}

// ReadByte makes the inflater a [flate.Reader], which is read no further than to the
// end of a block.
func (i *inflater) ReadByte() (b byte, err error) {
	switch {
	case len(i.msg) > 0:
		b, i.msg = i.msg[0], i.msg[1:]
	case len(i.tail) > 0:
		b, i.tail = i.tail[0], i.tail[1:]
	default:
		err = io.EOF
	}
	return b, err
}

// Read reads what is to be decompressed, where that is stored as it is.
func (i *inflater) Read(p []byte) (n int, err error) {
	switch {
	case len(i.msg) > 0:
		n = copy(p, i.msg)
		i.msg = i.msg[n:]
	case len(i.tail) > 0:
		n = copy(p, i.tail)
		i.tail = i.tail[n:]
	default:
		err = io.EOF
	}
	return n, err
}

func (i *inflater) reset(msg []byte) error {
	i.msg, i.tail = msg, deflateTail+deflateFinal
	return i.r.(flate.Resetter).Reset(i, nil)
}

// next reads what is decompressed. A block that is marked as the last one ends its
// byte, and if the message goes on behind it, so do the blocks (RFC 7692, section
// 7.2.3.4).
func (i *inflater) next(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err == io.EOF && len(i.msg) > 0 {
		err = i.r.(flate.Resetter).Reset(i, nil)
	}
	return n, err
}

// inflate decompresses msg into dst, up to its capacity, and returns the length of the
// whole. What does not fit is checked and dropped; more than the limit is a failure.
func (c *Conn) inflate(dst, msg []byte) (total int64, err error) {
	compressing <- struct{}{}
	defer func() { <-compressing }()
	i := inflaters.Get().(*inflater)
	defer func() { i.msg = nil; inflaters.Put(i) }()
	if len(msg) == 0 {
		return 0, nil // not even the one byte that an empty message has (section 7.2.3.6)
	}
	err = i.reset(msg)
	dst = dst[:cap(dst)]
	var lost []byte
	for err == nil {
		room := dst[min(total, int64(len(dst))):]
		if len(room) == 0 {
			if lost == nil {
				lost = takeBuffer()
				defer giveBuffer(lost)
			}
			room = lost[:cap(lost)]
		}
		var n int
		n, err = i.next(room)
		if total += int64(n); total > c.max {
			return 0, &failure{StatusTooBig, "a message is longer than the limit"}
		}
		if c.in.op == opText && !c.in.text.write(room[:n]) {
			return 0, errBadText
		}
	}
	if err != io.EOF {
		return 0, &failure{StatusInvalidData, "a message is not compressed as it should be"}
	}
	return total, nil
}

// inflateAll decompresses the message in c.in.saved. A long one is decompressed twice:
// the first time only measures it, so that exactly as much memory is reserved as it needs
// before any is used.
func (c *Conn) inflateAll() (msgBuffer, error) {
	msg := c.in.saved.b
	out := msgBuffer{b: takeBuffer()}
	total, err := c.inflate(out.b, msg)
	if err == nil && total > int64(cap(out.b)) {
		c.in.text = utf8Check{}
		if err = c.reserve(total); err == nil {
			c.resize(&out, total)
			_, err = c.inflate(out.b, msg)
		}
	}
	if err != nil {
		c.free(&out)
		return msgBuffer{}, err
	}
	out.b = out.b[:total]
	c.free(&c.in.saved)
	return out, nil
}
