package load

import "net"

// A way is how a client and a server are joined: at o.addr, which means what the way makes of it.
type way struct {
	listen func(o *options) (net.Listener, error)
	dial   func(o *options) (net.Conn, error)
}

// ways by name. Where there are messages, a Write is one and a Read takes one.
func ways() map[string]way {
	return map[string]way{
		"tcp":       {listenTCP, dialTCP},
		"unix":      {listenUnix, dialUnix},
		"seqpacket": {listenSeqpacket, dialSeqpacket},
		"pipes":     {listenPipes, dialPipes},
		"shm":       {listenShm, dialShm},
		"shm-msg":   {listenShmMsg, dialShmMsg},
		"shmipc":    {listenShmipc, dialShmipc},
	}
}

func listenUnix(o *options) (net.Listener, error) { return net.Listen("unix", o.addr) }

func listenSeqpacket(o *options) (net.Listener, error) { return net.Listen("unixpacket", o.addr) }

func dialUnix(o *options) (net.Conn, error) { return o.dialLocal("unix") }

func dialSeqpacket(o *options) (net.Conn, error) { return o.dialLocal("unixpacket") }

func (o *options) dialLocal(network string) (net.Conn, error) {
	c, err := net.DialTimeout(network, o.addr, dialTime)
	if err != nil || o.sndbuf == 0 {
		return c, err
	}
	if err := c.(*net.UnixConn).SetWriteBuffer(o.sndbuf); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
