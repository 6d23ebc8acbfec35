//go:build linux

package rundir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

// nobody is another user than the one who runs the tests.
const nobody = 65534

// roleVariable has this test play another program: "listen NAME" or "dial NAME".
const roleVariable = "TENON_RUNDIR_ROLE"

func TestMain(m *testing.M) {
	if role, name, _ := strings.Cut(os.Getenv(roleVariable), " "); role != "" {
		play(role, name)
		return
	}
	os.Exit(m.Run())
}

// play says what becomes of it, and ends with its standard input.
func play(role, name string) {
	var err error
	if role == "dial" {
		r := Rendezvous{Name: name}
		_, err = r.Dial(context.Background())
	} else {
		err = squat(name)
	}
	fmt.Println(err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// access lets these users in, past the mode of a socket in the file system, too.
func access(name string, uids ...string) local.Access {
	a := local.Access{AllowUID: uids}
	if !strings.HasPrefix(name, "@") {
		a.Mode = 0o666
	}
	return a
}

// squat listens for anybody, and says so to all who come.
func squat(name string) error {
	a, err := (&local.UnixListen{Path: name, Access: access(name, "*")}).Listen(context.Background())
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := a.Accept()
			if err != nil {
				return
			}
			_, _ = c.(net.Conn).Write([]byte("come in"))
		}
	}()
	return nil
}

// startAs starts this test as another user, in a role, and returns what it says first.
func startAs(t *testing.T, uid uint32, role, name string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe") // whose path others may not search
	cmd.Env = append(os.Environ(), roleVariable+"="+role+" "+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
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
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	said := make([]byte, 1000)
	n, err := out.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(said[:n]))
}

// needUsers skips the test where there is no other user to be had.
func needUsers(t *testing.T) {
	t.Helper()
	m, _ := os.ReadFile("/proc/self/uid_map")
	if f := strings.Fields(string(m)); os.Geteuid() != 0 || len(f) != 3 || f[2] == "1" {
		t.Skip("there is one user only; run the tests as root")
	}
}

// openPlaces returns places where anybody may be the first to listen: an abstract name,
// and a path in a directory that all can write to.
func openPlaces(t *testing.T) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenon")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return []string{"@" + filepath.Base(dir), filepath.Join(dir, "s")}
}

// Who dials trusts its own user and root, and others only if it says so, wherever it
// meets them.
func TestWhoListens(t *testing.T) {
	needUsers(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, name := range openPlaces(t) {
		if said := startAs(t, nobody, "listen", name); said != "<nil>" {
			t.Fatalf("the other user cannot listen at %s: %s", name, said)
		}
		r := Rendezvous{Name: name, Hint: "say who"}
		if c, err := r.Dial(ctx); !errors.Is(err, transport.ErrDenied) || transport.Hint(err) != "say who" || !strings.Contains(err.Error(), "user 65534") {
			t.Errorf("%s: dialing another user: %v, %v; want ErrDenied", name, c, err)
		}
		for _, a := range []local.Access{{AllowUID: []string{"65534"}}, {AllowGID: []string{"65534"}}, {AllowUID: []string{"*"}}} {
			r.Access = a
			c, err := r.Dial(ctx)
			if err != nil {
				t.Errorf("%s: dialing another user who is allowed: %v", name, err)
				continue
			}
			c.Close()
		}
		r.Access = local.Access{AllowUID: []string{"1"}}
		if _, err := r.Dial(ctx); !errors.Is(err, transport.ErrDenied) {
			t.Errorf("%s: dialing a user who is not the one that is allowed: %v", name, err)
		}
	}
}

// Root is trusted, and this user is, also when others are allowed.
func TestOwnUserIsTrusted(t *testing.T) {
	needUsers(t)
	for _, name := range openPlaces(t) {
		// A listener of root's, which lets nobody in.
		l := Rendezvous{Name: name, Access: access(name, "65534", "0")}
		a, err := l.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				if _, err := a.Accept(); err != nil {
					return
				}
			}
		}()
		if said := startAs(t, nobody, "dial", name); said != "<nil>" {
			t.Errorf("%s: another user dials root: %s", name, said)
		}
		r := Rendezvous{Name: name, Access: local.Access{AllowUID: []string{"1"}}}
		c, err := r.Dial(t.Context())
		if err != nil {
			t.Errorf("%s: dialing oneself: %v", name, err)
		} else {
			c.Close()
		}
		a.Close()
	}
}

// Who listens refuses others by itself at a name without permissions.
func TestWhoDials(t *testing.T) {
	needUsers(t)
	name := openPlaces(t)[0]
	l := Rendezvous{Name: name}
	a, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	accepted := make(chan error, 1)
	go func() { _, err := a.Accept(); accepted <- err }()
	startAs(t, nobody, "dial", name)
	if err := <-accepted; !errors.Is(err, transport.ErrDenied) {
		t.Errorf("accepting another user: %v; want ErrDenied", err)
	}
}
