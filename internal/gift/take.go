package gift

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/tenon-net/tenon/transport"
)

// Receive returns what is handed over, at least one Gift, whose files the caller
// owns. They are not taken until [Accept] is called: a taker that has no use for
// them closes them and the connection. Errors match [transport.ErrDenied] if the
// giver refuses, and are [io.ErrUnexpectedEOF] if it went away.
func Receive(c Conn) (gifts []Gift, err error) {
	n, err := receiveHead(c)
	if err != nil {
		return nil, cut(err)
	}
	for range n {
		g, err := receiveOne(c)
		if err != nil {
			Close(gifts)
			return nil, cut(err)
		}
		gifts = append(gifts, g)
	}
	return gifts, nil
}

// Accept tells the giver that all has been taken.
func Accept(c io.Writer) error {
	_, err := c.Write([]byte{taken})
	return err
}

// Close closes the files.
func Close(gifts []Gift) {
	for _, g := range gifts {
		g.File.Close()
	}
}

// receiveHead returns how many files there are.
func receiveHead(r io.Reader) (int, error) {
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, err
	}
	if string(head[:len(magic)]) != magic {
		return 0, transport.WithHint(protocol("it is no giver"), "another sort of program listens at this socket")
	}
	if v := head[len(magic)]; v != version {
		return 0, protocol("it speaks version %d, and this program %d", v, version)
	}
	a, n := answer(head[len(magic)+1]), int(binary.BigEndian.Uint16(head[len(magic)+2:]))
	switch {
	case a == given && n >= 1 && n <= Max:
		return n, nil
	case a == given:
		return 0, protocol("it announces %d files", n)
	case a != denied && a != unable:
		return 0, protocol("it answers %d", a)
	}
	reason, err := receiveText(r, n)
	if err != nil {
		return 0, err
	}
	err = errors.New(reason)
	if a == denied {
		err = transport.Mark(err, transport.ErrDenied)
	}
	return 0, err
}

func receiveOne(c Conn) (g Gift, err error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:1]); err != nil {
		return g, err
	}
	if g.Name, err = receiveText(c, int(size[0])); err != nil {
		return g, err
	}
	if err := CheckName(g.Name); err != nil {
		return g, protocol("%v", err)
	}
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return g, err
	}
	if g.What, err = receiveText(c, int(binary.BigEndian.Uint16(size[:]))); err != nil {
		return g, err
	}
	g.File, err = c.ReceiveFile()
	return g, err
}

func receiveText(r io.Reader, n int) (string, error) {
	if n > MaxText {
		return "", protocol("a text of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", err
	}
	return string(text), checkText(string(text))
}

// cut makes clear that the end of what is read came too early.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
