package transport

// A Msg is one message of a batch. Buf is its whole content; an empty one is an
// empty message.
type Msg struct {
	Buf  []byte
	Meta Meta
}

// A MsgBatcher is a MsgConn that moves many messages per call, for joints that
// would otherwise spend most of their time entering and leaving the kernel. Both
// methods may be mixed with ReadMsg and WriteMsg; what one reads, no other does.
//
// A joint of two MsgBatchers is this loop, once for each direction:
//
//	for ms := make([]transport.Msg, transport.MaxBatch); ; {
//		n, err := a.ReadMsgs(ms)
//		if err != nil {
//			return err
//		}
//		if _, err := b.WriteMsgs(ms[:n]); err != nil {
//			return err
//		}
//	}
type MsgBatcher interface {
	MsgConn

	// ReadMsgs waits for a message and returns it with those that have
	// arrived besides, at most len(ms), which must not be 0. It sets Buf and
	// Meta of each. The memory is lent: it is valid until the next ReadMsgs,
	// LendMsg, ReadMsg or Close, and the caller does not write to it. No
	// message is cut: there is no buffer of the caller's to be too short. With
	// an error n is 0; the errors are those of ReadMsg.
	ReadMsgs(ms []Msg) (n int, err error)

	// WriteMsgs sends ms in order, each as WriteMsg would, and returns how
	// many it has sent. It keeps and changes none of them. The error is about
	// the message ms[n]; the rest has not been tried.
	WriteMsgs(ms []Msg) (n int, err error)
}

// MaxBatch is the number of messages after which longer batches gain nothing.
const MaxBatch = 256

// A DropCounter is an end that drops messages when it cannot keep up: those that
// arrive at a queue that is full.
type DropCounter interface {
	Dropped() int64 // messages dropped so far
}

// A MsgForwarder is a MsgConn that shares a reader with others, and can have that
// reader send what arrives straight on, so that no goroutine is woken for it.
type MsgForwarder interface {
	// ForwardMsgs moves messages to another MsgConn until reading ends, with
	// read, such as io.EOF, or writing ends, with write. Nothing is moved
	// after it has returned. It calls moved, from any one goroutine at a time,
	// with the numbers of messages and bytes just written; moved does not
	// block. Messages for which to has no room at the moment are dropped and
	// counted; see [DropCounter].
	//
	// Read matches [errors.ErrUnsupported] and nothing has been moved if it
	// cannot be done with this one; copying them is then left to the caller.
	ForwardMsgs(to MsgConn, moved func(msgs, bytes int)) (read, write error)
}
