//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tenon-net/tenon/internal/image"
)

// The scripts in testdata/script are what a person could type. Each runs in a
// network of its own (see sandbox_linux_test.go), where names such as db and
// example.org are this machine and every port is free.

// raceOptions has a program that was built with the race detector end at once: it
// waits for a second otherwise, each time.
const raceOptions = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz") }) {
		os.Exit(m.Run()) // fuzzing runs no scripts, and its workers are started with descriptors of their own
	}
	if os.Getenv("TENON_BE") == "" && filepath.Base(os.Args[0]) != "tenon" {
		if signal.Ignored(syscall.SIGHUP) { // below nohup(1), whose word is not for what is tested
			signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
		}
		enterSandbox()
	}
	os.Setenv("GORACE", raceOptions)
	flag.Set("test.parallel", fmt.Sprint(scriptsAtOnce()))
	testscript.Main(m, map[string]func(){"tenon": func() { os.Exit(tenonMain()) }})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"script", "examples"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:                 filepath.Join("testdata", dir),
				RequireExplicitExec: true,
				Setup:               setupScript,
				Cmds:                scriptCommands(),
				Condition:           func(cond string) (bool, error) { return cond == builtAs, nil },
			})
		})
	}
}

// The testscript command stop ends a script, there and then, and what follows is
// not tested: halt is what ends a program.
func TestNoScriptStopsEarly(t *testing.T) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^(stop|skip)\b`).Match(text) {
			t.Errorf("%s: stop and skip leave the rest of a script out; did you mean halt?", path)
		}
	}
}

func setupScript(env *testscript.Env) error {
	env.Setenv("GORACE", raceOptions)
	env.Setenv("TZ", "UTC")
	env.Setenv("TERM", "xterm")
	env.Setenv("HOME", env.WorkDir)
	env.Values[runningKey{}] = map[string]*running{}
	env.Defer(func() {
		for _, r := range env.Values[runningKey{}].(map[string]*running) {
			r.end(syscall.SIGKILL)
		}
	})
	hurry(env)
	return ownSandbox()
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"start":      cmdStart,
		"halt":       cmdHalt,
		"signal":     cmdSignal,
		"await":      cmdAwait,
		"status":     cmdStatus,
		"reaches":    cmdReaches,
		"fill":       cmdFill,
		"eventually": cmdEventually,
		"web":        cmdWeb,
		"carry":      cmdCarry,
		"peers":      cmdPeers,
		"computers":  cmdComputers,
		"paired":     cmdPaired,
	}
}

type runningKey struct{}

// A running program was started by a script and is stopped by it, or at its end.
type running struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (r *running) end(sig syscall.Signal) {
	syscall.Kill(-r.cmd.Process.Pid, sig)
	<-r.done
}

func find(ts *testscript.TestScript, name string) *running {
	r := ts.Value(runningKey{}).(map[string]*running)[name]
	if r == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return r
}

// cmdStart is "start NAME PROGRAM ARGS...": it starts a program, with its output in
// NAME.out and NAME.err. With "tenon" it waits until tenon listens, and sets
// $NAME_addr and $NAME_port. The first argument "-stdin=FILE" gives it input, and
// "-nowait" does not wait.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	wait, stdin := true, ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if f, ok := strings.CutPrefix(args[0], "-stdin="); ok {
			stdin = ts.MkAbs(f)
		} else if args[0] == "-nowait" {
			wait = false
		}
		args = args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start [-stdin=FILE] [-nowait] NAME PROGRAM ARGS...")
	}
	name, words := args[0], args[1:]
	verb := 1 + slices.Index(words[:2], "tenon") // behind a computer of cmdComputers, perhaps
	listens := verb > 0 && wait
	path, err := lookPath(ts, words[0])
	ts.Check(err)
	cmd := exec.Command(path, words[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = scriptEnv(ts)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var ready *os.File
	if listens {
		r, w, err := os.Pipe()
		ts.Check(err)
		defer r.Close()
		defer w.Close()
		cmd.ExtraFiles = []*os.File{w}
		// Before "--", behind which tenon reads no flags.
		cmd.Args = slices.Concat([]string{path}, words[1:verb+1], []string{"--ready-fd=3"}, words[verb+1:])
		ready = r
	}
	if stdin != "" {
		f, err := os.Open(stdin)
		ts.Check(err)
		defer f.Close()
		cmd.Stdin = f
	}
	out, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	ts.Check(cmd.Start())
	r := &running{cmd: cmd, done: make(chan struct{})}
	go func() { cmd.Wait(); close(r.done) }()
	ts.Value(runningKey{}).(map[string]*running)[name] = r
	if listens {
		cmd.ExtraFiles[0].Close()
		ready.SetReadDeadline(time.Now().Add(30 * time.Second))
		line, err := bufio.NewReader(ready).ReadString('\n')
		if errors.Is(err, os.ErrDeadlineExceeded) {
			ts.Fatalf("%s does not listen; perhaps it wants start -nowait", name)
		}
		if line == "" {
			<-r.done
			ts.Fatalf("%s ended before it listened: %s", name, ts.ReadFile(name+".err"))
		}
		addr := strings.TrimSpace(line)
		ts.Setenv(name+"_addr", addr)
		if _, port, err := net.SplitHostPort(addr); err == nil {
			ts.Setenv(name+"_port", port)
		}
	}
}

var signals = map[string]syscall.Signal{"INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP}

// cmdHalt is "halt NAME [SIGNAL]": it ends a program and waits for it.
func cmdHalt(ts *testscript.TestScript, neg bool, args []string) {
	sig := syscall.SIGTERM
	if len(args) == 2 {
		sig = signals[args[1]]
	}
	r := find(ts, args[0])
	r.end(sig)
}

// cmdSignal is "signal NAME SIGNAL": it sends a program a signal.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(syscall.Kill(find(ts, args[0]).cmd.Process.Pid, signals[args[1]]))
}

// cmdAwait is "await NAME [STATUS]": it waits until a program has ended by itself,
// with that exit status.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	r := find(ts, args[0])
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		ts.Fatalf("%s goes on", args[0])
	}
	if len(args) == 2 {
		if got := fmt.Sprint(r.cmd.ProcessState.ExitCode()); got != args[1] {
			ts.Fatalf("%s ended with status %s, want %s: %s", args[0], got, args[1], ts.ReadFile(args[0]+".err"))
		}
	}
}

// cmdStatus is "status N PROGRAM ARGS...": it runs a program, which must end with
// that status. Its output is there for stdout and stderr in the files status.out
// and status.err.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARGS...")
	}
	path, err := lookPath(ts, args[1])
	ts.Check(err)
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), scriptEnv(ts)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	ts.Check(os.WriteFile(ts.MkAbs("status.out"), []byte(out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("status.err"), []byte(errs.String()), 0o600))
	ts.Logf("[stdout]\n%s[stderr]\n%s", out.String(), errs.String())
	if got := fmt.Sprint(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

// cmdReaches is "reaches ADDR": something accepts TCP connections there before long,
// or, as "! reaches", nothing does now.
func cmdReaches(ts *testscript.TestScript, neg bool, args []string) {
	network := "tcp"
	if strings.HasPrefix(args[0], "/") {
		network = "unix"
	}
	// In this goroutine and no other, which would be in another network.
	d := net.Dialer{Timeout: time.Second, FallbackDelay: -1}
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := d.Dial(network, args[0])
		if err == nil {
			c.Close()
		}
		switch {
		case err == nil && neg:
			ts.Fatalf("%s accepts connections", args[0])
		case err == nil || neg:
			return
		case time.Now().After(deadline):
			ts.Fatalf("%s: %v", args[0], err)
		}
		time.Sleep(10 * time.Millisecond) // between two tries
	}
}

// cmdEventually is "eventually FILE REGEXP": the file comes to match before long.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for deadline := time.Now().Add(20 * time.Second); ; {
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		if re.Match(data) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s never matched %s; it is %q", args[0], args[1], data)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// cmdCarry is "carry FILE [IMAGE]": it makes a copy of tenon that carries the program
// IMAGE, which is looked up in PATH, as a release carries the image that knows peers.
func cmdCarry(ts *testscript.TestScript, neg bool, args []string) {
	path, err := lookPath(ts, "tenon")
	ts.Check(err)
	tenon, err := os.ReadFile(path)
	ts.Check(err)
	b := bytes.NewBuffer(tenon)
	if len(args) > 1 {
		path, err := lookPath(ts, args[1])
		ts.Check(err)
		f, err := os.Open(path)
		ts.Check(err)
		defer f.Close()
		ts.Check(image.Append(b, f))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o755))
}

// cmdFill is "fill FILE BYTES": it makes a file of so many bytes that differ.
func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	var n int
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		ts.Fatalf("fill: %v", err)
	}
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7 ^ i>>8 ^ i>>17)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// lookPath finds a program in the script's own PATH.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed; ./check installs what the tests need", name)
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "TERM", "WORK", "GOCOVERDIR", "GORACE", "TENON_BE", "TENON_DIR", "XDG_CONFIG_HOME"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
