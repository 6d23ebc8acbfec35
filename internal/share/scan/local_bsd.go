//go:build darwin || freebsd

package scan

import "golang.org/x/sys/unix"

// local tells whether all that changes the file goes through this kernel, which then also
// changes its times.
func (f *file) local() bool {
	var st unix.Statfs_t
	_, err := again(func() (int, error) { return 0, unix.Fstatfs(f.fd, &st) })
	return err == nil && uint64(st.Flags)&unix.MNT_LOCAL != 0
}
