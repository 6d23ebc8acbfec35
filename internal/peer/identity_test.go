package peer

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

func open(t *testing.T, dir string) *Identity {
	t.Helper()
	i, err := OpenIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() }) //nolint:errcheck // it may be closed
	return i
}

func TestAnIdentityIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "tenon")
	first := open(t, dir)
	id := first.ID()
	for name, want := range map[string]os.FileMode{".": 0o700, keyFile: 0o600, lockFile: 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir).ID(); again != id {
		t.Errorf("%s became %s", id, again)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("files left: %v, %v", files, err)
	}
}

// Who the user is stays when the peer has another key, and is no business of others.
func TestAPersonIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenon")
	i := open(t, dir)
	person, err := i.Person()
	if err != nil || person.ID() == i.ID() {
		t.Fatalf("%v, %v", person, err)
	}
	if _, err := i.Rotate(time.Now()); err != nil {
		t.Fatal(err)
	}
	if again, err := i.Person(); err != nil || again.ID() != person.ID() {
		t.Errorf("%v became %v, %v", person, again, err)
	}
	path := filepath.Join(dir, personFile)
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Person(); err == nil {
		t.Error("what is no key is one, or was replaced")
	}
}

func TestWhatOthersCouldReadIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"key":       func(dir string) error { return os.Chmod(filepath.Join(dir, keyFile), 0o640) },
		"directory": func(dir string) error { return os.Chmod(dir, 0o750) },
		"not ours":  func(dir string) error { return os.Chown(filepath.Join(dir, keyFile), 12345, -1) },
		"their dir": func(dir string) error { return os.Chown(dir, 12345, -1) },
	} {
		dir := filepath.Join(t.TempDir(), "tenon")
		open(t, dir).Close() //nolint:errcheck // checked elsewhere
		if err := spoil(dir); err != nil {
			t.Logf("%s: %v", name, err) // only root can give files away
			continue
		}
		_, err := OpenIdentity(dir)
		if !errors.Is(err, transport.ErrDenied) || !strings.Contains(transport.Hint(err), "chmod") {
			t.Errorf("%s: %v, %q", name, err, transport.Hint(err))
		}
	}
}

func TestAKeyThatIsALinkOrBrokenIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"link":  func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) },
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"cut":   func(path string) error { return os.Truncate(path, 50) },
		"other": func(path string) error {
			return os.WriteFile(path, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600)
		},
	} {
		dir := filepath.Join(t.TempDir(), "tenon")
		open(t, dir).Close() //nolint:errcheck // checked elsewhere
		path := filepath.Join(dir, keyFile)
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path) //nolint:errcheck // a difference would show below
		if _, err := OpenIdentity(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

// TestMain is also another process, which has an identity until its standard input
// ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TENON_TEST_HOLD"); dir != "" {
		i, err := OpenIdentity(dir)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")      //nolint:errcheck // the other side would wait in vain
		bufio.NewReader(os.Stdin).ReadByte() //nolint:errcheck // the end is what is waited for
		runtime.KeepAlive(i)
		os.Exit(0) // without Close, as after a crash
	}
	os.Exit(m.Run())
}

func TestTwoProcessesCannotHaveOneIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenon")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TENON_TEST_HOLD="+dir)
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
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "held"; {
	}
	_, err = OpenIdentity(dir)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || !errors.Is(err, transport.ErrDenied) {
		t.Errorf("%v, want process %d", err, cmd.Process.Pid)
	}
	in.Close() //nolint:errcheck // it ends the process
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := OpenIdentity(dir); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("twice in one process: %v", err)
	}
}

func TestRotateAndOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tenon")
	i := open(t, dir)
	first := i.ID()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for n := uint64(1); n <= 3; n++ {
		before := i.ID()
		r, err := i.Rotate(now)
		if err != nil || r.Old != before || r.New != i.ID() || r.Seq != n {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	last := i.ID()
	i.Close() //nolint:errcheck // checked elsewhere
	i = open(t, dir)
	if got, err := Follow(first, i.Rotations()); err != nil || got != last || i.ID() != last {
		t.Errorf("%s, %v, want %s", got, err, last)
	}
}

// A rotation is cut off after each of its steps.
func TestRotationInterrupted(t *testing.T) {
	for _, c := range []struct {
		name      string
		statement bool
	}{{"before the statement", false}, {"after the statement", true}} {
		dir := filepath.Join(t.TempDir(), "tenon")
		i := open(t, dir)
		private := newPrivate()
		want, next := i.ID(), keyFrom(private)
		if err := i.writeKey(nextFile, private); err != nil {
			t.Fatal(err)
		}
		if c.statement {
			want = next.ID()
			if err := i.write(rotationFile, MarshalRotations([]Rotation{NewRotation(i.key, next, 1, time.Now())})); err != nil {
				t.Fatal(err)
			}
		}
		i.Close() //nolint:errcheck // checked elsewhere
		i = open(t, dir)
		if i.ID() != want {
			t.Errorf("%s: the key is %s, want %s", c.name, i.ID(), want)
		}
		if _, err := os.Stat(i.path(nextFile)); !os.IsNotExist(err) {
			t.Errorf("%s: %s is left: %v", c.name, nextFile, err)
		}
	}
}
