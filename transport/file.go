package transport

import "os"

// A FilePasser is a Conn that can hand an open file, socket or pipe to the program
// at the other side, which has it from then on just as the sender does.
//
// A file travels beside the data. On a unix socket of streams it also takes one
// byte of the data, so both sides must say beforehand where in the stream that is:
// ReceiveFile there is called instead of Read, not at the same time. On shared
// memory and on sockets of messages a file has no place in the order of the data.
type FilePasser interface {
	// SendFile hands f over. It stays open for the caller, who may close it
	// once SendFile has returned.
	SendFile(f *os.File) error

	// ReceiveFile waits for the next file, which the caller owns. It is bound by
	// the read deadline. A file can be of any sort: a receiver that does
	// not trust the sender looks before it reads. The end is [io.EOF].
	ReceiveFile() (*os.File, error)
}
