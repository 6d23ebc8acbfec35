package load

import (
	"net"

	"github.com/cloudwego/shmipc-go"
)

// Memory of shmipc-go is a memfd, as Tenon's is; its default is a file in /dev/shm, which stays behind
// when a program is killed. Its log is switched off: it goes to stdout, which is for results here.

func listenShmipc(o *options) (net.Listener, error) {
	shmipc.SetLogLevel(shmipcSilent)
	l, err := net.Listen("unix", o.addr)
	if err != nil {
		return nil, err
	}
	return shmipcListener{l}, nil
}

// shmipcSilent is the level of its log at which there is none.
const shmipcSilent = 5

type shmipcListener struct{ l net.Listener }

// Accept returns the first stream of the next session.
func (l shmipcListener) Accept() (net.Conn, error) {
	c, err := l.l.Accept()
	if err != nil {
		return nil, err
	}
	conf := shmipc.DefaultConfig()
	session, err := shmipc.Server(c, conf)
	if err != nil {
		c.Close()
		return nil, err
	}
	stream, err := session.AcceptStream()
	if err != nil {
		session.Close()
		return nil, err
	}
	return stream, nil
}

func (l shmipcListener) Addr() net.Addr { return l.l.Addr() }
func (l shmipcListener) Close() error   { return l.l.Close() }

func dialShmipc(o *options) (net.Conn, error) {
	shmipc.SetLogLevel(shmipcSilent)
	conf := shmipc.DefaultSessionManagerConfig()
	conf.Config.MemMapType = shmipc.MemMapTypeMemFd
	conf.Network, conf.Address, conf.SessionNum = "unix", o.addr, 1
	m, err := shmipc.NewSessionManager(conf)
	if err != nil {
		return nil, err
	}
	stream, err := m.GetStream()
	if err != nil {
		return nil, err
	}
	return stream, nil
}
