// Package golden compares what a test makes with a file that is kept beside it, such as the vectors of a protocol.
// "go test -update" writes the files of a package anew; what is different then is to be read.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with anew; read the difference")

// Check fails the test if the file does not say what was got. The path is relative to the package's directory.
func Check(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s says something else; -update writes it:\n%s\nand was\n%s", path, got, want)
	}
}
