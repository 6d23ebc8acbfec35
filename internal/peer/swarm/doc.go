// Package swarm is a [peer.Network] over libp2p, and the only package that imports
// it: TCP with TLS 1.3 and yamux, and QUIC, between peers that have proved who they
// are by the Ed25519 keys that are their IDs.
//
// It connects, and decides who gets in. What a peer may do is for the handlers, and
// streams that survive a change of network are package link, which stands on this one.
//
// Whoever is not admitted is refused as soon as the handshake has shown a key, before
// anything of this program has read a byte of it. That goes for peers that we turn to,
// too.
package swarm
