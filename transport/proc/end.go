//go:build unix

package proc

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// abortGrace is how long an aborted program has between the signal and
	// SIGKILL, if kill-after is not less.
	abortGrace = time.Second
	// termGrace is the same for a program that goes on after Close.
	termGrace = 2 * time.Second
)

// reap waits for the program, so that no zombie is left.
func (c *conn) reap() {
	c.status, _ = c.process.Wait() // fails only if the program was waited for already
	close(c.exited)
	c.noteEnd()
	if c.untilEnd {
		c.in.SetReadDeadline(time.Unix(1, 0)) // wakes a Read, which drains; closed is fine too
	}
}

// Close closes both directions, waits until the program has ended and says how it
// did; see the package comment.
func (c *conn) Close() error {
	c.end.Do(func() { c.result = c.finish() })
	return c.result
}

// Abort ends the program before its input ends. Close returns nil after it: that
// the program did not end well is our doing.
func (c *conn) Abort(error) error {
	c.quit.Do(func() { close(c.abort) })
	c.end.Do(func() { c.result = c.finish() })
	return nil
}

// ClosesLate implements [transport.LateCloser]: how the program ends is known when it has.
func (c *conn) ClosesLate() bool { return true }

// ExitError returns what Close has returned, for [transport.PassCloseStatus].
func (c *conn) ExitError() *ExitError { return c.exit.Load() }

func (c *conn) aborted() bool {
	select {
	case <-c.abort:
		return true
	default:
		return false
	}
}

// finish ends the program and returns what Close returns.
func (c *conn) finish() error {
	c.closed.Store(true)
	close(c.closing)
	if c.aborted() {
		c.kill()
		c.wire.close()
		return nil
	}
	early := !c.eof.Load() && !c.hasExited()
	if !c.pty || !c.eof.Load() || c.in == nil {
		c.wire.close()
	}
	// A program that has closed its terminal may still be on its way out: to
	// hang up now would end it by a signal.
	overdue := !c.wait(c.after)
	if overdue {
		c.kill()
	}
	c.wire.close()
	if c.aborted() {
		return nil
	}
	return c.verdict(overdue, early)
}

// wait waits for the program to end, at most for limit; a negative limit is none.
// Abort ends the wait.
func (c *conn) wait(limit time.Duration) (ended bool) {
	var expired <-chan time.Time
	if limit >= 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-c.exited:
		return true
	case <-expired:
	case <-c.abort:
	}
	return false
}

// kill ends the program and all of its group: with the signal that was asked for,
// and if that has not helped in time, with SIGKILL. Reads and writes in progress
// end first.
func (c *conn) kill() {
	past := time.Unix(1, 0)
	c.in.SetReadDeadline(past)   // fails if the files are closed, which does the same
	c.out.SetWriteDeadline(past) // likewise
	grace := termGrace
	if c.aborted() {
		grace = abortGrace
	}
	if c.after >= 0 {
		grace = min(grace, c.after)
	}
	c.send(c.signal)
	c.send(unix.SIGCONT) // a stopped program gets no other signal
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.exited:
	case <-t.C:
	}
	c.send(unix.SIGKILL)
	<-c.exited
}

// send signals the group, or the program if it leads none. When the program is
// gone its number may be another's; as long as its output is open somewhere, it is
// still that of its group.
func (c *conn) send(sig syscall.Signal) {
	if c.hasExited() && (!c.grouped || c.eof.Load()) {
		return
	}
	if c.grouped {
		_ = unix.Kill(-c.process.Pid, sig) // ESRCH: all have ended
		return
	}
	_ = c.process.Signal(sig) // likewise
}

// verdict is how the program ended, in the eyes of whoever closed it; early says
// that this was before the program's own end.
func (c *conn) verdict(overdue, early bool) error {
	if c.status == nil {
		return nil
	}
	ws, ok := c.status.Sys().(syscall.WaitStatus)
	if !ok || c.status.Success() && !overdue {
		return nil
	}
	e := &ExitError{Program: c.program}
	if overdue {
		e.Overdue = c.after
	}
	if ws.Signaled() {
		e.Signal, e.Number = signalName(ws.Signal()), int(ws.Signal())
	} else {
		e.Status = ws.ExitStatus()
	}
	if !overdue && early && c.hungUp(e) {
		return nil
	}
	c.exit.Store(e)
	return e
}

// hungUp tells whether e is the end of a program that was told that nobody reads
// its output any more. A shell makes a status of its child's signal. A write that
// waits may get an error in place of the signal, on a socket always and on a terminal
// if the program ignores the hang-up, as below nohup(1), and what a program makes of
// that is its own affair.
func (c *conn) hungUp(e *ExitError) bool {
	code := e.ExitCode()
	return code == 128+int(unix.SIGPIPE) ||
		c.pty && (code == 128+int(unix.SIGHUP) || e.Signal == "") ||
		c.socket && !c.given.Load() && e.Signal == ""
}

func signalName(s os.Signal) string {
	if n, ok := s.(syscall.Signal); ok {
		if name := unix.SignalName(n); name != "" {
			return name
		}
	}
	return s.String()
}
