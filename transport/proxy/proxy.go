// Package proxy has what one end tells another about connections made on behalf
// of somebody else: SOCKS and HTTP proxies, both sides of them, and the PROXY
// protocol.
//
// The layers [SOCKS5], [SOCKS4] and [HTTPConnect] ask a proxy for a way to a
// target. They go round a connection to the proxy, so a chain of proxies is one
// layer after another; [ParseVia] reads how people write a proxy. [DialSOCKS] and
// [DialHTTP] are the same for one proxy, as socat writes it.
//
// The layers [SOCKSServer] and [HTTPServer] are the other side. What they return
// is a [transport.Caller]: they ask where the client wants to go, whether it may,
// and answer it, but never connect to anything themselves.
//
// [SendHeader] and [AcceptHeader] carry the addresses of a client past a relay.
//
// Once a handshake is over, an end of file ends one direction, as it does beneath. So
// it is for the client of an HTTP proxy whose request has been read to its end: the
// answer still goes back.
//
// A handshake reads what it must and no byte more where the protocol allows that,
// so that a joint can have the kernel move the rest. Where it does not, what came
// too early is read again before what follows.
package proxy

import "github.com/tenon-net/tenon/transport"

// The names of the kinds, which are also in Info().Kind.
const (
	kindSOCKS4      = "socks4"
	kindSOCKS4a     = "socks4a"
	kindSOCKS5      = "socks5"
	kindHTTPConnect = "proxy"
	kindSOCKSServer = "socks-server"
	kindHTTPServer  = "http-proxy-server"
	kindHeader      = "proxy-protocol"
)

// Kinds returns the kinds of this package.
func Kinds() transport.Kinds {
	dials := transport.Traits{HalfClose: true, Deadlines: true}
	layers := transport.Traits{HalfClose: true, Deadlines: true, Layers: true}
	return transport.Kinds{
		{
			Name: kindSOCKS4, Aliases: []string{"socks", "socks4-connect"},
			Syntax:  "socks4:PROXY:HOST:PORT",
			Doc:     "Connects to HOST through a SOCKS4 proxy, with the name resolved here to an IPv4 address.",
			Example: "socks4:proxy.example:db.example:5432",
			Traits:  dials,
			New:     func() transport.Endpoint { return &DialSOCKS{Version: SOCKSVersion4} },
		},
		{
			Name: kindSOCKS4a, Aliases: []string{"socks4a-connect"},
			Syntax:  "socks4a:PROXY:HOST:PORT",
			Doc:     "Connects to HOST through a SOCKS4 proxy, which resolves the name.",
			Example: "socks4a:proxy.example:db.example:5432,socksport=9050",
			Traits:  dials,
			New:     func() transport.Endpoint { return &DialSOCKS{Version: SOCKSVersion4a} },
		},
		{
			Name: kindSOCKS5, Aliases: []string{"socks5-connect"},
			Syntax:  "socks5:PROXY:[PORT:]HOST:PORT",
			Doc:     "Connects to HOST through a SOCKS5 proxy, which resolves the name.",
			Example: "socks5:proxy.example:db.example:5432,socksuser=bob,sockspass=@/run/secret",
			Traits:  dials,
			New:     func() transport.Endpoint { return &DialSOCKS{Version: SOCKSVersion5} },
		},
		{
			Name: kindHTTPConnect, Aliases: []string{"proxy-connect", "http-connect"},
			Syntax:  "proxy:PROXY:HOST:PORT",
			Doc:     "Connects to HOST through an HTTP proxy with the CONNECT method; the proxy resolves the name.",
			Example: "proxy:proxy.example:db.example:5432,proxyport=3128,proxyauth=@/run/secret",
			Traits:  dials,
			New:     func() transport.Endpoint { return new(DialHTTP) },
		},
		{
			Name:    kindSOCKSServer,
			Syntax:  "socks-server+LISTENER",
			Doc:     "Asks clients by SOCKS4, 4a or 5 where they want to go.",
			Example: "socks-server+unix-listen:/run/socks.sock",
			Traits:  layers,
			New:     func() transport.Endpoint { return new(SOCKSServer) },
		},
		{
			Name: "socks5-listen", Aliases: []string{"socks-listen"},
			Syntax:  "socks5-listen:[HOST:]PORT",
			Doc:     "Is a SOCKS proxy, version 4, 4a and 5, for the clients that connect to PORT.",
			Example: "socks5-listen:1080,allow-target=*.example:443",
			Traits:  transport.Traits{HalfClose: true, Deadlines: true, Listens: true},
			Stack:   kindSOCKSServer + "+tcp-listen",
		},
		{
			Name:    kindHTTPServer,
			Syntax:  "http-proxy-server+LISTENER",
			Doc:     "Asks clients by HTTP, with CONNECT or a whole URL, where they want to go.",
			Example: "http-proxy-server+unix-listen:/run/proxy.sock",
			Traits:  layers,
			New:     func() transport.Endpoint { return new(HTTPServer) },
		},
		{
			Name:    "http-proxy-listen",
			Syntax:  "http-proxy-listen:[HOST:]PORT",
			Doc:     "Is an HTTP proxy, for CONNECT and plain requests, for the clients that connect to PORT.",
			Example: "http-proxy-listen:8080,users=@/etc/proxy-users",
			Traits:  transport.Traits{HalfClose: true, Deadlines: true, Listens: true},
			Stack:   kindHTTPServer + "+tcp-listen",
		},
		{
			Name:    kindHeader,
			Syntax:  "proxy-protocol+ADDRESS",
			Doc:     "Tells the next server who the client is, or learns it from the one before, by the PROXY protocol.",
			Example: "proxy-protocol+tcp:backend.example:80,proxy-version=1",
			Traits:  layers,
			New:     func() transport.Endpoint { return new(Header) },
		},
	}
}
