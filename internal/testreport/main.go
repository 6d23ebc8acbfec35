// Command testreport runs go test and prints what a person has to read: a line for
// each package as it ends, then the tests that were skipped and why, then the tests
// that failed with their own output, and last the lines with which go test ends.
// What passed is silent. Its arguments are those of go test, and so is its exit
// status.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// run runs go test. Its whole output is kept in a file if it failed, because the
// report shortens what is long.
func run(args []string) error {
	whole, err := os.CreateTemp("", "go-test-*.json")
	if err != nil {
		return err
	}
	defer whole.Close()
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	// An interrupt ends the tests, and the report says how far they came.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return err
	}
	go forward(signals, cmd.Process)
	r := newReport(os.Stdout)
	readErr := r.read(io.TeeReader(bufio.NewReader(stdout), whole))
	err = errors.Join(cmd.Wait(), readErr)
	if err == nil {
		os.Remove(whole.Name())
	} else {
		r.whole = whole.Name()
	}
	r.finish()
	return err
}

// forward ends with the process.
func forward(signals <-chan os.Signal, to *os.Process) {
	for s := range signals {
		to.Signal(s)
	}
}
