//go:build !linux

package relay

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// loop and joint stand in for the epoll loop where there is none; no value of
// them is ever made.
type loop struct{ joints atomic.Int32 }

type joint struct{}

func defaultLoops() int { return 1 }

func newLoop() (*loop, error) {
	return nil, fmt.Errorf("relay engine on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (*loop) run()         {}
func (*loop) close()       {}
func (*loop) cutAll(error) {}
func (*loop) start(int, int, Options, func(Result)) (*joint, error) {
	return nil, errors.ErrUnsupported
}
func (*loop) await(int, func()) (func() bool, error) { return nil, errors.ErrUnsupported }
func (*joint) cut(error)                             {}
