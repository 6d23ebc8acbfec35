//go:build unix

package proc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// optionChecks shows for each option that it does something.
func optionChecks() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"pty": func(t *testing.T) {
			wantOutput(t, "sh:'test -t 0 && test -t 1 && test -t 2 && echo yes',pty", "yes\r\n")
		},
		"raw": func(t *testing.T) {
			wantOutput(t, "sh:'echo yes',pty,raw", "yes\n")
		},
		"echo":       testEcho,
		"rows":       func(t *testing.T) { wantOutput(t, "exec:stty size,pty,rows=33,cols=44", "33 44\r\n") },
		"cols":       func(t *testing.T) { wantOutput(t, "exec:stty size,pty,cols=44", "0 44\r\n") },
		"ctty":       func(t *testing.T) { wantOutput(t, "sh:'true </dev/tty && echo yes',pty", "yes\r\n"); testNoCTTY(t) },
		"wire":       testWire,
		"until":      testUntil,
		"stderr":     testStderr,
		"setsid":     testSetsid,
		"group":      testGroup,
		"signal":     testSignal,
		"kill-after": testKillAfter,
		"su":         testSu,
		"dir":        func(t *testing.T) { wantOutput(t, "exec:pwd,dir=/usr", "/usr\n") },
		"arg0":       func(t *testing.T) { wantOutput(t, "exec:'sh -c \"echo $0\"',arg0=other", "other\n") },
		"env":        func(t *testing.T) { wantOutput(t, "sh:echo $A$B,env=A=1,env=B=2=3,env=A=x", "x2=3\n") },
		"clear-env": func(t *testing.T) {
			t.Setenv("TENON_TEST_A", "a")
			wantOutput(t, "exec:/usr/bin/env,clear-env,env=B=b", "B=b\n")
			wantOutput(t, "exec:/usr/bin/env,clear-env,env=TENON_TEST_A,env=NOT_THERE", "TENON_TEST_A=a\n")
		},
		"env-peer": testEnvPeer,
	}
}

func testEcho(t *testing.T) {
	for text, want := range map[string]string{
		"exec:cat,pty":         "hi\r\nhi\r\n",
		"exec:cat,pty,echo=no": "hi\r\n",
	} {
		if got, err := finish(t, dial(t, text), "hi\n"); got != want || err != nil {
			t.Errorf("%s: got %q, error %v; want %q", text, got, err, want)
		}
	}
	c := dial(t, "exec:cat,pty,raw,echo")
	if _, err := c.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	if got := readUntil(t, c, "hihi"); got != "hihi" {
		t.Errorf("raw with echo: got %q", got)
	}
}

func testNoCTTY(t *testing.T) {
	wantOutput(t, "sh:'(true </dev/tty) 2>/dev/null || echo no',pty,ctty=no", "no\r\n")
}

func testWire(t *testing.T) {
	wantOutput(t, "sh:'test -p /dev/stdin && echo pipe'", "pipe\n")
	wantOutput(t, "sh:'test -S /dev/stdin && echo socket',wire=socketpair", "socket\n")
	// What is written to /dev/stdout opens it anew, which a socket does not allow.
	wantOutput(t, "sh:echo again >/dev/stdout", "again\n")
}

func testUntil(t *testing.T) {
	start := time.Now()
	wantOutput(t, "sh:'sleep 20 2>/dev/null & echo started',until=exit", "started\n")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("reading until the exit took %v", took)
	}
	wantOutput(t, "sh:'(sleep 0.3; echo late) & echo first'", "first\nlate\n")
}

func testStderr(t *testing.T) {
	const command = "sh:'echo out; echo err >&2',stderr"
	wantOutput(t, command, "out\nerr\n")
	wantOutput(t, command+"=join", "out\nerr\n")
	wantOutput(t, command+"=null", "out\n")
	file := filepath.Join(t.TempDir(), "log")
	wantOutput(t, command+"="+file, "out\n")
	wantOutput(t, command+"="+file, "out\n")
	if log, err := os.ReadFile(file); string(log) != "err\nerr\n" {
		t.Errorf("the file has %q, error %v", log, err)
	}
	wantOutput(t, "sh:'test -t 2 && echo yes',pty", "yes\r\n")
	wantOutput(t, "sh:'test -t 2 || echo no',pty,stderr=null", "no\r\n")
	if _, err := dialFor(t, nil, "exec:cat,stderr=/nowhere/at/all"); err == nil || !strings.HasPrefix(err.Error(), "stderr: ") {
		t.Errorf("a file that cannot be opened: error %v", err)
	}
}

// sessionAndGroup prints the session and process group of a shell, and its own id.
const sessionAndGroup = `sh:'set -- $(cut -d" " -f5,6 /proc/self/stat); test $1 = $$ && echo leads group; test $2 = $$ && echo leads session; echo .'`

func testSetsid(t *testing.T) {
	wantOutput(t, sessionAndGroup+",setsid", "leads group\nleads session\n.\n")
}

func testGroup(t *testing.T) {
	wantOutput(t, sessionAndGroup, "leads group\n.\n")
	wantOutput(t, sessionAndGroup+",group=no", ".\n")
}

func testSignal(t *testing.T) {
	c := dial(t, `sh:'trap "exit 7" USR1; echo ready; while :; do sleep 0.05; done',signal=usr1,kill-after=500ms,stderr=null`)
	readUntil(t, c, "ready")
	if e := wantExit(t, c.Close(), 7); e.Overdue != 500*time.Millisecond {
		t.Errorf("overdue by %v", e.Overdue)
	}
}

func testKillAfter(t *testing.T) {
	c := dial(t, `sh:'trap "" TERM; echo ready; while :; do sleep 0.05; done',kill-after=100ms`)
	readUntil(t, c, "ready")
	start := time.Now()
	e := wantExit(t, c.Close(), 128+9)
	if took := time.Since(start); took < 200*time.Millisecond || took > 4*time.Second {
		t.Errorf("Close took %v", took)
	}
	if got, want := e.Error(), "the command was still running after 100ms, and was ended by SIGKILL"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	c = dial(t, "sh:'exec >&- 2>&-; sleep 0.5; exit 3',kill-after=never")
	wantExit(t, c.Close(), 3)
}

func testSu(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can run programs as another user")
	}
	wantOutput(t, "sh:'id -un; echo $USER $LOGNAME; id -G',su=daemon", "daemon\ndaemon daemon\n1\n")
	wantOutput(t, "exec:id -u,su=1", "1\n")
	wantOutput(t, "sh:'stat -c %U $(tty)',pty,su=daemon", "daemon\r\n")
	if _, err := dialFor(t, nil, "exec:id,su=nobody-of-that-name"); err == nil {
		t.Error("an unknown user is taken")
	}
}
