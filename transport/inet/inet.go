// Package inet has the ends that speak TCP and UDP, and the listening sockets that
// a service manager or a parent process hands down.
//
//   - [Dial] and [Listen] are TCP, kinds "tcp" and "tcp-listen".
//   - [Inherit] accepts from inherited sockets of TCP or of the file system, kind
//     "accept-fd".
//   - What begins with UDP carries messages.
//
// The end of file of TCP ends one direction, and that of a session of [UDPListen] both
// ([transport.Ender]). The other kinds of UDP have none: [UDP], [UDPDatagram] and
// [UDPRecv] never read [io.EOF], and an error about a datagram that was sent, such as
// ECONNREFUSED, is not the end either.
//
// Connections begin as bare descriptors, so that the kernel can be told to join
// two of them without the runtime of Go between; see [Conn]. The package does not
// encrypt and does not decide who may connect: layers and package tenon do.
package inet

import "github.com/tenon-net/tenon/transport"

// Kinds returns the kinds of the family.
func Kinds() transport.Kinds { return append(tcpKinds(), udpKinds()...) }

func tcpKinds() transport.Kinds {
	stream := transport.Traits{HalfClose: true, Deadlines: true}
	listens := stream
	listens.Listens = true
	return transport.Kinds{
		{
			Name:    "tcp",
			Aliases: []string{"tcp-connect", "connect"},
			Syntax:  "tcp:HOST:PORT",
			Doc:     "Connects by TCP, to the address of the name that answers first.",
			Example: "tcp:example.org:80",
			Traits:  stream,
			New:     func() transport.Endpoint { return new(Dial) },
		},
		{
			Name:    "tcp-listen",
			Aliases: []string{"tcp-l"},
			Syntax:  "tcp-listen:[HOST:]PORT",
			Doc:     "Waits for connections of TCP, on the loopback interface unless a host or * says where.",
			Example: "tcp-listen:8080",
			Traits:  listens,
			New:     func() transport.Endpoint { return new(Listen) },
		},
		preset("tcp4", "tcp", IPv4, stream),
		preset("tcp6", "tcp", IPv6, stream),
		preset("tcp4-listen", "tcp-listen", IPv4, listens),
		preset("tcp6-listen", "tcp-listen", IPv6, listens),
		{
			Name:    "accept-fd",
			Aliases: []string{"accept", "systemd"},
			Syntax:  "accept-fd:N[+N...]|NAME|systemd",
			Doc:     "Accepts from a listening socket that was inherited, by its number or from systemd.",
			Example: "accept-fd:systemd",
			Traits:  listens,
			New:     func() transport.Endpoint { return new(Inherit) },
		},
	}
}

// preset is a kind that is another with a fixed family.
func preset(name, stack string, family Family, traits transport.Traits) transport.Kind {
	k := transport.Kind{
		Name:   name,
		Stack:  stack,
		With:   "family=" + string(family),
		Traits: traits,
	}
	version := "IPv" + name[len("tcp"):len("tcp")+1]
	if traits.Listens {
		k.Aliases = []string{name[:len("tcp4-l")]}
		k.Syntax, k.Example = name+":[HOST:]PORT", name+":8080"
		k.Doc = "Waits for connections of TCP over " + version + "."
	} else {
		k.Aliases = []string{name + "-connect"}
		k.Syntax, k.Example = name+":HOST:PORT", name+":example.org:80"
		k.Doc = "Connects by TCP over " + version + "."
	}
	return k
}
