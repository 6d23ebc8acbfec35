package main

import (
	"strings"

	"github.com/tenon-net/tenon/opt"
)

// habits returns the flags of nc, ncat and socat that Tenon does not have, and what
// does the same here. Letters stand for a flag with one dash, words for one with
// two.
func habits() map[string]string {
	return map[string]string{
		"l": "tenon listen PORT waits for a connection, tenon listen PORT ADDRESS serves many",
		"k": "tenon listen PORT ADDRESS serves one connection after another, and many at once",
		"p": "the port is part of the address: tenon listen PORT, tenon connect HOST:PORT; with --sourceport PORT it calls from a port",
		"s": "tenon connect HOST:PORT --bind ADDRESS calls from an address, tenon listen ADDRESS:PORT listens there",
		"w": "--idle TIME ends a silent joint, the option connect-timeout=TIME an attempt to connect, --for TIME everything",
		"i": "--idle TIME ends a silent joint",
		"N": "an end of file is always passed on",
		"z": "tenon wait HOST:PORT --timeout 1s tells whether a port accepts connections",
		"e": "tenon listen PORT exec:'PROGRAM ARGUMENTS'",
		"c": "tenon listen PORT sh:'COMMAND'",
		"x": "the option via=http://PROXY:PORT or via=socks5://PROXY:PORT goes through a proxy; --dump hex shows what passes",
		"X": "the option via=http://PROXY:PORT or via=socks5://PROXY:PORT says which sort of proxy it is",
		"n": "an address that is a number is not looked up",
		"4": "the kinds tcp4 and udp4, and the option family=ipv4, use IPv4 only",
		"6": "the kinds tcp6 and udp6, and the option family=ipv6, use IPv6 only",
		"C": "crlf is an option of an end: tenon connect HOST:PORT --crlf",
		"I": "rcvbuf=SIZE is an option of an end",
		"O": "sndbuf=SIZE is an option of an end",
		"o": "--tee FILE copies what passes, --dump hex:FILE with time and direction",
		"r": "--tee out:FILE copies what passes from the first end to the second",
		"R": "--tee in:FILE copies what passes from the second end to the first",
		"t": "the option eof-timeout=TIME is how long to wait for the rest when the other end has ended, and this one cannot be told",
		"T": "--idle TIME ends a silent joint",
		"b": "buffers grow as they are needed",
		"d": "-v tells what happens",
		"g": "an option that an end does not have is refused",
		"L": "flock(1) runs one at a time: flock -n FILE tenon ...",
		"W": "flock(1) waits for its turn: flock FILE tenon ...",

		"lf": "lines go to standard error: 2>FILE",
		"ly": "lines go to standard error, from where systemd or logger(1) takes them",
		"lm": "lines go to standard error, from where systemd or logger(1) takes them",
		"ls": "lines go to standard error",
		"lh": "systemd or logger(1) takes lines from standard error, and adds more to them",

		"listen":         "tenon listen PORT waits for a connection",
		"keep-open":      "tenon listen PORT ADDRESS serves one connection after another, and many at once",
		"exec":           "tenon listen PORT exec:'PROGRAM ARGUMENTS'",
		"sh-exec":        "tenon listen PORT sh:'COMMAND'",
		"udp":            "tenon connect udp:HOST:PORT, tenon listen udp-listen:PORT",
		"unixsock":       "tenon connect unix:PATH, tenon listen unix-listen:PATH",
		"ssl":            "tenon connect tls:HOST:PORT, tenon listen tls-listen:PORT",
		"ssl-verify":     "tls verifies its server unless it has the option insecure",
		"ssl-cert":       "cert=FILE is an option of tls",
		"ssl-key":        "key=FILE is an option of tls",
		"ssl-trustfile":  "ca=FILE is an option of tls",
		"ssl-servername": "sni=NAME is an option of tls",
		"ssl-alpn":       "alpn=NAMES is an option of tls",
		"proxy":          "the option via=http://PROXY:PORT or via=socks5://PROXY:PORT goes through a proxy",
		"proxy-type":     "the option via=http://PROXY:PORT or via=socks5://PROXY:PORT says which sort of proxy it is",
		"proxy-auth":     "the option via=http://USER:PASSWORD@PROXY:PORT",
		"proxy-dns":      "the option via=socks4a:// or via=socks5:// has the proxy look names up",
		"recv-only":      "-U is one way, from the second end to the first",
		"send-only":      "-u is one way, from the first end to the second",
		"max-conns":      "--max N limits the connections at once",
		"source":         "tenon connect HOST:PORT --bind ADDRESS calls from an address",
		"source-port":    "tenon connect HOST:PORT --sourceport PORT calls from a port",
		"wait":           "the option connect-timeout=TIME is for an attempt to connect",
		"delay":          "rate=BYTES/s is an option of every end",
		"no-shutdown":    "ignoreeof is an option of the end that ends first: -,ignoreeof",
		"output":         "--tee FILE copies what passes",
		"hex-dump":       "--dump hex:FILE",
		"allowfile":      "allow=NETWORK is an option of every end that listens, and may be given again",
		"denyfile":       "deny=NETWORK is an option of every end that listens, and may be given again",
		"nodns":          "an address that is a number is not looked up",
	}
}

// habit returns advice for a flag that is another program's, or is written as in
// another program; "" if there is none. Nothing of a value is in it.
func habit(f flagWord, s *opt.Set) string {
	advice := habits()[f.name]
	if f.long || advice != "" || f.name == "" {
		return advice
	}
	if d := s.Lookup(f.name); d != nil && len(f.name) > 1 {
		return "a word has two dashes: --" + d.Name
	}
	var each []string
	for _, letter := range f.name {
		d := s.Lookup(string(letter))
		if d == nil || !d.Flag() {
			return habits()[f.name[:1]]
		}
		if flag := "-" + string(letter); len(each) == 0 || each[len(each)-1] != flag {
			each = append(each, flag)
		}
	}
	if len(f.name) == 1 {
		return ""
	}
	return "each letter has a dash of its own, and is said once: " + strings.Join(each, " ")
}
