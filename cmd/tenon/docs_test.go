package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// The generated documents are those that the program would write now.
func TestDocumentsAreCurrent(t *testing.T) {
	if builtAs == "nopeer" {
		t.Skip("the documents are those of the program with peers")
	}
	for path, write := range map[string]func(func(string)) error{
		"../../docs/options.md": writeMarkdown,
		"../../docs/tenon.1":    writeMan,
	} {
		var want bytes.Buffer
		if err := write(func(line string) { want.WriteString(line + "\n") }); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not current, %v: run make docs", path, err)
		}
	}
}

func TestManualPageIsWellFormed(t *testing.T) {
	out, err := exec.Command("mandoc", "-T", "lint", "-W", "error", "../../docs/tenon.1").CombinedOutput()
	if err != nil {
		t.Errorf("mandoc: %v\n%s; ./check installs mandoc", err, out)
	}
}
