package file

import "golang.org/x/sys/unix"

// Pipes can be read and written without waiting whatever their mode is, since
// Linux 6.4 (preadv2(2), RWF_NOWAIT). Before, the error is EOPNOTSUPP.

func tryRead(fd int, p []byte) (int, error) {
	return unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}

func tryWrite(fd int, p []byte) (int, error) {
	return unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}
