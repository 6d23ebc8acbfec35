//go:build !unix

package inet

import "net"

func inherited(int) (net.Listener, error) { return nil, unsupported("accept-fd") }
