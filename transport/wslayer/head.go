package wslayer

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/textproto"
	"strings"
)

// maxHead is the most that is read of a request or an answer, in bytes.
const maxHead = 16 << 10

var errLongHead = errors.New("the header is longer than 16 KiB")

// A source is the stream beneath, with a limit while the handshake is read.
type source struct {
	r      io.Reader
	left   int     // negative: no limit
	pinger *pinger // or nil
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, errLongHead
	}
	if s.left > 0 {
		p = p[:min(len(p), s.left)]
	}
	var n int
	var err error
	if s.pinger != nil {
		n, err = s.pinger.read(s.r, p)
	} else {
		n, err = s.r.Read(p)
	}
	if s.left > 0 {
		s.left -= n
	}
	return n, err
}

// agreement is what the two sides settle in their handshake.
type agreement struct {
	protocol string
	deflate  string // what a server answers to an offer of compression; "" is without
	window   int    // bits of the window to compress with; 0 means maxWindowBits
	user     string // who the client proved to be
}

// readHead reads the first line of a request or an answer, and its fields.
func readHead(br *bufio.Reader) (first string, fields textproto.MIMEHeader, err error) {
	r := textproto.NewReader(br)
	first, err = r.ReadLine()
	if err == nil && first == "" {
		first, err = r.ReadLine() // an empty line in front is overlooked (RFC 9112, section 2.2)
	}
	if err == nil {
		fields, err = r.ReadMIMEHeader()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return first, fields, err
}

// acceptKey is the proof that a server has read the request (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tokens returns the elements of a field that is a list (RFC 9110, section 5.6.1).
func tokens(values []string) []string {
	var list []string
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				list = append(list, t)
			}
		}
	}
	return list
}

// hasToken tells whether a list contains a word, in any case.
func hasToken(values []string, word string) bool {
	for _, t := range tokens(values) {
		if strings.EqualFold(t, word) {
			return true
		}
	}
	return false
}

// isToken tells whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue tells whether s may be the value of a field (section 5.5).
func isFieldValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// reservedHeader tells whether the handshake itself writes the field.
func reservedHeader(name string) bool {
	switch strings.ToLower(name) {
	case "upgrade", "connection", "host", "content-length", "transfer-encoding":
		return true
	}
	return strings.HasPrefix(strings.ToLower(name), "sec-websocket-")
}

// writeHeaders appends the fields that somebody asked for.
func (l *Layer) writeHeaders(b *strings.Builder) {
	for _, h := range l.Headers {
		name, value, _ := strings.Cut(h, ":")
		b.WriteString(name + ": " + strings.TrimSpace(value) + "\r\n")
	}
}
