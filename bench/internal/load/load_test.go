package load

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestMain is a load program when it is started as one.
func TestMain(m *testing.M) {
	if status, ran := Main(os.Args[1:]); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// Each client gets a result from its server, through the plain relay where there is one.
func TestClients(t *testing.T) {
	const short = 20 * time.Millisecond
	for _, tt := range []struct{ server, client string }{
		{"sink", "blast"}, {"echo", "pingpong"}, {"echo", "connect"}, {"echo", "hold"}, {"udp", "window"}, {"udp", "flood"},
	} {
		t.Run(tt.client, func(t *testing.T) {
			server := startRole(t, tt.server)
			client := startRole(t, tt.client, "-addr", server.Addrs[0], "-duration", short.String(), "-conns", "3")
			r, err := client.Run(short)
			if err != nil {
				t.Fatal(err)
			}
			if r.Rate() <= 0 || r.Lost > 0 {
				t.Errorf("got %+v", r)
			}
			if n, err := server.Count(); err != nil || (n > 0) != (tt.client != "window") {
				t.Errorf("the server counted %d, %v", n, err)
			}
		})
	}
}

func TestClientSaysWhatIsWrong(t *testing.T) {
	_, err := Start(t.Context(), filepath.Join(t.TempDir(), "log"), "blast", "-addr", "127.0.0.1:1")
	if err == nil || err.Error() != "load client blast: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("got %v", err)
	}
}

func startRole(t *testing.T, role string, args ...string) *Remote {
	t.Helper()
	r, err := Start(t.Context(), filepath.Join(t.TempDir(), "log"), role, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// Addresses to connect from differ, and none is that of the server or the probe.
func TestSources(t *testing.T) {
	var seen []string
	for i := range maxConnects {
		s := source(i).String()
		if s == "127.0.0.1" || s == "127.0.0.2" {
			t.Fatalf("%d: %s", i, s)
		}
		seen = append(seen, s)
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n < maxConnects/4 {
		t.Errorf("only %d addresses", n)
	}
}
