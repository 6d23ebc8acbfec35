package wslayer

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
	"sync"
)

// Compression of messages (RFC 7692), always without context takeover: a context
// costs every connection some hundred kilobytes, and lets a guess at a secret be
// checked against what else was sent.

// deflateMin is the length in bytes from which compression is tried.
const deflateMin = 128

// deflateTail ends each message on the wire and is left away (section 7.2.1). The
// last block after it makes the end known to package flate.
const (
	deflateTail  = "\x00\x00\xff\xff"
	deflateFinal = "\x01\x00\x00\xff\xff"
)

// A packer compresses one message.
type packer struct {
	w   *flate.Writer
	buf bytes.Buffer
}

var packers = sync.Pool{New: func() any {
	p := new(packer)
	p.w, _ = flate.NewWriter(&p.buf, flate.BestSpeed) // the level is in range
	return p
}}

func pack(msg []byte) *packer {
	p := packers.Get().(*packer)
	p.buf.Reset()
	p.w.Reset(&p.buf)
	_, _ = p.w.Write(msg) // a Buffer takes everything
	_ = p.w.Flush()
	return p
}

// bytes returns the compressed message, until release.
func (p *packer) bytes() []byte {
	return bytes.TrimSuffix(p.buf.Bytes(), []byte(deflateTail))
}

func (p *packer) release() {
	if p.buf.Cap() <= 1<<20 {
		packers.Put(p)
	}
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// inflate decompresses the message in c.in.saved into dst, up to its capacity or,
// with grow, as far as it takes. What does not fit is looked at and lost; more than
// the limit is a failure, so that a small message cannot become a large one.
func (c *Conn) inflate(dst []byte, grow bool) (out []byte, short bool, err error) {
	c.in.saved = append(append(c.in.saved, deflateTail...), deflateFinal...)
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(c.in.saved), nil); err != nil {
		return nil, false, err
	}
	var scratch [512]byte
	for total := int64(0); ; {
		if grow {
			dst = slices.Grow(dst, 1)
		}
		room := dst[len(dst):cap(dst)]
		full := len(room) == 0
		if full {
			room = scratch[:]
		}
		k, err := r.Read(room)
		if total += int64(k); total > c.max {
			return nil, false, &failure{StatusTooBig, "a message is longer than the limit"}
		}
		if c.in.op == opText && !c.in.text.write(room[:k]) {
			return nil, false, errBadText
		}
		if !full {
			dst = dst[:len(dst)+k]
		} else if k > 0 {
			short = true
		}
		if err == io.EOF {
			return dst, short, nil
		}
		if err != nil {
			return nil, false, &failure{StatusInvalidData, "a message is not compressed as it should be"}
		}
	}
}
