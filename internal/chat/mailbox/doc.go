// Package mailbox keeps sealed blobs for members of rooms who are away, at a node that knows neither the members
// nor what it keeps. A [Server] is the node's side, a [Session] a member's. docs/protocol/rooms-mailbox.md is
// the protocol. (Where two meet to be paired is another mailbox: internal/peer/mailbox.)
//
//	box   what is kept under one public key; whoever has the private one may read it and add to it
//	blob  bytes that mean nothing here, named by their hash
//
// A box is for one epoch of a room, so that who was removed has no key to the next one; the mailbox cannot
// tell which boxes are of one room. What has been kept is kept until its time is over: nobody can delete or
// replace anything. Whoever uses a mailbox does not trust it: it may lose what it has, and invent nothing.
package mailbox
