package join

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// attached is an end that was detached although the engine could not take the joint:
// bytes go through the descriptor, all else through the end that gave it up.
type attached struct {
	end  transport.Conn
	conn net.Conn
}

// attach gives the descriptor back to the end it came from.
func attach(fd int, end transport.Conn) transport.Conn {
	file := os.NewFile(uintptr(fd), "socket")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		end.Close()
		return end
	}
	return &attached{end, conn}
}

func (a *attached) Read(p []byte) (int, error)         { return a.conn.Read(p) }
func (a *attached) Write(p []byte) (int, error)        { return a.conn.Write(p) }
func (a *attached) Close() error                       { return errors.Join(a.conn.Close(), a.end.Close()) }
func (a *attached) Info() *transport.Info              { return a.end.Info() }
func (a *attached) LocalAddr() net.Addr                { return a.end.LocalAddr() }
func (a *attached) RemoteAddr() net.Addr               { return a.end.RemoteAddr() }
func (a *attached) SetDeadline(t time.Time) error      { return a.conn.SetDeadline(t) }
func (a *attached) SetReadDeadline(t time.Time) error  { return a.conn.SetReadDeadline(t) }
func (a *attached) SetWriteDeadline(t time.Time) error { return a.conn.SetWriteDeadline(t) }

func (a *attached) CloseWrite() error {
	if c, ok := a.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Abort makes the close a reset where the socket has one.
func (a *attached) Abort(error) error {
	if c, ok := a.conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	return a.Close()
}
