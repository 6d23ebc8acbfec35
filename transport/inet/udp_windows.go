package inet

import (
	"errors"

	"golang.org/x/sys/windows"
)

const errMsgSize = windows.WSAEMSGSIZE

// wasCut tells whether the datagram that was read was longer than its buffer, of
// which WSARecvMsg makes an error.
func wasCut(_ int, err error) (bool, error) {
	if errors.Is(err, errMsgSize) {
		return true, nil
	}
	return false, err
}
