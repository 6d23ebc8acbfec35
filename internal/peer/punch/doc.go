// Package punch makes a direct connection between two peers behind NATs and firewalls.
//
// The two already have a stream between them, through a relay say, over which they
// agree; only they know the key that authenticates every packet of the attempt. What comes out is a
// UDP socket and the other side's address, for QUIC, or a TCP connection, for TLS. It carries no
// proof of who is at the other side that would be good for more than the attempt: that is
// for the QUIC or TLS handshake to find out.
//
//	res, err := punch.Open(ctx, stream, punch.Config{Observers: relays})   // at one side
//	res, err := punch.Accept(ctx, stream, punch.Config{Observers: relays}) // at the other
//
// Which address a NAT gives to a socket tells an [Observer], which a relay runs on two ports or
// addresses. If exactly one side is given another port for each destination, the two guess: see
// docs/protocol/punch.md, which has all that goes over the wire.
//
// One attempt is one attempt: who wants to try again later does it. Package punch knows no
// libp2p and no peers, only sockets.
package punch
