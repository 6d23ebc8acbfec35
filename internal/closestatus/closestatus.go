// Package closestatus has the one form in which a [transport.CloseStatus] goes over wires
// between nodes, and between a node and its programs: docs/protocol/service.md, "status". It says
// neither when one is sent nor what its codes mean.
package closestatus

import (
	"encoding/binary"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// Bounds, in bytes.
const (
	Max         = 1024 // of all
	MaxProtocol = 64
	MaxReason   = Max - 1 - MaxProtocol - 8
)

// None is what stands for no status where one was announced.
var None = []byte{0}

// Marshal returns a byte of length, the protocol, eight bytes of code and the reason, which is
// cut if it is too long. It returns nil for a protocol that is none.
func Marshal(protocol string, s transport.CloseStatus) []byte {
	if protocol == "" || len(protocol) > MaxProtocol {
		return nil
	}
	b := append([]byte{byte(len(protocol))}, protocol...)
	b = binary.BigEndian.AppendUint64(b, s.Code)
	return append(b, strings.ToValidUTF8(s.Reason[:min(len(s.Reason), MaxReason)], "")...)
}

// Parse returns what b says, and false if that is nothing.
func Parse(b []byte) (protocol string, s transport.CloseStatus, ok bool) {
	if len(b) > Max || len(b) == 0 || b[0] == 0 || b[0] > MaxProtocol || len(b) < 1+int(b[0])+8 {
		return "", s, false
	}
	name, rest := b[1:1+b[0]], b[1+b[0]:]
	return string(name), transport.CloseStatus{Code: binary.BigEndian.Uint64(rest), Reason: strings.ToValidUTF8(string(rest[8:]), "\uFFFD")}, true
}
