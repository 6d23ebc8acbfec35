package tlslayer

import "github.com/tenon-net/tenon/transport"

// Kinds returns the layer tls and the kinds that are made of it. The name tls with
// nothing beneath it means tls over TCP.
func Kinds() transport.Kinds {
	return transport.Kinds{{
		Name:    "tls",
		Aliases: []string{"ssl", "openssl", "openssl-connect", "ssl-connect"},
		Syntax:  "tls:HOST:PORT or tls+KIND:...",
		Doc:     "TLS over TCP, or over the stream that is named after the plus sign.",
		Example: "tls:example.org:443",
		Traits:  transport.Traits{HalfClose: true, Deadlines: true, Layers: true},
		New:     func() transport.Endpoint { return new(Layer) },
	}, {
		Name:    "tls-listen",
		Aliases: []string{"tls-l", "ssl-listen", "ssl-l", "openssl-listen"},
		Syntax:  "tls-listen:[HOST:]PORT",
		Doc:     "Accept TLS connections, with a certificate made on the spot if cert= names none.",
		Example: "tls-listen:8443,cert=server.pem",
		Traits:  transport.Traits{HalfClose: true, Deadlines: true, Listens: true},
		Stack:   "tls+tcp-listen",
	}}
}
