//go:build unix && !linux

package file

import "testing"

func testExclusive(t *testing.T) { t.Skip("only Linux tells whether a line is exclusive") }
