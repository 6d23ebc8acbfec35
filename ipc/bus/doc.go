// Package bus joins any number of programs of one machine: what one of them
// publishes, every other one receives, as whole messages, in one order for all.
//
// There is no broker to install. Every program that opens a bus of the same name is
// a member. The first one to come plays the hub besides, in its own process; when it
// leaves or dies, one of the others takes over, and their users do not notice but
// for a pause of a tenth of a second. The last message stays with the members and is
// given to each newcomer before anything else; see [Bus].
//
// # What is promised
//
// All members receive the messages in the same order, and none twice. A message
// that WriteMsg has accepted reaches every member that stays: its publisher keeps it
// until it has a place in the order, and gives it to the next hub if need be. What a
// hub had given a place when it died, and any member has received, all receive: the
// members give each other what the others lack. They have some tenths of a second for
// that, longer while others come: a member that is stopped meanwhile may have heard the
// last messages of the old hub in another order than the rest. A message can be lost in
// three ways:
//
//   - Its publisher dies, or closes and cannot hand it on within a second.
//   - A member is too slow for it; the member is told how many: [Conn.Lost].
//   - The hub dies, and a member that was more than 2048 messages or 6 MiB behind, or
//     that has not found the next hub after five seconds, misses what no member has
//     kept for it. That is in Lost, too, where it can be known.
//
// CloseWrite returns when every member that is there has the message in its hands,
// or in those of the kernel, where the death of the hub cannot touch it.
//
// # Slow members
//
// What waits for a member is bounded, and the member itself chooses what happens
// when that is full: see [Skip], [Cut] and [Wait].
//
// # Trust
//
// Members are programs of one user, or of those whom Bus.Access lets in. They
// trust the one that plays the hub with the order. A member that breaks the protocol,
// floods, or stops harms itself. One that plays the hub and is stopped, by Ctrl-Z
// say, stops the bus: nobody takes over from a program that lives.
//
// A bus has no end of file but a member's own, which ends both directions: see
// [Conn.CloseWrite].
//
// The protocol is described in docs/protocol/bus.md. Choose this package for events
// and state that many programs want to know of; for two programs choose a unix
// socket or shared memory, and across machines a server that all connect to.
package bus
