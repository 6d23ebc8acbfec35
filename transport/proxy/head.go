package proxy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// maxHead is the length in bytes of the longest head of an HTTP message, blank
// line included, that is read.
const maxHead = 64 << 10

// errHeadTooLong is a head that goes on after maxHead bytes.
var errHeadTooLong = fmt.Errorf("the head of the HTTP message is longer than %d bytes", maxHead)

// readHead reads the head of an HTTP message up to its blank line, beginning with
// what has been read already. Rest is what came after the blank line. A head that
// sane, which may be nil, objects to is not read to its end; sane sees at least
// one byte, and all there is so far.
func readHead(r io.Reader, already []byte, sane func([]byte) error) (head, rest []byte, err error) {
	buf := append(make([]byte, 0, max(1024, 2*len(already))), already...)
	for seen := 0; ; {
		if end := headEnd(buf, seen); end > maxHead {
			return nil, nil, errHeadTooLong
		} else if end > 0 {
			return buf[:end], bytes.Clone(buf[end:]), nil
		}
		if len(buf) >= maxHead {
			return nil, nil, errHeadTooLong
		}
		if sane != nil && len(buf) > 0 {
			if err := sane(buf); err != nil {
				return nil, nil, err
			}
		}
		seen = len(buf)
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil {
			return nil, nil, hangup(err)
		}
	}
}

// headEnd returns the length of the head that buf begins with, or 0 if its blank
// line has not come. The first seen bytes are known to be without it. A line ends
// with LF, before which a CR is usual (RFC 9112, section 2.2).
func headEnd(buf []byte, seen int) int {
	for i := max(seen-2, 0); i < len(buf); i++ {
		if buf[i] != '\n' {
			continue
		}
		switch next := buf[i+1:]; {
		case len(next) > 0 && next[0] == '\n':
			return i + 2
		case len(next) > 1 && next[0] == '\r' && next[1] == '\n':
			return i + 3
		}
	}
	return 0
}

// A field is one line of an HTTP head.
type field struct{ name, value string }

// parseField reads "name: value" as strictly as those must who pass it on
// (RFC 9112, section 5; RFC 9110, section 5.5). The name is returned as written.
func parseField(line string) (field, error) {
	for i := range len(line) {
		if c := line[i]; c == ':' && i > 0 {
			value := trimSpace(line[i+1:])
			if !isFieldValue(value) {
				return field{}, errors.New("a header value has control characters")
			}
			return field{line[:i], value}, nil
		} else if !isTokenByte(c) {
			break
		}
	}
	return field{}, errors.New("a header line is not NAME: VALUE")
}

// trimSpace removes what RFC 9110, section 5.6.3, calls optional white space.
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenByte: RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

// basicAuth returns the credentials of RFC 7617, section 2.
func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
