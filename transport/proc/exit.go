package proc

import (
	"fmt"
	"time"
)

// An ExitError is how a program ended that did not end well. Close returns it.
type ExitError struct {
	Program string        // as it was called
	Status  int           // of exit(2); 0 if a signal ended the program
	Signal  string        // "SIGTERM"; "" if it ended by itself
	Number  int           // of Signal
	Overdue time.Duration // not 0: it went on for so long after Close, and we sent Signal
}

func (e *ExitError) Error() string {
	switch {
	case e.Overdue != 0 && e.Signal != "":
		return fmt.Sprintf("%s was still running after %v, and was ended by %s", e.Program, e.Overdue, e.Signal)
	case e.Overdue != 0:
		return fmt.Sprintf("%s was still running after %v, and ended with status %d when it was told to", e.Program, e.Overdue, e.Status)
	case e.Signal != "":
		return fmt.Sprintf("%s was ended by %s", e.Program, e.Signal)
	}
	return fmt.Sprintf("%s ended with status %d", e.Program, e.Status)
}

// ExitCode is the exit status in the way of shells: 128 and the number of the
// signal, if one ended the program. It is never 0.
func (e *ExitError) ExitCode() int {
	switch {
	case e.Signal != "":
		return 128 + e.Number
	case e.Status == 0:
		return 1
	}
	return e.Status
}
