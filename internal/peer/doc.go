// Package peer has what peers are to each other: who they are ([ID], [Key],
// [Identity]), what they are called ([Name]), who may use what ([Access], [Ticket])
// and how they reach each other ([Network]). It opens no sockets and knows no
// libp2p: package swarm is a Network over that, package peertest one in memory.
//
// Two peers meet by package pair, once. That gives no right: what a peer may use
// is decided by [Access.Decide] alone, and whatever is not granted is refused.
package peer
