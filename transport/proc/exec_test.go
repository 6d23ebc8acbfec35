//go:build unix

package proc

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func kind(name string) transport.Kind {
	k, _ := Kinds().Lookup(name)
	return k
}

func TestExec(t *testing.T) {
	for name, text := range map[string]string{"pipes": "exec:cat", "socketpair": "exec:cat,wire=socketpair"} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Harness{
				Kind: kind("exec"), Echo: true,
				Pair:      func(t testing.TB) (a, b transport.Conn) { return dial(t, text), nil },
				Endpoint:  func(testing.TB) transport.Endpoint { return &Exec{Args: []string{"cat"}} },
				Addresses: []string{"exec:sort -u", `exec:"echo a, b"`, `exec:'grep -n "a,b"',pty,stderr`, "exec:cat,env=A=1,env=B=2"},
				Bad: map[string]string{
					"exec:":                        "there is no program to run",
					"exec:''":                      "there is no program to run",
					"exec:cat,signal=NEVER":        `there is no signal "NEVER"`,
					"exec:cat,rows=5":              "raw, echo, ctty, rows and cols need pty",
					"exec:cat,pty,wire=socketpair": "pty and wire exclude each other",
					"exec:cat,env==x":              "env sets no variable: there is no name before the =",
					"exec:cat,kill-after=soon":     "kill-after: must be a duration such as 500ms, 5s, 1h30m, 7d or 2w",
					`exec:'echo "a'`:               "a quote is never closed",
				},
				Options: optionChecks(),
			})
		})
	}
}

func TestShell(t *testing.T) {
	checks := maps.Clone(optionChecks())
	checks["shell"] = func(t *testing.T) {
		shell := filepath.Join(t.TempDir(), "shell")
		if err := os.WriteFile(shell, []byte("#!/bin/sh\necho my shell: \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		wantOutput(t, "sh:echo hi,shell="+shell, "my shell: -c echo hi\n")
	}
	transporttest.Run(t, transporttest.Harness{
		Kind: kind("sh"), Echo: true,
		Pair:      func(t testing.TB) (a, b transport.Conn) { return dial(t, "sh:cat | cat"), nil },
		Endpoint:  func(testing.TB) transport.Endpoint { return &Shell{Command: "cat"} },
		Addresses: []string{"sh:sort | uniq -c", `sh:"echo a, b"`, "system:cat", "CMD:cat"},
		Bad:       map[string]string{"sh:": "there is no program to run", "sh:' '": "there is no program to run"},
		Options:   checks,
	})
}

// As in socat, shell: asks the environment which shell it is, and system: does not.
func TestOwnShell(t *testing.T) {
	shell := filepath.Join(t.TempDir(), "shell")
	if err := os.WriteFile(shell, []byte("#!/bin/sh\necho mine\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SHELL", shell)
	wantOutput(t, "shell:echo hi", "mine\n")
	wantOutput(t, "shell:echo hi,shell=/bin/sh", "hi\n")
	wantOutput(t, "system:echo hi", "hi\n")
	t.Setenv("SHELL", "")
	wantOutput(t, "shell:echo hi", "hi\n")
	checks := maps.Clone(optionChecks())
	checks["shell"] = func(*testing.T) {} // above
	transporttest.Run(t, transporttest.Harness{
		Kind: kind("shell"), Addresses: []string{"shell:sort | uniq -c", "SHELL:cat"},
		Bad: map[string]string{"shell:": "there is no program to run", "shell:cat,shell=": "shell: must not be empty"}, Options: checks,
	})
}

// Options that would do nothing are refused.
func TestOptionsThatWouldDoNothing(t *testing.T) {
	group := "group=no goes with neither pty nor setsid: who leads a session leads a group"
	for text, want := range map[string]string{
		"exec:cat,pty,wire=pipes":      "pty and wire exclude each other",
		"exec:cat,pty,group=no":        group,
		"exec:cat,setsid,group=no":     group,
		"exec:cat,raw":                 "raw, echo, ctty, rows and cols need pty",
		"exec:cat,echo=no":             "raw, echo, ctty, rows and cols need pty",
		"exec:cat,ctty":                "raw, echo, ctty, rows and cols need pty",
		"exec:cat,su=":                 "su: must not be empty",
		"exec:cat,dir=":                "dir: must not be empty",
		"exec:cat,env=":                "env: must not be empty",
		"exec:cat,signal=":             "signal: must not be empty",
		"exec:cat,user=root":           `unknown option "user"`,    // socat's is the owner of a descriptor
		"exec:cat,setpgid=0":           `unknown option "setpgid"`, // socat's names a group
		"exec:cat,env==hunter2,stderr": "env sets no variable: there is no name before the =",
	} {
		e, err := transporttest.Fill(kind("exec"), text)
		if err == nil {
			err = e.(transport.Validator).Validate()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// A variable may hold a password, and is not shown to anybody.
func TestEnvironmentIsSecret(t *testing.T) {
	for _, k := range Kinds() {
		var s opt.Set
		k.New().Bind(&s)
		if err := s.Set("env", "PASSWORD=hunter2", true); err != nil {
			t.Fatal(err)
		}
		if d := s.Lookup("env"); !d.Secret || strings.Contains(d.Value(), "hunter2") {
			t.Errorf("%s: env is secret: %v, and shows as %q", k.Name, d.Secret, d.Value())
		}
	}
}

func BenchmarkExec(b *testing.B) {
	for name, text := range map[string]string{"pipes": "exec:cat", "socketpair": "exec:cat,wire=socketpair"} {
		b.Run(name, func(b *testing.B) {
			transporttest.Bench(b, transporttest.Harness{
				Kind: kind("exec"), Echo: true,
				Pair: func(t testing.TB) (a, c transport.Conn) { return dial(t, text), nil },
			})
		})
	}
}
