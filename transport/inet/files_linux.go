package inet

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

var _ transport.Filer = (*acceptor)(nil)

// Files implements [transport.Filer].
func (a *acceptor) Files() (files []*os.File, err error) {
	cerr := a.raw.Control(func(uintptr) { // which keeps all sockets open meanwhile
		for _, l := range a.socks {
			var fd int
			if fd, err = unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
				err = os.NewSyscallError("fcntl", err)
				return
			}
			files = append(files, os.NewFile(uintptr(fd), l.addr.String()))
		}
	})
	if cerr != nil {
		err = cerr
	}
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
