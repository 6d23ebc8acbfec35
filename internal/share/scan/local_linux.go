package scan

import (
	"slices"

	"golang.org/x/sys/unix"
)

// local tells whether all that changes the file goes through this kernel, which then also
// changes its times. Of file systems that are not known here it is taken to be so.
func (f *file) local() bool {
	var st unix.Statfs_t
	if _, err := again(func() (int, error) { return 0, unix.Fstatfs(f.fd, &st) }); err != nil {
		return false
	}
	return !slices.Contains([]uint32{
		unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC,
	}, uint32(st.Type))
}
