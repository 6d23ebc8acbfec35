// Command release makes the file that is given to people: the program, with the image
// that knows peers at its end. "go run ./internal/release [FILE]" writes dist/tenon, or
// FILE, for the system that GOOS and GOARCH name; VERSION is what the program will say
// that it is. Both parts are built from the same source at the same moment, without cgo
// and without the paths of this machine.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/tenon-net/tenon/internal/image"
)

func main() {
	file := filepath.Join("dist", "tenon")
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	if err := release(file); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(file), ".release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it is there for a moment only
	plain, node := filepath.Join(temp, "plain"), filepath.Join(temp, "node")
	if err := build(plain, ""); err != nil {
		return err
	}
	if err := build(node, "node"); err != nil {
		return err
	}
	if err := appendImage(plain, node); err != nil {
		return err
	}
	return os.Rename(plain, file)
}

func build(file, tags string) error {
	flags := "-s -w"
	if v := os.Getenv("VERSION"); v != "" {
		flags += " -X main.version=" + v
	}
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags, "-ldflags", flags, "-o", file, "./cmd/tenon")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// appendImage puts node at the end of plain, and looks whether it is found there.
func appendImage(plain, node string) error {
	out, err := os.OpenFile(plain, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // it is checked below
	in, err := os.Open(node)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	if err := image.Append(out, in); err != nil {
		return err
	}
	size, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	i, err := image.Find(out, size)
	if err != nil {
		return err
	}
	if err := i.Check(out); err != nil {
		return err
	}
	return out.Close()
}
