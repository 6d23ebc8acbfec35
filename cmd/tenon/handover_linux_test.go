package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/gift"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

const nobody = 65534

// A user runs tenon as somebody.
type user struct {
	id    uint32
	tenon string // the program, where everybody can reach it
}

func (u user) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, u.tenon, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.id, Gid: u.id}}
	return cmd
}

// run runs tenon and returns what it says, and its exit status.
func (u user) run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := u.command(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// give starts tenon give, which ends with the test at the latest, and waits until
// takers can come.
func (u user) give(t *testing.T, args ...string) (ended func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := u.command(t.Context(), append([]string{"give", "--ready-fd=3"}, args...)...)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{w}, new(bytes.Buffer)
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(r); len(said) == 0 {
		cmd.Wait()
		t.Fatalf("give is not ready, %v: %s", err, cmd.Stderr)
	}
	r.Close()
	return func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("give: %v: %s", err, cmd.Stderr)
		}
	}
}

// What only root may open, a program without any rights uses; and each side has a
// say in whom it meets.
func TestGiveToOtherUser(t *testing.T) {
	if m, _ := os.ReadFile("/proc/self/uid_map"); len(strings.Fields(string(m))) != 3 || strings.Fields(string(m))[2] == "1" {
		t.Skip("this namespace has one user only; run the tests as root")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path, secret := filepath.Join(dir, "tenon"), filepath.Join(dir, "secret")
	if err := errors.Join(os.WriteFile(path, self, 0o755), os.WriteFile(secret, []byte("the crown jewels\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	root, other := user{0, path}, user{nobody, path}
	if _, errs, status := other.run(t, "file:"+secret, "stdout:"); status != 3 {
		t.Fatalf("the file is no secret: status %d: %s", status, errs)
	}

	for _, place := range []string{"@give-to-nobody", filepath.Join(dir, "meet")} {
		ended := root.give(t, "--allow-uid=nobody", place, "file:"+secret)
		if out, errs, status := other.run(t, "take", place, "--", "sh", "-c", "cat <&3"); status != 0 || out != "the crown jewels\n" {
			t.Errorf("%s: nobody takes with status %d and reads %q: %s", place, status, out, errs)
		}
		ended()

		// Root may not: only nobody may.
		ended = root.give(t, "--allow-uid=nobody", place, "file:"+secret)
		if out, errs, status := root.run(t, "take", place); status != 3 || out != "" || !strings.Contains(errs, "user 0") {
			t.Errorf("%s: root takes with status %d and reads %q: %s", place, status, out, errs)
		}
		other.run(t, "take", place)
		ended()

		// Nobody may not, unless it was said.
		ended = root.give(t, place, "file:"+secret)
		if out, errs, status := other.run(t, "take", place); status != 3 || out != "" {
			t.Errorf("%s: uninvited, nobody takes with status %d and reads %q: %s", place, status, out, errs)
		}
		if out, errs, status := root.run(t, "take", place); status != 0 || out != "the crown jewels\n" {
			t.Errorf("%s: root takes with status %d and reads %q: %s", place, status, out, errs)
		}
		ended()
	}

	// What a stranger gives is not taken.
	ended := other.give(t, "--allow-uid=0", "@give-from-nobody", "file:/etc/passwd")
	if _, errs, status := root.run(t, "take", "@give-from-nobody"); status != 3 || !strings.Contains(errs, "not trusted: user 65534") || !strings.Contains(errs, "hint: --from=USER") {
		t.Errorf("root takes from nobody with status %d: %s", status, errs)
	}
	if out, errs, status := root.run(t, "take", "--from=nobody", "@give-from-nobody"); status != 0 || !strings.Contains(out, "root:") {
		t.Errorf("root takes from nobody, as it wants to, with status %d: %s", status, errs)
	}
	ended()
}

// Takers that lie, go away or want nothing leave nothing behind, and the next one is
// served.
func TestGiverSurvivesTakers(t *testing.T) {
	place, file := giveData(t, "--many", "tcp-listen:127.0.0.1:0")
	take := func(end func(c gift.Conn)) {
		t.Helper()
		c := meet(t, place)
		gifts, err := gift.Receive(c)
		if err != nil || len(gifts) != 2 || gifts[0].Name != "meet" || gifts[0].What != "file:"+file {
			t.Fatalf("%+v, %v", gifts, err)
		}
		end(c)
		gift.Close(gifts)
		c.(transport.Conn).Close()
	}
	accept := func(c gift.Conn) { gift.Accept(c) }
	take(accept)
	before := openFiles(t)
	for range 20 {
		take(accept)
		take(func(gift.Conn) {})
		take(func(c gift.Conn) { c.Write([]byte("something else")) })
		meet(t, place).(transport.Conn).Close()
		c := meet(t, place)
		c.Write([]byte{0})
		c.(transport.Conn).Close()
	}
	take(accept)
	for end := time.Now().Add(20 * time.Second); openFiles(t) > before; time.Sleep(time.Millisecond) { // the giver closes its side
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, and %d were before", openFiles(t), before)
		}
	}
}

// Takers that say nothing do not keep the others waiting for as long as they have
// themselves: as many as are served at a time not at all, and more, or one where
// there is one thing to give, for a moment.
func TestSilentTakers(t *testing.T) {
	for name, c := range map[string]struct {
		flags  []string
		silent int
	}{
		"some": {[]string{"--many"}, maxGrants - 1},
		"more": {[]string{"--many"}, maxGrants + 20},
		"one":  {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place, _ := giveData(t, c.flags...)
			for range c.silent {
				meet(t, place)
			}
			taker := meet(t, place)
			taker.(transport.Conn).SetDeadline(time.Now().Add(giftPatience - time.Second))
			gifts, err := gift.Receive(taker)
			if err != nil {
				t.Fatal("behind silent takers: ", err)
			}
			gift.Accept(taker)
			gift.Close(gifts)
		})
	}
}

// giveData has this process give a file, and more, until the test ends.
func giveData(t *testing.T, args ...string) (place, file string) {
	t.Helper()
	dir := t.TempDir()
	place, file = filepath.Join(dir, "meet"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{ctx: ctx, stdout: newConsole(io.Discard), stderr: newConsole(io.Discard)}
	line := []string{"give", place, "file:" + file}
	done := make(chan error, 1)
	go func() { done <- p.main(append(line, args...)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("give ends with %v", err)
		}
		if _, err := os.Lstat(place); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the rendezvous is left: %v", err)
		}
	})
	return place, file
}

// meet connects to a giver as soon as it is there.
func meet(t *testing.T, place string) gift.Conn {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) { // until the giver is there
		c, err := (&local.Unix{Path: place}).Dial(t.Context())
		if err == nil {
			t.Cleanup(func() { c.Close() })
			return c.(gift.Conn)
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// openFiles counts the open descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestItemNames(t *testing.T) {
	for arg, want := range map[string][2]string{
		"tcp-listen:8080":          {"x", "tcp-listen:8080"},
		"http=tcp-listen:8080":     {"http", "tcp-listen:8080"},
		"file:a=b":                 {"x", "file:a=b"},
		"n=file:a=b":               {"n", "file:a=b"},
		"stdin,raw=no":             {},
		"a.b-c_D9=unix-listen:x=y": {"a.b-c_D9", "unix-listen:x=y"},
	} {
		i, err := newItem(arg, "x")
		if want[0] == "" {
			if err == nil {
				t.Errorf("%s: %+v", arg, i)
			}
			continue
		}
		if err != nil || i.name != want[0] || i.addr != want[1] {
			t.Errorf("%s: %+v, %v; want %v", arg, i, err, want)
		}
	}
	for rendezvous, want := range map[string]string{
		"web": "web", "@web": "web", "/run/web.give": "web", "./web": "web", "/a/b c": "unknown", "@a:b": "unknown",
	} {
		if got := defaultName(rendezvous); got != want {
			t.Errorf("descriptors given at %s are called %s, want %s", rendezvous, got, want)
		}
	}
}
