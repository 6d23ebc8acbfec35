package transport

import "os"

// A FilePasser is a Conn that can hand an open file, socket or pipe to the program
// at the other side, which has it from then on just as the sender does.
//
// A file travels beside the data. On a unix socket it also takes one byte of the
// data, or one message, so both sides must say beforehand where that is:
// ReceiveFile there is called instead of Read or ReadMsg, not at the same time. On
// shared memory a file has no place in the order of the data.
type FilePasser interface {
	// SendFile hands f over. It stays open for the caller, who may close it
	// once SendFile has returned.
	SendFile(f *os.File) error

	// ReceiveFile waits for the next file, which the caller owns. It is bound by
	// the read deadline. A file can be of any sort: a receiver that does
	// not trust the sender looks before it reads. The end is [io.EOF].
	ReceiveFile() (*os.File, error)
}

// A Filer is a Conn or an Acceptor that is open files of the system and nothing
// else, so that another program can go on with them: sockets, a regular file.
type Filer interface {
	// Files returns duplicates of them, which the caller owns: one of a Conn,
	// one for each socket of an Acceptor. The Filer goes on, and Close does
	// what it always does; until then both use the same queue of clients, the
	// same data, the same place in a file. It is not called at the same time
	// as Read or Write.
	//
	// The error matches [errors.ErrUnsupported] if this process does something
	// that the files alone do not, such as to encrypt, or to tell who may
	// come in.
	Files() ([]*os.File, error)
}
