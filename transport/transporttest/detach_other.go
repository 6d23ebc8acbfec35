//go:build !linux

package transporttest

import "testing"

func (h Harness) testDetach(t *testing.T) {
	t.Skip("descriptors are given up on Linux only")
}
