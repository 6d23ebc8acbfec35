package inet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
)

// A listening socket goes on without its Acceptor: clients that come in between
// wait, and nobody is refused.
func TestFilesOfListener(t *testing.T) {
	acc, err := (&inet.Listen{Addr: ":0"}).Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer acc.Close()
	files, err := acc.(transport.Filer).Files()
	if err != nil {
		t.Fatal(err)
	}
	addrs := acc.(interface{ Addrs() []net.Addr }).Addrs()
	if len(files) != len(addrs) {
		t.Fatalf("%d files for the sockets %v", len(files), addrs)
	}
	acc.Close()
	if files, err := acc.(transport.Filer).Files(); err == nil {
		t.Errorf("after Close: %v", files)
	}
	for i, f := range files {
		defer f.Close()
		c, err := net.Dial("tcp", addrs[i].String())
		if err != nil {
			t.Fatalf("after Close of the Acceptor: %v", err)
		}
		defer c.Close()
	}

	// Another one begins with all of them.
	names := ""
	for _, f := range files {
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		names += fmt.Sprintf("+%d", fd)
	}
	next, err := (&inet.Inherit{Socket: names[1:]}).Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	for range files {
		c, err := next.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

func TestInheritSeveral(t *testing.T) {
	for _, bad := range []string{"3+-1", "-1+3"} {
		if err := (&inet.Inherit{Socket: bad}).Validate(); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%s: %v; want a usage error", bad, err)
		}
	}
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := (&inet.Inherit{Socket: fmt.Sprintf("%d+%d", f.Fd(), f.Fd())}).Listen(context.Background()); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("a device: %v; want a usage error", err)
	}
}
