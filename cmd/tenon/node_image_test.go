//go:build unix && !node && !nopeer

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// nodeImage puts the image that knows peers beside the program that scripts run, and
// returns where it is. It is the test binary of that image, which is the program if it
// is called so, as this one is: one build for both.
var nodeImage = sync.OnceValues(func() (string, error) {
	tenon, err := exec.LookPath("tenon")
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(tenon), nodeName)
	args := []string{"test", "-c", "-tags", "node", "-ldflags=-w", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the image that knows peers: %w\n%s", err, out)
	}
	return path, nil
})

// The tests that are about what only that image has run in it.
func TestNodeImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the other image")
	}
	t.Parallel()
	path, err := nodeImage()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run", "^TestNode"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.Command(path, args...)
	cmd.Args[0] = "tenon.test"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

// peersPath is a directory in which that image is the program. Scripts start it a thousand
// times, and who starts the other one first starts two: tests that are no scripts do.
var peersPath = sync.OnceValues(func() (string, error) {
	image, err := nodeImage()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(image), "peers")
	return dir, errors.Join(os.Mkdir(dir, 0o755), os.Symlink(image, filepath.Join(dir, "tenon")))
})

// cmdPeers is "peers": from here on the program of the script knows peers.
func cmdPeers(ts *testscript.TestScript, neg bool, args []string) {
	dir, err := peersPath()
	ts.Check(err)
	ts.Setenv("PATH", dir+string(filepath.ListSeparator)+ts.Getenv("PATH"))
}

// cmdPaired is "paired A B": it pairs two nodes, of which the state is in directories of
// their names. Each calls the other so.
func cmdPaired(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: paired A B")
	}
	tenon, err := lookPath(ts, "tenon")
	ts.Check(err)
	pair := func(name string, more ...string) *exec.Cmd {
		cmd := exec.Command(tenon, append([]string{"pair", "--dir", ts.MkAbs(name), "--as", name}, more...)...)
		cmd.Env, cmd.Stderr = scriptEnv(ts), os.Stderr
		return cmd
	}
	shows := pair(args[0], "-q")
	out, err := shows.StdoutPipe()
	ts.Check(err)
	ts.Check(shows.Start())
	code, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = pair(args[1], "-q", strings.TrimSpace(code)).Run()
	}
	if err != nil {
		shows.Process.Kill()
	}
	go io.Copy(io.Discard, out)
	ts.Check(errors.Join(err, shows.Wait()))
}
