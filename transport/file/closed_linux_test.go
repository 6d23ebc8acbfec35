package file

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What is written to a standard descriptor that was closed is an error and not lost,
// whatever the end is called; what is written to /dev/null is meant to be lost.
func TestClosedDescriptors(t *testing.T) {
	const output = "standard output is closed"
	for _, test := range []struct{ address, redirection, want string }{
		{"-", ">&-", output},
		{"-", "<&- >&- 2>&1", output},
		{"stdout:", ">&-", output},
		{"fd:1", ">&-", output},
		{"fd:0,out=1", ">&-", output},
		{"fd:2", "2>&-", "standard error is closed"},
		{"fd:0", "<&-", "standard input is closed"},
		{"-", ">/dev/null", ""},
		{"-", "<&- >/dev/null", ""},
		{"-", "0<>/dev/null 1>&0", ""},
		{"fd:1", ">/dev/null", ""},
		{"stdout:", ">>/dev/null", ""},
	} {
		kind, _, _ := strings.Cut(test.address, ":")
		report := t.TempDir() + "/report"
		cmd := exec.Command("/bin/sh", "-c", os.Args[0]+" 2>"+report+" "+test.redirection)
		if strings.Contains(test.redirection, "2>") {
			cmd = exec.Command("/bin/sh", "-c", os.Args[0]+" "+test.redirection)
		}
		cmd.Env = append(os.Environ(), childEnv+"=say", "TENON_TEST_KIND="+kind, "TENON_TEST_ADDRESS="+test.address)
		err := cmd.Run()
		got, _ := os.ReadFile(report) // is not there if descriptor 2 is redirected
		if (err != nil) != (test.want != "") || !strings.Contains(test.redirection, "2>") && !strings.HasPrefix(string(got), test.want) {
			t.Errorf("%s with %s: %v, %q; want %q", test.address, test.redirection, err, got, test.want)
		}
	}
}
