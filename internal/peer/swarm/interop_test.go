package swarm

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/internal/peer"
)

// A node of js-libp2p is a peer like any other, in both directions, and a stranger is
// refused. make interop fetches what it needs.
func TestInteropJS(t *testing.T) {
	if _, err := os.Stat("testdata/js/node_modules"); err != nil {
		t.Skip("js-libp2p is not there: make interop")
	}
	cmd := exec.Command("node", "echo.mjs")
	cmd.Dir, cmd.Stderr = "testdata/js", os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // it is gone
	defer late.Stop()
	defer func() {
		in.Close() //nolint:errcheck // it ends by that
		cmd.Wait() //nolint:errcheck // how does not matter
	}()
	lines := bufio.NewScanner(out)
	line := func() string {
		if !lines.Scan() {
			t.Fatalf("it has ended: %v", lines.Err())
		}
		return lines.Text()
	}
	at := line()
	info, err := lpeer.AddrInfoFromString(at)
	if err != nil {
		t.Fatal(err)
	}
	js, err := ours(info.ID)
	if err != nil {
		t.Fatal(err)
	}
	n := newNet(t, nil, loopback)
	n.Serve("/test/1", echo)
	n.AddAddrs(js, strings.Split(at, "/p2p/")[0])
	s, err := n.Open(t.Context(), js, "/test/1")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(s, "hello from Go") //nolint:errcheck // it would show below
	s.CloseWrite()                     //nolint:errcheck // it would show below
	if b, err := io.ReadAll(s); err != nil || string(b) != "hello from Go" {
		t.Errorf("we ask: %q, %v", b, err)
	}
	mine := n.Addrs()[0] + "/p2p/" + LibID(n.Self()) + "\n"
	io.WriteString(in, mine) //nolint:errcheck // it would show below
	if got := line(); got != "answer hello from js" {
		t.Errorf("it asks: %s", got)
	}
	setAdmit(n, func(peer.ID) peer.Admission { return peer.Refused })
	n.Recheck()
	io.WriteString(in, mine) //nolint:errcheck // it would show below
	if got := line(); !strings.HasPrefix(got, "error ") {
		t.Errorf("a stranger asks: %s", got)
	}
}
