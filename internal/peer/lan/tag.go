package lan

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/tenon-net/tenon/internal/peer"
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newName returns the name of an instance: 80 random bits.
func newName() string {
	var b [10]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return encoding.EncodeToString(b[:])
}

// tag is the identity of a peer as it is announced under the name of an instance. Who
// knows the ID can tell that it is this peer; to everybody else tags of one peer under
// two names have nothing in common.
func tag(id peer.ID, name string) string {
	h := hmac.New(sha256.New, id.Bytes())
	h.Write([]byte("tenon lan 1 " + name)) //nolint:errcheck // it does not fail
	return encoding.EncodeToString(h.Sum(nil)[:10])
}

// recognise returns whose tag it is, among some.
func recognise(t, name string, known []peer.ID) (peer.ID, bool) {
	for _, id := range known {
		if hmac.Equal([]byte(tag(id, name)), []byte(t)) {
			return id, true
		}
	}
	return peer.ID{}, false
}

// maxPorts is how many ports a node announces.
const maxPorts = 8

// isPort tells whether text is what comes behind the IP address in a multiaddr of a
// node: "/tcp/4001", "/udp/4001/quic-v1" or "/tcp/4001/ws".
func isPort(text string) bool {
	parts := strings.Split(text, "/")
	if len(parts) < 3 || len(parts) > 4 || parts[0] != "" || !isNumber(parts[2]) {
		return false
	}
	switch parts[1] + strings.TrimPrefix(text, "/"+parts[1]+"/"+parts[2]) {
	case "tcp", "tcp/ws", "udp/quic-v1":
		return true
	}
	return false
}

// isNumber tells whether text is a port from 1 to 65535, written in one way only.
func isNumber(text string) bool {
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' {
			return false
		}
		n = n*10 + int(r-'0')
	}
	return len(text) > 0 && len(text) <= 5 && text[0] != '0' && n <= 65535
}

// portsText joins ports to the value of a TXT record.
func portsText(ports []string) string {
	var ok []string
	for _, p := range ports {
		if isPort(p) && len(ok) < maxPorts {
			ok = append(ok, p)
		}
	}
	return strings.Join(ok, " ")
}

// readPorts is the reverse of portsText. What is no port is left out.
func readPorts(text string) []string {
	return strings.Fields(portsText(strings.SplitN(text, " ", maxPorts+1)))
}
