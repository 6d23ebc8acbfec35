// Package local has the ends that connect programs of one machine, or a virtual
// machine with its host: sockets of the file system and of Linux's abstract
// namespace ([Unix], [UnixListen]), in their three sorts, and VM sockets
// ([Vsock], [VsockListen]).
//
// The kernel tells who is at the other side of a unix socket. Info().Cred has it,
// and a listener can refuse others: AllowUID, AllowGID. Socket files belong to
// their owner alone unless Mode says otherwise.
//
// Choose unix for bytes, unixpacket for messages with a connection, and unixgram
// for messages to programs that know nothing else.
package local

import "github.com/tenon-net/tenon/transport"

// Kinds returns the kinds of the family.
func Kinds() transport.Kinds {
	stream := transport.Traits{HalfClose: true, Deadlines: true}
	packet := transport.Traits{HalfClose: true, Deadlines: true, Messages: true}
	gram := transport.Traits{Deadlines: true, Messages: true}
	listens := func(t transport.Traits) transport.Traits { t.Listens = true; return t }
	oneWay := gram
	oneWay.OneWay = true
	return transport.Kinds{
		{Name: unixKind, Aliases: []string{"unix-connect", "unix-client", "local"}, Syntax: "unix:PATH|@NAME", Example: "unix:/run/app.sock",
			Doc: "Connects to a unix socket, in the file system or by its abstract name.", Traits: stream, New: func() transport.Endpoint { return new(Unix) }},
		{Name: "abstract", Aliases: []string{"abstract-connect", "abstract-client"}, Syntax: "abstract:NAME", Example: "abstract:app",
			Doc: "Connects to a unix socket by its abstract name.", Traits: stream, New: func() transport.Endpoint { return &Unix{abstract: true} }},
		{Name: unixListenKind, Aliases: []string{"unix-l", "local-listen"}, Syntax: "unix-listen:PATH|@NAME", Example: "unix-listen:/run/app.sock,mode=660,group=app",
			Doc: "Waits for connections to a unix socket, which only its owner may use unless options say otherwise.", Traits: listens(stream), New: func() transport.Endpoint { return new(UnixListen) }},
		{Name: "abstract-listen", Aliases: []string{"abstract-l"}, Syntax: "abstract-listen:NAME", Example: "abstract-listen:app",
			Doc: "Waits for connections to a unix socket with an abstract name.", Traits: listens(stream), New: func() transport.Endpoint { return &UnixListen{abstract: true} }},
		{Name: packetKind, Aliases: []string{"unixpacket-connect", "unix-seqpacket", "seqpacket"}, Syntax: "unixpacket:PATH|@NAME", Example: "unixpacket:/run/app.sock",
			Doc: "Connects to a unix socket that keeps the boundaries of messages.", Traits: packet, New: func() transport.Endpoint { return new(UnixPacket) }},
		{Name: packetListenKind, Aliases: []string{"unixpacket-l", "seqpacket-listen", "seqpacket-l"}, Syntax: "unixpacket-listen:PATH|@NAME", Example: "unixpacket-listen:/run/app.sock",
			Doc: "Waits for connections to a unix socket that keeps the boundaries of messages.", Traits: listens(packet), New: func() transport.Endpoint { return new(UnixPacketListen) }},
		{Name: gramKind, Aliases: []string{"unixgram-connect", "unix-sendto", "abstract-sendto"}, Syntax: "unixgram:PATH|@NAME", Example: "unixgram:/dev/log",
			Doc: "Sends datagrams to a unix socket, and receives what it answers.", Traits: gram, New: func() transport.Endpoint { return new(Unixgram) }},
		{Name: gramListenKind, Aliases: []string{"unixgram-l", "unix-recvfrom"}, Syntax: "unixgram-listen:PATH|@NAME", Example: "unixgram-listen:/run/app.sock",
			Doc: "Waits for datagrams at a unix socket and opens a session for each sender.", Traits: listens(gram), New: func() transport.Endpoint { return new(UnixgramListen) }},
		{Name: gramRecvKind, Aliases: []string{"unix-recv"}, Syntax: "unixgram-recv:PATH|@NAME", Example: "unixgram-recv:/run/app.sock",
			Doc: "Receives datagrams at a unix socket from anybody and sends none.", Traits: oneWay, New: func() transport.Endpoint { return new(UnixgramRecv) }},
		{Name: vsockKind, Aliases: []string{"vsock-connect"}, Syntax: "vsock:CID:PORT", Example: "vsock:host:5000",
			Doc: "Connects a virtual machine with its host.", Traits: stream, New: func() transport.Endpoint { return new(Vsock) }},
		{Name: vsockListenKind, Aliases: []string{"vsock-l"}, Syntax: "vsock-listen:[CID:]PORT", Example: "vsock-listen:5000",
			Doc: "Waits for connections between a virtual machine and its host.", Traits: listens(stream), New: func() transport.Endpoint { return new(VsockListen) }},
	}
}

const (
	unixKind         = "unix"
	unixListenKind   = "unix-listen"
	packetKind       = "unixpacket"
	packetListenKind = "unixpacket-listen"
	gramKind         = "unixgram"
	gramListenKind   = "unixgram-listen"
	gramRecvKind     = "unixgram-recv"
	vsockKind        = "vsock"
	vsockListenKind  = "vsock-listen"
)
