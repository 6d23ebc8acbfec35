package file

import (
	"errors"
	"os"

	"github.com/tenon-net/tenon/transport"
)

var _ transport.Filer = (*stream)(nil)

// Files implements [transport.Filer] for files and descriptors. What has something
// to do at its end, such as to give a terminal its settings back, can't.
func (s *stream) Files() ([]*os.File, error) {
	switch {
	case s.closed.Load():
		return nil, os.ErrClosed
	case s.pass == nil:
		return nil, errors.ErrUnsupported
	}
	f, err := s.pass()
	if err != nil {
		return nil, bare(err)
	}
	return []*os.File{f}, nil
}
