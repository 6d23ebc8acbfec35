package local

import (
	"os"

	"github.com/tenon-net/tenon/transport"
)

var (
	_ transport.FilePasser = (*packetConn)(nil)
	_ transport.Filer      = (*packetConn)(nil)
)

// SendFile implements [transport.FilePasser] with a message of one zero byte.
func (c *packetConn) SendFile(f *os.File) error { return sendFile(c.c, f) }

// ReceiveFile implements [transport.FilePasser]: it reads one message, which must
// not be longer than a byte. See [Conn.ReceiveFile].
func (c *packetConn) ReceiveFile() (*os.File, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	return receiveFile(c.c, make([]byte, credSize+roomForFile))
}

// Files implements [transport.Filer].
func (c *packetConn) Files() ([]*os.File, error) {
	f, err := c.c.File()
	if err != nil {
		return nil, err
	}
	return []*os.File{f}, nil
}
