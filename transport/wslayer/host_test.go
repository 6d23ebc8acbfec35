package wslayer_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// A zone is of one machine: a client does not send it, and a listener that is asked
// for by its own address does not look at it.
func TestHostOfAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"ws://[fe80::1%eth0]:8080/":              "[fe80::1]:8080",
		"ws://[fe80::1%25eth0]:8080/":            "[fe80::1]:8080",
		"ws://[fe80::80%eth0]:80/":               "[fe80::80]",
		"ws://[::1]:80/":                         "[::1]",
		"ws://[::1]:8080/":                       "[::1]:8080",
		"ws://[::ffff:10.0.0.1]:81/":             "[::ffff:10.0.0.1]:81",
		"ws://h:http/":                           "h",
		"ws://h:https/":                          "h:443",
		"ws://h:80,host='[fe80::1%eth0]:9'":      "[fe80::1]:9",
		"ws://h:80,host='[fe80::1%25eth0]'":      "[fe80::1]",
		"ws://h:80,host='fe80::1%eth0'":          "fe80::1",
		"ws://h:80,host='100%25.example.org:80'": "100%25.example.org:80",
	} {
		wantRequest(t, text, "\r\nHost: "+want+"\r\n")
	}
	for _, c := range []struct {
		local, host, status string
	}{
		{"[fe80::1%eth0]:80", "[fe80::1]:80", "101"},
		{"[fe80::1%eth0]:80", "[fe80::1]", "101"},
		{"[fe80::1%eth0]:80", "[FE80::0:1]:1", "101"},
		{"[fe80::1%eth0]:80", "[fe80::1%25eth0]:80", "101"},
		{"[fe80::1%eth0]:80", "[fe80::1%eth1]:80", "101"}, // a zone of the client's
		{"[fe80::1]:80", "[fe80::1%eth0]:80", "101"},
		{"[fe80::1%eth0]:80", "[fe80::2]:80", "403"},
		{"[fe80::1%eth0]:80", "[fe80::2%eth0]:80", "403"},
		{"[fe80::1%eth0]:80", "[fe80::1%]:80", "403"},
		{"[::ffff:10.0.0.1]:80", "10.0.0.1", "101"},
		{"10.0.0.1:80", "[::ffff:10.0.0.1]:80", "101"},
		{"10.0.0.1:80", "[::ffff:a00:1]", "101"},
		{"10.0.0.1:80", "10.0.0.1%eth0", "403"},
		{"10.0.0.1:80", "[::ffff:127.0.0.1]", "101"},
		{"10.0.0.1:80", "[::ffff:10.0.0.2]", "403"},
		{"10.0.0.1:80", "10.0.0.1.evil.example", "403"},
		{"[fe80::1%eth0]:80", "fe80.evil.example", "403"},
	} {
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.local))
		wantAnswerAt(t, local, "ws:x:1", "GET / HTTP/1.1\r\nHost: "+c.host+"\r\n"+upgrade+"\r\n", c.status)
		// The page of such a host is of the same origin. Its URL cannot have a zone.
		if c.status == "101" && c.host[0] == '[' && !strings.Contains(c.host, "%") {
			wantAnswerAt(t, local, "ws:x:1", "GET / HTTP/1.1\r\nHost: "+c.host+"\r\nOrigin: http://"+c.host+"\r\n"+upgrade+"\r\n", c.status)
		}
	}
	for text, hosts := range map[string]map[string]string{
		"ws:x:1,host='fe80::9%eth0'":   {"[fe80::9]": "101", "[fe80::9]:80": "101", "[fe80::8]": "403"},
		"ws:x:1,host=app.example:8080": {"app.example:8080": "101", "App.Example.:8080": "101", "app.example": "403", "app.example:80": "403"},
	} {
		for host, status := range hosts {
			wantAnswer(t, text, "GET / HTTP/1.1\r\nHost: "+host+"\r\n", status)
		}
	}
}
