package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// TestPeerInAnotherNamespace: a process in a container does not see the pid of the
// one outside that it connects to, and still knows the user.
func TestPeerInAnotherNamespace(t *testing.T) {
	const place = "TENON_TEST_OUTSIDE"
	if path := os.Getenv(place); path != "" { // inside
		c, err := (&Unix{Path: path}).Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if cred := c.Info().Cred; cred == nil || cred.PID != 0 || cred.UID != os.Getuid() {
			t.Errorf("the peer outside is %+v, want process 0 of user %d", cred, os.Getuid())
		}
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	acc, err := (&UnixListen{Path: path}).Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer acc.Close()
	accepted := make(chan transport.Conn, 1)
	go func() {
		if c, err := acc.Accept(); err == nil {
			accepted <- c
		}
	}()
	inside := exec.Command(os.Args[0], "-test.run=^TestPeerInAnotherNamespace$")
	inside.Env = append(os.Environ(), place+"="+path)
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		inside.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		inside.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	}
	if out, err := inside.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := <-accepted
	defer c.Close()
	if cred := c.Info().Cred; cred == nil || cred.PID != inside.Process.Pid {
		t.Errorf("the peer inside is %+v, want process %d", cred, inside.Process.Pid)
	}
}
