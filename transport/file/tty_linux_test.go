package file

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/term"
)

func testExclusive(t *testing.T) {
	wantsExclusive := func(text string, want bool) {
		t.Helper()
		_, path := openPTY(t)
		c := opened(t, "serial:"+path+text).(*line)
		defer c.Close()
		var got int
		err := term.Control(c.f, func(fd int) (err error) { got, err = unix.IoctlGetInt(fd, unix.TIOCGEXCL); return err })
		if err != nil || (got != 0) != want {
			t.Errorf("serial%s: exclusive is %d, error %v", text, got, err)
		}
	}
	wantsExclusive("", true)
	wantsExclusive(",exclusive=no", false)
}
