package tenon

import "github.com/tenon-net/tenon/transport"

// Errors that say what sort of failure an [Error] is. Test with [errors.Is].
var (
	ErrUsage   = transport.ErrUsage   // the address or its options are wrong: exit status 2
	ErrDenied  = transport.ErrDenied  // access, certificate, credentials: exit status 3
	ErrTimeout = transport.ErrTimeout // idle, handshake, a limit: exit status 4
)

// An Error says what was being done to which end. It reads from left to right:
// "dial tcp:db:5432: connection refused".
type Error = transport.Error
