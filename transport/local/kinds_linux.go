package local

import "github.com/tenon-net/tenon/transport"

// How the names of sockets are written, and what they are.
const (
	nameSyntax = "PATH|@NAME"
	nameDoc    = "in the file system or by its abstract name"
)

const (
	packetKind       = "unixpacket"
	packetListenKind = "unixpacket-listen"
	gramKind         = "unixgram"
	gramListenKind   = "unixgram-listen"
	gramRecvKind     = "unixgram-recv"
	vsockKind        = "vsock"
	vsockListenKind  = "vsock-listen"
)

// Kinds returns the kinds of the family.
func Kinds() transport.Kinds {
	packet := transport.Traits{HalfClose: true, Deadlines: true, Messages: true}
	gram := transport.Traits{Deadlines: true, Messages: true}
	oneWay, sessions := gram, listens(gram)
	oneWay.OneWay = true
	sessions.EndsBoth = true
	return transport.Kinds{
		connectKind(),
		{Name: "abstract", Aliases: []string{"abstract-connect", "abstract-client"}, Syntax: "abstract:NAME", Example: "abstract:app",
			Doc: "Connects to a unix socket by its abstract name.", Traits: streams(), New: func() transport.Endpoint { return &Unix{abstract: true} }},
		listenKind(),
		{Name: "abstract-listen", Aliases: []string{"abstract-l"}, Syntax: "abstract-listen:NAME", Example: "abstract-listen:app",
			Doc: "Waits for connections to a unix socket with an abstract name.", Traits: listens(streams()), New: func() transport.Endpoint { return &UnixListen{abstract: true} }},
		{Name: packetKind, Aliases: []string{"unixpacket-connect", "unix-seqpacket", "seqpacket"}, Syntax: "unixpacket:PATH|@NAME", Example: "unixpacket:/run/app.sock",
			Doc: "Connects to a unix socket that keeps the boundaries of messages.", Traits: packet, New: func() transport.Endpoint { return new(UnixPacket) }},
		{Name: packetListenKind, Aliases: []string{"unixpacket-l", "seqpacket-listen", "seqpacket-l"}, Syntax: "unixpacket-listen:PATH|@NAME", Example: "unixpacket-listen:/run/app.sock",
			Doc: "Waits for connections to a unix socket that keeps the boundaries of messages.", Traits: listens(packet), New: func() transport.Endpoint { return new(UnixPacketListen) }},
		{Name: gramKind, Aliases: []string{"unixgram-connect", "unix-sendto"}, Syntax: "unixgram:PATH|@NAME", Example: "unixgram:/dev/log",
			Doc: "Sends datagrams to a unix socket, and receives what it answers.", Traits: gram, New: func() transport.Endpoint { return new(Unixgram) }},
		{Name: gramListenKind, Aliases: []string{"unixgram-l", "unix-recvfrom"}, Syntax: "unixgram-listen:PATH|@NAME", Example: "unixgram-listen:/run/app.sock",
			Doc: "Waits for datagrams at a unix socket and opens a session for each sender.", Traits: sessions, New: func() transport.Endpoint { return new(UnixgramListen) }},
		{Name: gramRecvKind, Aliases: []string{"unix-recv"}, Syntax: "unixgram-recv:PATH|@NAME", Example: "unixgram-recv:/run/app.sock",
			Doc: "Receives datagrams at a unix socket from anybody and sends none.", Traits: oneWay, New: func() transport.Endpoint { return new(UnixgramRecv) }},
		{Name: "abstract-sendto", Syntax: "abstract-sendto:NAME", Example: "abstract-sendto:app",
			Doc: "Sends datagrams to a unix socket by its abstract name, and receives what it answers.", Traits: gram, New: func() transport.Endpoint { return &Unixgram{abstract: true} }},
		{Name: "abstract-recvfrom", Syntax: "abstract-recvfrom:NAME", Example: "abstract-recvfrom:app",
			Doc: "Waits for datagrams at an abstract name and opens a session for each sender.", Traits: sessions, New: func() transport.Endpoint { return &UnixgramListen{abstract: true} }},
		{Name: "abstract-recv", Syntax: "abstract-recv:NAME", Example: "abstract-recv:app",
			Doc: "Receives datagrams at an abstract name from anybody and sends none.", Traits: oneWay, New: func() transport.Endpoint { return &UnixgramRecv{abstract: true} }},
		{Name: vsockKind, Aliases: []string{"vsock-connect"}, Syntax: "vsock:CID:PORT", Example: "vsock:host:5000",
			Doc: "Connects a virtual machine with its host.", Traits: streams(), New: func() transport.Endpoint { return new(Vsock) }},
		{Name: vsockListenKind, Aliases: []string{"vsock-l"}, Syntax: "vsock-listen:[CID:]PORT", Example: "vsock-listen:5000",
			Doc: "Waits for connections between a virtual machine and its host.", Traits: listens(streams()), New: func() transport.Endpoint { return new(VsockListen) }},
	}
}
