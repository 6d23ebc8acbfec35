package transport

import (
	"fmt"
	"strings"
	"time"
)

// An ExitError is how a program ended that did not end well. Close of an end that is one
// returns it, and so does Close of a connection to a peer at whose side the program ran.
type ExitError struct {
	Program string        // as it was called
	Status  int           // of exit(2); 0 if a signal ended the program
	Signal  string        // "SIGTERM"; "" if it ended by itself
	Number  int           // of Signal
	Overdue time.Duration // not 0: it went on for so long after Close, and was sent Signal
	Remote  bool          // another computer says so
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

// exitProtocol is the protocol of the [CloseStatus] that says how a program ended. The code
// is the ExitCode, and the reason is up to two words: how long the program was overdue, and the
// name of the signal, or "signal" if it has none. What the program is called is not told.
const exitProtocol = "exit"

// CloseStatus returns what a [StatusCarrier] is to carry.
func (e *ExitError) CloseStatus() (protocol string, s CloseStatus) {
	var words []string
	if e.Overdue != 0 {
		words = append(words, e.Overdue.String())
	}
	switch {
	case isSignalName(e.Signal):
		words = append(words, e.Signal)
	case e.Signal != "":
		words = append(words, "signal")
	}
	return exitProtocol, CloseStatus{uint64(e.ExitCode()), strings.Join(words, " ")}
}

// CarriedExit returns the [ExitError] of a program at the other side of a [StatusCarrier], or
// nil: that side says nothing, or that all is well.
func CarriedExit(c StatusCarrier) error {
	if protocol, s, ok := c.CarriedStatus(); ok && protocol == exitProtocol && s.Code != 0 {
		return RemoteExit(s)
	}
	return nil
}

// RemoteExit returns what another computer says of a program that did not end well. Only what
// can be true of a program is taken from it, so that nothing it says reads as a success, or as
// anything but the end of a program.
func RemoteExit(s CloseStatus) *ExitError {
	e := &ExitError{Program: "the program", Status: 1, Remote: true}
	if s.Code == 0 || s.Code > 255 {
		return e // no program that failed ends so
	}
	e.Status = int(s.Code)
	first, signal, _ := strings.Cut(s.Reason, " ")
	if d, err := time.ParseDuration(first); err == nil && d > 0 {
		e.Overdue = d
	} else {
		signal = s.Reason
	}
	if number := e.Status - 128; number > 0 && (signal == "signal" || isSignalName(signal)) {
		e.Status, e.Number, e.Signal = 0, number, signal
		if signal == "signal" {
			e.Signal = fmt.Sprintf("signal %d", number)
		}
	}
	return e
}

func isSignalName(s string) bool {
	name, ok := strings.CutPrefix(s, "SIG")
	return ok && name != "" && len(name) <= 12 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
