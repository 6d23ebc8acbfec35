//go:build linux

package ipc

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A region is the memory of a connection as this process has mapped it.
type region struct {
	base  unsafe.Pointer
	size  uint64 // of a ring
	users atomic.Int32
}

// users of a new region: who reads, who writes, and who closes.
const regionUsers = 3

// createRegion makes the memory of a connection, with the greeting at its beginning,
// and maps it. The caller owns the descriptor.
func createRegion(g greeting) (r *region, fd int, err error) {
	fd, err = unix.MemfdCreate("tenon-shm", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, -1, os.NewSyscallError("memfd_create", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err = unix.Ftruncate(fd, int64(g.fileSize())); err != nil {
		return nil, -1, os.NewSyscallError("ftruncate", err)
	}
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		return nil, -1, os.NewSyscallError("fcntl", err)
	}
	// Written and not stored: the page is not in our page tables, which take a
	// page of their own for each connection, until somebody reads or writes.
	b := g.encode()
	if _, err = unix.Pwrite(fd, b[:], 0); err != nil {
		return nil, -1, os.NewSyscallError("pwrite", err)
	}
	if r, err = mapRegion(fd, g); err != nil {
		return nil, -1, err
	}
	return r, fd, nil
}

// seals keep the memory from being taken away while it is mapped, which would end
// this process with SIGBUS.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// openRegion maps memory that the other side has made, after it has looked at what
// sort of file that is.
func openRegion(fd int, g greeting) (*region, error) {
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return nil, violation("the memory is not sealed")
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return nil, os.NewSyscallError("fstatfs", err)
	}
	// Huge pages can be sealed too, and run out in the middle of it.
	if int64(fs.Type) != unix.TMPFS_MAGIC {
		return nil, violation("the memory is of file system type %#x", fs.Type)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || uint64(st.Size) != g.fileSize() {
		return nil, violation("the memory has %d bytes, not %d", st.Size, g.fileSize())
	}
	return mapRegion(fd, g)
}

func mapRegion(fd int, g greeting) (*region, error) {
	if g.fileSize() != uint64(uintptr(g.fileSize())) {
		return nil, fmt.Errorf("a ring of %d bytes is too large for this processor", g.size)
	}
	p, err := mapAligned(fd, uintptr(g.fileSize()))
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	r := &region{base: p, size: g.size}
	r.users.Store(regionUsers)
	return r, nil
}

// tableSpan is how much memory a page of page tables maps, with pages of 4 KiB.
const tableSpan = 2 << 20

// mapAligned maps a file at a multiple of tableSpan. giveBack frees page tables, and the
// system does so for spans that are wholly within a mapping: the first is where the
// control and the beginning of a ring are.
func mapAligned(fd int, size uintptr) (unsafe.Pointer, error) {
	const access = unix.PROT_READ | unix.PROT_WRITE
	if size < tableSpan {
		return unix.MmapPtr(fd, 0, nil, size, access, unix.MAP_SHARED)
	}
	room, err := unix.MmapPtr(-1, 0, nil, size+tableSpan, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	before := -uintptr(room) % tableSpan
	p, err := unix.MmapPtr(fd, 0, unsafe.Add(room, before), size, access, unix.MAP_SHARED|unix.MAP_FIXED)
	if err != nil {
		_ = unix.MunmapPtr(room, size+tableSpan)
		return nil, err
	}
	if before > 0 {
		_ = unix.MunmapPtr(room, before)
	}
	page := uintptr(os.Getpagesize())
	end := (size + page - 1) &^ (page - 1)
	_ = unix.MunmapPtr(unsafe.Add(p, end), size+tableSpan-before-end)
	return p, nil
}

// ring returns the control and the bytes of ring i.
func (r *region) ring(i int) (*control, []byte) {
	ctl := (*control)(unsafe.Add(r.base, controlAt+i*controlSize))
	return ctl, unsafe.Slice((*byte)(unsafe.Add(r.base, headSize+uintptr(i)*uintptr(r.size))), int(r.size))
}

// bytes is all of the region.
func (r *region) bytes() []byte {
	return unsafe.Slice((*byte)(r.base), int(greeting{size: r.size}.fileSize()))
}

// leave is called once by each user. The last one unmaps the memory.
func (r *region) leave() {
	if r.users.Add(-1) == 0 {
		r.unmap()
	}
}

// unmap cannot fail: it is given what mmap returned, whole.
func (r *region) unmap() {
	_ = unix.MunmapPtr(r.base, uintptr(greeting{size: r.size}.fileSize()))
}
