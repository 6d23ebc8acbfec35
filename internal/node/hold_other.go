//go:build !linux

package node

import (
	"errors"
	"net"

	"github.com/tenon-net/tenon/transport"
)

// A fileReader would read what has sockets with it.
type fileReader struct{ net.Conn }

func newFileReader(net.Conn) *fileReader { return nil }

func (*fileReader) close()                        {}
func (*fileReader) next() (transport.Conn, error) { return nil, errors.ErrUnsupported }
