//go:build !linux

package inet

import (
	"errors"
	"os"

	"github.com/tenon-net/tenon/transport"
)

var _ transport.Filer = (*acceptor)(nil)

// Files implements [transport.Filer].
func (a *acceptor) Files() (files []*os.File, err error) {
	for _, ln := range a.lns {
		f, err := fileOf(ln)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func fileOf(ln any) (*os.File, error) {
	if l, ok := ln.(interface{ File() (*os.File, error) }); ok {
		return l.File()
	}
	return nil, errors.ErrUnsupported
}
