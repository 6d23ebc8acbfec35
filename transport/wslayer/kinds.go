package wslayer

import "github.com/tenon-net/tenon/transport"

// Kinds returns the layer ws and the kinds that are made of it. The name ws with
// nothing beneath it means ws over TCP.
func Kinds() transport.Kinds {
	traits := transport.Traits{Messages: true, Deadlines: true, EndsBoth: true}
	layer, listens := traits, traits
	layer.Layers, layer.Path = true, true
	listens.Listens = true
	return transport.Kinds{{
		Name:    "ws",
		Aliases: []string{"websocket", "ws-connect"},
		Syntax:  "ws://HOST[:PORT][/PATH] or ws+KIND:...",
		Doc:     "WebSocket over TCP, or over the stream that is named after the plus sign.",
		Example: "ws://localhost:8080/chat",
		Traits:  layer,
		Port:    "80",
		New:     func() transport.Endpoint { return new(Layer) },
	}, {
		Name:    "wss",
		Aliases: []string{"wss-connect"},
		Syntax:  "wss://HOST[:PORT][/PATH]",
		Doc:     "WebSocket over TLS.",
		Example: "wss://example.org/chat",
		Traits:  traits,
		Stack:   "ws+tls+tcp",
		Port:    "443",
	}, {
		Name:    "ws-listen",
		Aliases: []string{"ws-l", "websocket-listen"},
		Syntax:  "ws-listen:[HOST:]PORT[/PATH]",
		Doc:     "Accept WebSockets from programs and from pages of this host.",
		Example: "ws-listen:8080,origin=https://example.org",
		Traits:  listens,
		Stack:   "ws+tcp-listen",
	}, {
		Name:    "wss-listen",
		Aliases: []string{"wss-l"},
		Syntax:  "wss-listen:[HOST:]PORT[/PATH]",
		Doc:     "Accept WebSockets over TLS.",
		Example: "wss-listen:8443,cert=server.pem",
		Traits:  listens,
		Stack:   "ws+tls+tcp-listen",
	}}
}
