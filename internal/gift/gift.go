// Package gift is what passes between tenon give and tenon take: open files with
// names, over a unix socket. docs/protocol/give.md is the protocol. It opens no
// sockets and does not decide who may take: that is for its callers.
//
// The functions do not return before the other side has done its part. Deadlines
// and Close of the connection end them.
package gift

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tenon-net/tenon/transport"
)

// Limits of the protocol.
const (
	Max     = 64   // files at once
	MaxName = 255  // bytes
	MaxText = 1024 // bytes of a description or a reason
)

const (
	magic   = "TENONGIV"
	version = 1
	taken   = 1 // what the taker answers
)

// An answer is what the giver begins with.
type answer byte

const (
	given answer = iota
	denied
	unable
)

// A Gift is an open file that is handed over.
type Gift struct {
	Name string // as in LISTEN_FDNAMES of sd_listen_fds(3); see [CheckName]
	What string // for people: the address that was opened
	File *os.File
}

// A Conn is one side of the meeting: a connection of a unix socket.
type Conn interface {
	io.ReadWriter
	transport.FilePasser
}

// errProtocol is what errors about the other side's bytes match.
var errProtocol = errors.New("the other side does not keep to the protocol")

func protocol(format string, args ...any) error {
	return transport.Mark(fmt.Errorf("%w: "+format, append([]any{errProtocol}, args...)...), errProtocol)
}

// CheckName tells whether name can be that of a Gift. The error matches
// [transport.ErrUsage].
func CheckName(name string) error {
	switch {
	case name == "":
		return transport.Mark(errors.New("the name is empty"), transport.ErrUsage)
	case len(name) > MaxName:
		return transport.Mark(fmt.Errorf("the name has %d bytes, and may have %d", len(name), MaxName), transport.ErrUsage)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }):
		return transport.Mark(fmt.Errorf("the name %q is not of printable ASCII without colons", name), transport.ErrUsage)
	}
	return nil
}

// checkText tells whether text is safe to show.
func checkText(text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return protocol("a text of control characters")
	}
	return nil
}

// Give hands gifts over, at least one, and waits until they are taken. They stay
// open. The error is [io.ErrUnexpectedEOF] if the taker went away without them.
func Give(c Conn, gifts []Gift) error {
	if len(gifts) == 0 || len(gifts) > Max {
		return transport.Mark(fmt.Errorf("%d files, and there may be 1 to %d", len(gifts), Max), transport.ErrUsage)
	}
	b := head(given, len(gifts))
	for _, g := range gifts {
		if err := CheckName(g.Name); err != nil {
			return err
		}
		what := plain(g.What)
		b = append(append(b, byte(len(g.Name))), g.Name...)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(what))), what...)
		if _, err := c.Write(b); err != nil {
			return err
		}
		if err := c.SendFile(g.File); err != nil {
			return err
		}
		b = b[:0]
	}
	var reply [1]byte
	if _, err := io.ReadFull(c, reply[:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if reply[0] != taken {
		return protocol("it answers %d", reply[0])
	}
	return nil
}

// Refuse tells the taker why there is nothing for it: cause matches
// [transport.ErrDenied] if that is because of who it is.
func Refuse(c io.Writer, cause error) error {
	a, reason := unable, plain(cause.Error())
	if errors.Is(cause, transport.ErrDenied) {
		a = denied
	}
	_, err := c.Write(append(head(a, len(reason)), reason...))
	return err
}

func head(a answer, n int) []byte {
	return binary.BigEndian.AppendUint16(append([]byte(magic), version, byte(a)), uint16(n))
}

// plain returns text as the protocol wants it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > MaxText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
