package inet

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestPassedNames(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	for _, test := range []struct{ pid, count, names, want string }{
		{pid, "1", "", "unknown"},
		{pid, "3", "web::admin", "web unknown admin"},
		{pid, "1", "a:b:c", "a"},
		{"1", "1", "", ""},
		{"", "1", "", ""},
		{pid, "", "", ""},
		{pid, "0", "", ""},
		{pid, "-1", "", ""},
		{pid, "999999999", "", ""},
		{pid, "x", "", ""},
	} {
		got, err := passedNames(test.pid, test.count, test.names)
		if strings.Join(got, " ") != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%+v: got %q, error %v", test, got, err)
		}
	}
}
