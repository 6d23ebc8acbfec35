// Package proc has the ends that are programs: exec runs one, sh runs a line of
// shell. What the program reads is what is written to the end, and what it writes
// is what is read from it.
//
// By default a program gets two pipes, since those are what programs are written
// for: they can be opened again as /dev/stdin, they end one direction at a time,
// and a program that stops reading its input leaves a clean end behind it. With
// wire=socketpair it gets a socket, which a joint can hand to the kernel whole,
// and with pty a terminal of its own.
//
// Reading ends when nobody has the program's output open any more. That is when
// the program ends, unless it has left others behind that write to it still; with
// until=exit they are not waited for. That end of file ends one direction; both have
// ended ([transport.Ender]) when nobody has the program's input open either, which is
// as soon as the program has exited and left no children with it.
//
// Where only one direction is used ([transport.WithUse]) there is no pipe for the other:
// a program that is only written to has our own standard output, and one that is only
// read our own standard input.
//
// # How a program ends
//
// Close closes both directions, which is all that most programs need. One that
// still runs after kill-after gets a signal, and later SIGKILL. Close returns nil
// if the program ended with status 0, else an [*ExitError]. It also returns nil
// if the program was ended by being told that nobody reads its output any more:
// by SIGPIPE, or by the SIGHUP of a terminal, while it was still writing. On a
// socketpair or a terminal programs may get an error in place of the signal, so there
// the status of one that was closed while it was running does not count.
//
// Abort ends the program with a signal before its input is closed, so that input
// which was cut off does not look complete, and a second later with SIGKILL.
//
// No program outlives its Conn as a zombie. Signals go to the program's process
// group, so that its children end with it. Children that a program leaves behind
// when it ends by itself, as one that starts a server does, are left alone.
package proc
