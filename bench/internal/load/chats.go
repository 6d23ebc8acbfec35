package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// A chatWay is a protocol by which messages are said to all who listen.
type chatWay struct {
	// enter has a new connection say, or hear, what is said; its answers are read from in.
	enter func(c net.Conn, in *bufio.Reader, speaks bool) error
	// say appends a message as it is sent.
	say func(b, text []byte) []byte
}

// chats are the protocols, each as far as it is needed here: one channel, no acknowledgements.
var chats = map[string]chatWay{
	"lines": {enterLines, func(b, text []byte) []byte { return append(append(b, text...), '\n') }},
	"irc":   {enterIRC, func(b, text []byte) []byte { return fmt.Appendf(b, "PRIVMSG #bench :%s\r\n", text) }},
	"nats":  {enterNATS, func(b, text []byte) []byte { return fmt.Appendf(b, "PUB bench %d\r\n%s\r\n", len(text), text) }},
	"redis": {enterRedis, func(b, text []byte) []byte {
		return fmt.Appendf(b, "*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n$%d\r\n%s\r\n", len(text), text)
	}},
	"mqtt": {enterMQTT, func(b, text []byte) []byte {
		return append(mqttPacket(b, 0x30, 7+len(text)), "\x00\x05bench"+string(text)...)
	}},
}

// chatConn connects, and returns when the other side has agreed.
func (o *options) chatConn(speaks bool) (net.Conn, error) {
	way, ok := chats[o.speaks]
	if !ok {
		return nil, fmt.Errorf("no such protocol: %s", o.speaks)
	}
	c, err := net.Dial("tcp", o.addr)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(c)
	c.SetDeadline(time.Now().Add(settle)) //nolint:errcheck // the read shows it
	if err = way.enter(c, in, speaks); err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", o.speaks, err)
	}
	if speaks {
		go io.Copy(io.Discard, in) //nolint:errcheck // what is answered is not looked at
		return c, nil
	}
	return &readAhead{c, in}, nil
}

// readAhead is a connection of which some was read.
type readAhead struct {
	net.Conn
	in *bufio.Reader
}

func (c *readAhead) Read(b []byte) (int, error) {
	if c.in.Buffered() > 0 {
		return c.in.Read(b)
	}
	return c.Conn.Read(b)
}

// await reads lines until one has a word in it.
func await(in *bufio.Reader, word string) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", word, err)
		}
		if strings.Contains(line, word) {
			return nil
		}
	}
}

func enterLines(c net.Conn, _ *bufio.Reader, speaks bool) error {
	first := "L"
	if speaks {
		first = "S"
	}
	_, err := io.WriteString(c, first)
	return err
}

var nicks atomic.Int64

func enterIRC(c net.Conn, in *bufio.Reader, _ bool) error {
	nick := fmt.Sprint("n", nicks.Add(1))
	if _, err := fmt.Fprintf(c, "NICK %s\r\nUSER bench 0 * :bench\r\n", nick); err != nil {
		return err
	}
	if err := await(in, " 001 "); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "JOIN #bench\r\n"); err != nil {
		return err
	}
	return await(in, " 366 ")
}

func enterNATS(c net.Conn, in *bufio.Reader, speaks bool) error {
	hello := "CONNECT {\"verbose\":false}\r\n"
	if !speaks {
		hello += "SUB bench 1\r\n"
	}
	if _, err := io.WriteString(c, hello+"PING\r\n"); err != nil {
		return err
	}
	return await(in, "PONG")
}

func enterRedis(c net.Conn, in *bufio.Reader, speaks bool) error {
	if speaks {
		return nil
	}
	if _, err := io.WriteString(c, "SUBSCRIBE bench\r\n"); err != nil {
		return err
	}
	return await(in, ":1")
}

// mqttPacket appends the fixed header of MQTT 3.1.1 (section 2.2).
func mqttPacket(b []byte, kind byte, size int) []byte {
	return binary.AppendUvarint(append(b, kind), uint64(size))
}

func enterMQTT(c net.Conn, in *bufio.Reader, speaks bool) error {
	hello := append(mqttPacket(nil, 0x10, 12), "\x00\x04MQTT\x04\x02\x00\x00\x00\x00"...) // clean session, no keep-alive
	if !speaks {
		hello = append(mqttPacket(hello, 0x82, 10), "\x00\x01\x00\x05bench\x00"...)
	}
	if _, err := c.Write(hello); err != nil {
		return err
	}
	want := []byte{0x20, 2, 0, 0}
	if !speaks {
		want = append(want, 0x90, 3, 0, 1, 0)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("it answers %x: %w", got, err)
	}
	return nil
}
