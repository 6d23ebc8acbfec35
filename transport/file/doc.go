// Package file has the ends that are files and descriptors: standard input and
// output, files and FIFOs, terminals, serial lines, and small ones made up of
// nothing, such as null and text.
//
// # Files
//
// An address means the same on both sides of a joint, so what is done with a file
// is not guessed from where it stands: file:PATH reads, and write, append, create
// and rdwr say that it is written. A file that is only written is emptied first,
// as by > in a shell, unless append or seek say otherwise; it must exist, unless
// create says that it need not. With atomic the file appears, whole, when the
// other side has ended cleanly, and not at all when it has not.
//
// What arrives for a file that is only read changes nothing and is an error, so
// that nothing is lost in silence: file:PATH!!null drops it.
//
// # Ends of file
//
// Of files, FIFOs, echo and stall an end of file ends one direction, and so it does of
// null, text, zero and random, which go on discarding what is written. A terminal, a
// pseudo terminal and a serial line end both directions when they are hung up
// ([transport.Ender]). Standard input and the descriptors of fd: end one, unless nothing
// that is written to the output can reach anybody by then: a socket that is closed at the
// other side, a pipe without a reader.
//
// # Descriptors of others
//
// Descriptors 0, 1 and those of fd: are often shared with other processes: the
// user's shell reads from the same terminal. A shared descriptor that is made
// non-blocking makes the shell's reads fail, so these are left as they are.
// Instead, reads and writes wait in poll(2), for the descriptor and for Close.
//
// Writing to standard output or error that was closed when the program was started is an
// error, though Go has opened /dev/null there. Reading from a standard input that was
// closed reads the end of file: nothing is lost, and containers start programs so.
package file
