// Command fuzzall runs every fuzz target of the module, one after another, each for
// the same time. It ends with status 1 if any found something; the input is then
// in the package's testdata/fuzz, as go test -fuzz leaves it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	each := flag.Duration("time", time.Minute, "for each target")
	only := flag.String("run", "", "only targets whose name contains this")
	flag.Parse()
	failed := false
	for _, t := range targets() {
		if !strings.Contains(t.name, *only) {
			continue
		}
		fmt.Printf("== %s %s\n", t.pkg, t.name)
		cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), t.pkg)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

type target struct{ pkg, name string }

// targets asks every package for its fuzz targets.
func targets() []target {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "go list:", err)
		os.Exit(1)
	}
	var all []target
	for _, pkg := range strings.Fields(string(out)) {
		names, err := exec.Command("go", "test", "-list", "^Fuzz", pkg).Output()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s\n", pkg, bytes.TrimSpace(names))
			os.Exit(1)
		}
		for _, name := range strings.Fields(string(names)) {
			if strings.HasPrefix(name, "Fuzz") {
				all = append(all, target{pkg, name})
			}
		}
	}
	return all
}
