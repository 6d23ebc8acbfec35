// Package node puts together what makes a program a peer: an identity, a network,
// services and who may use them, tickets, pairing, joints, and a record of it all.
//
// A [Node] stands on a [Presence], which is a peer.Network with a little more; it opens
// no connections to other machines itself. Programs talk to it by package api, over the
// control socket (control.go) or in memory; package ends has the kinds of ends that
// come of it.
//
//   - tables.go, facts.go: what is on record. access.go: who may do what, as of now.
//   - wire.go, inbound.go, outbound.go: one peer uses a service of another
//     (docs/protocol/service.md). offer.go: services that live as long as somebody
//     accepts. joints.go: what goes on. audit.go: what went on.
//   - tickets.go, bycode.go, pairing.go, peers.go: how peers come and go.
//   - gift.go, send.go, send_files.go, receive.go: what one gives another by a code
//     (docs/protocol/sending.md).
//   - config.go, links.go: what the user has written down.
package node
