package transporttest

import (
	"os"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// testMetadata checks what an end knows about itself, while it is open and after.
func (h Harness) testMetadata(t *testing.T) {
	a, _ := h.open(t)
	check := func(when string) {
		info := a.Info()
		switch {
		case info == nil:
			t.Fatalf("%s: Info is nil", when)
		case info.Kind == "":
			t.Errorf("%s: Info().Kind is empty", when)
		case info != a.Info() && *info != *a.Info():
			t.Errorf("%s: Info changes: %+v", when, info)
		}
		for name, addr := range map[string]interface {
			Network() string
			String() string
		}{"LocalAddr": a.LocalAddr(), "RemoteAddr": a.RemoteAddr()} {
			if addr == nil {
				t.Errorf("%s: %s is nil", when, name)
			} else if addr.Network() == "" || addr.String() == "" {
				t.Errorf("%s: %s is %q of network %q, want a name for people and a network", when, name, addr, addr.Network())
			}
		}
	}
	check("open")
	if h.Cred {
		if c := a.Info().Cred; c == nil || c.PID != os.Getpid() || c.UID != os.Getuid() || c.GID != os.Getgid() {
			t.Errorf("Info().Cred is %+v, want pid %d, uid %d, gid %d", c, os.Getpid(), os.Getuid(), os.Getgid())
		}
	}
	if use := transport.DirectionsOf(a); use != transport.ReadWrite && !h.Kind.Traits.OneWay {
		t.Error("the end has one direction only, and its kind two")
	} else if use == transport.WriteOnly {
		got := start(func() error { return wantEOF(a) })
		if err := await(t, got, Prompt, "reading an end that is only written"); err != nil {
			t.Error(err)
		}
	} else if use == transport.ReadOnly {
		if err := await(t, start(func() error { return write(a, []byte("x")) }), Prompt, "writing an end that is only read"); err == nil {
			t.Error("an end that is only read is written")
		}
	}
	if l, ok := transport.About[transport.Leaver](a); (ok && l.Leaves()) != h.Farewell {
		t.Errorf("a CloseWrite ends both directions: %v; the end says so: %v", h.Farewell, ok)
	}
	if h.TLS && a.Info().TLS == nil {
		t.Error("Info().TLS is nil")
	}
	a.Close()
	check("closed")
}
