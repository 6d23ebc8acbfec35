package local

import "golang.org/x/sys/windows"

const (
	addrInUse   = windows.WSAEADDRINUSE
	connRefused = windows.WSAECONNREFUSED
)
