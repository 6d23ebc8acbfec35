package transport

import (
	"context"
	"errors"
	"os"
)

// errSameFile is what cat(1) calls "input file is output file".
var errSameFile = WithHint(Mark(errors.New("the other end is the same file"), ErrUsage),
	"it would grow while it is read, and have no end; to replace a file by what becomes of it, write file:PATH,atomic")

// RegularFile returns which regular file f is, for an [Info]; nil if it is none, or f
// is nil.
func RegularFile(f *os.File) os.FileInfo {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// CheckSameFile returns an error if the end that i describes reads the file that the
// end writes that it is being opened for, or the other way round: whatever names the
// file has and however it was opened. A Dialer whose Info names files calls it before
// it changes one.
func CheckSameFile(ctx context.Context, i *Info) error {
	other := Other(ctx)
	if other == nil {
		return nil
	}
	same := func(a, b os.FileInfo) bool { return a != nil && b != nil && os.SameFile(a, b) }
	if o := other.Info(); same(i.Reads, o.Writes) || same(i.Writes, o.Reads) {
		return errSameFile
	}
	return nil
}
