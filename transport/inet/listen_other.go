//go:build !linux

package inet

import (
	"net"

	"github.com/tenon-net/tenon/opt"
)

// set refuses the options that only Linux has been taught so far.
func (l *Listen) set(int) error {
	switch {
	case l.ReuseAddr == opt.Off:
		return unsupported("reuseaddr=no")
	case l.ReusePort:
		return unsupported("reuseport")
	}
	return nil
}

func (l *Listen) setBacklog(net.Listener) error {
	if l.Backlog != 0 {
		return unsupported("backlog")
	}
	return nil
}
