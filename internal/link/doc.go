// Package link makes streams that outlive their connections: a [peer.Network] on top
// of a [peer.Network]. When the way to a peer is lost, changes or becomes better, a
// stream goes on over another one, with no byte lost, doubled or out of order, and the
// programs at its ends notice at most a pause. docs/protocol/link.md is what two peers
// agree on.
//
// It opens no connections itself, knows nothing of libp2p or sockets, and does not
// encrypt: the network below proves who is at the other side of a stream, and keeps it
// secret. Choose the network below alone for what is over in a second and can be tried
// again.
package link
