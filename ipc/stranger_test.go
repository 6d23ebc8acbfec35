//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// stranger is another user than the one who runs the tests.
const stranger = 65534

// squatPart listens at args[0], "bytes" or "messages", for anybody who comes.
func squatPart(args []string) error {
	l := &Listen{Name: args[0], Messages: args[1] == "messages", Access: local.Access{AllowUID: []string{"*"}}}
	a, err := l.Listen(context.Background())
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		_, _ = a.Accept() // who does not trust it is gone already
	}
}

// squatted starts a listener of another user at a place where anybody may be first.
func squatted(t *testing.T, msgs bool) (name string) {
	t.Helper()
	m, _ := os.ReadFile("/proc/self/uid_map")
	if f := strings.Fields(string(m)); os.Geteuid() != 0 || len(f) != 3 || f[2] == "1" {
		t.Skip("there is one user only; run the tests as root")
	}
	name = "@tenon-ipc-" + strings.ReplaceAll(filepath.Base(t.TempDir())+t.Name(), "/", "-")
	startChildAs(t, stranger, "squat", name, modeOf(msgs).String()).line(t)
	return name
}

// strangerOptions is the checks of the options of Dial: without them nobody is trusted
// but this user and root.
func strangerOptions(msgs bool) map[string]func(*testing.T) {
	check := func(bad, good Dial) func(t *testing.T) {
		return func(t *testing.T) {
			name := squatted(t, msgs)
			for _, d := range []Dial{{}, bad} {
				d.Name, d.Messages = name, msgs
				if _, err := d.Dial(t.Context()); !errors.Is(err, transport.ErrDenied) || !strings.Contains(transport.Hint(err), "allow-uid=") {
					t.Errorf("dialing a stranger with %+v: %v, hint %q; want ErrDenied", d, err, transport.Hint(err))
				}
			}
			good.Name, good.Messages = name, msgs
			c, err := good.Dial(t.Context())
			if err != nil {
				t.Fatalf("dialing who is allowed: %v", err)
			}
			c.Close()
		}
	}
	return map[string]func(*testing.T){
		"allow-uid": check(Dial{AllowUID: []string{"77777"}}, Dial{AllowUID: []string{"65534"}}),
		"allow-gid": check(Dial{AllowGID: []string{"77777"}}, Dial{AllowGID: []string{"65534"}}),
	}
}
