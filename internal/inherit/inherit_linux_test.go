package inherit

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain says which of the standard descriptors were closed, if it is asked to.
func TestMain(m *testing.M) {
	if path := os.Getenv("INHERIT_REPORT"); path != "" {
		var closed []string
		for fd := range 3 {
			if WasClosed(fd) {
				closed = append(closed, fmt.Sprint(fd))
			}
		}
		if err := os.WriteFile(path, []byte(strings.Join(closed, " ")), 0o600); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The redirections are a shell's, and the program finds out which of its descriptors
// were closed. Those that people redirect to /dev/null were not.
func TestWasClosed(t *testing.T) {
	for redirection, want := range map[string]string{
		"":                           "",
		">&-":                        "1",
		"<&-":                        "0",
		"2>&-":                       "2",
		"<&- >&- 2>&-":               "0 1 2",
		"</dev/null >/dev/null 2>&1": "",
		">>/dev/null 2>/dev/null":    "",
		"0<>/dev/null 1>&0 2>&0":     "", // as daemon(3) has it
		"1<>/dev/null 2>&1":          "", // as Python's DEVNULL, for both
		"1<>/dev/null":               "1",
		">&- 2>/dev/null":            "1",
	} {
		report := t.TempDir() + "/report"
		cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf("INHERIT_REPORT=%q exec %q %s", report, os.Args[0], redirection))
		var out strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", redirection, err, out.String())
		}
		if got, err := os.ReadFile(report); err != nil || string(got) != want {
			t.Errorf("with %q, closed are %q, error %v; want %q", redirection, got, err, want)
		}
	}
}
