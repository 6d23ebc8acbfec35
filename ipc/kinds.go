//go:build linux

package ipc

import "github.com/tenon-net/tenon/transport"

// dialKind is the name of the kind that dials.
func dialKind(m mode) string {
	if m == messagesMode {
		return "shm-msg"
	}
	return "shm"
}

// listenKind is the name of the kind that listens.
func listenKind(m mode) string { return dialKind(m) + "-listen" }

// Kinds returns the kinds of the family.
func Kinds() transport.Kinds {
	streams := transport.Traits{HalfClose: true, Deadlines: true}
	msgs := transport.Traits{HalfClose: true, Deadlines: true, Messages: true}
	listens := func(t transport.Traits) transport.Traits { t.Listens = true; return t }
	return transport.Kinds{
		{Name: dialKind(bytesMode), Aliases: []string{"shm-connect"}, Syntax: "shm:" + nameSyntax, Example: "shm:video",
			Doc:    "Connects to a program of this machine through shared memory.",
			Traits: streams, New: func() transport.Endpoint { return new(Dial) }},
		{Name: listenKind(bytesMode), Aliases: []string{"shm-l"}, Syntax: "shm-listen:" + nameSyntax, Example: "shm-listen:video,size=16M",
			Doc:    "Waits for programs of this machine and shares memory with them, which only this user's may do unless options say otherwise.",
			Traits: listens(streams), New: func() transport.Endpoint { return new(Listen) }},
		{Name: dialKind(messagesMode), Aliases: []string{"shm-msg-connect"}, Syntax: "shm-msg:" + nameSyntax, Example: "shm-msg:events",
			Doc:    "Connects to a program of this machine through shared memory that keeps the boundaries of messages.",
			Traits: msgs, New: func() transport.Endpoint { return &Dial{Messages: true} }},
		{Name: listenKind(messagesMode), Aliases: []string{"shm-msg-l"}, Syntax: "shm-msg-listen:" + nameSyntax, Example: "shm-msg-listen:events,allow-gid=video",
			Doc:    "Waits for programs of this machine and shares memory with them that keeps the boundaries of messages.",
			Traits: listens(msgs), New: func() transport.Endpoint { return &Listen{Messages: true} }},
	}
}
