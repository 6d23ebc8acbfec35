//go:build unix

package proc

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

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
					"exec:cat,pty,wire=socketpair": "pty and wire=socketpair exclude each other",
					"exec:cat,env==x":              "env==x sets no variable",
					"exec:cat,kill-after=soon":     "kill-after: must be a duration such as 500ms, 5s or 1h30m",
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
		Addresses: []string{"sh:sort | uniq -c", `sh:"echo a, b"`, "system:cat", "SHELL:cat"},
		Bad:       map[string]string{"sh:": "there is no program to run", "sh:' '": "there is no program to run"},
		Options:   checks,
	})
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
