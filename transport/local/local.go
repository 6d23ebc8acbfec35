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
//
// An end of file ends one direction. On unix, unixpacket and vsock both have ended
// ([transport.Ender]) if the other side has closed its socket by then, and has not only
// half-closed it. Datagrams have no end of file, save that a session of unixgram-listen
// runs out, which ends both directions.
//
// Systems other than Linux have unix alone, by path. Windows does not tell who is at
// the other side; the permissions of the directory decide who that can be.
package local

import "github.com/tenon-net/tenon/transport"

// connectKind is the kind of [Unix].
func connectKind() transport.Kind {
	return transport.Kind{Name: unixKind, Aliases: []string{"unix-connect", "unix-client", "local"}, Syntax: "unix:" + nameSyntax, Example: "unix:/run/app.sock",
		Doc: "Connects to a unix socket, " + nameDoc + ".", Traits: streams(), New: func() transport.Endpoint { return new(Unix) }}
}

// listenKind is the kind of [UnixListen].
func listenKind() transport.Kind {
	return transport.Kind{Name: unixListenKind, Aliases: []string{"unix-l", "local-listen"}, Syntax: "unix-listen:" + nameSyntax, Example: "unix-listen:/run/app.sock,mode=660,group=app",
		Doc: "Waits for connections to a unix socket, " + whoMay + ".", Traits: listens(streams()), New: func() transport.Endpoint { return new(UnixListen) }}
}

func streams() transport.Traits { return transport.Traits{HalfClose: true, Deadlines: true} }

func listens(t transport.Traits) transport.Traits { t.Listens = true; return t }

const (
	unixKind       = "unix"
	unixListenKind = "unix-listen"
)
