package natlab

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// plainFrames has an interface send frames as they would be on a cable: with their checksums,
// and none longer than the MTU.
func (s *space) plainFrames(dev string) error {
	return s.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		for _, cmd := range []uint32{unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO, unix.ETHTOOL_STXCSUM} {
			value := struct{ cmd, data uint32 }{cmd, 0}
			req := struct { // struct ifreq of netdevice(7)
				name [unix.IFNAMSIZ]byte
				data unsafe.Pointer
				_    [16]byte
			}{data: unsafe.Pointer(&value)}
			copy(req.name[:unix.IFNAMSIZ-1], dev)
			_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
			runtime.KeepAlive(&value)
			if e != 0 {
				return fmt.Errorf("%s: %s: ethtool %#x: %w", s.name, dev, cmd, e)
			}
		}
		return nil
	})
}
