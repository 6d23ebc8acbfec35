// Package irc lets IRC clients take part in the rooms of a node: rooms are channels, people are nicks, conversations
// of two are queries. It is a server for the one user of the node, who attaches as many clients as he likes, each with a
// name of its own behind an "@" of the user name. It stands on what programs ask of rooms (package api) and has no state
// but which client has seen what.
//
// The protocol is that of RFC 1459 and RFC 2812 as https://modern.ircdocs.horse describes it, with the extensions of
// https://ircv3.net/irc/ that the table in caps.go names. No line uses what its client has not negotiated: all go
// through [session.encode].
//
// There is one lock, that of the world. What a session, a channel or a person is, is written with it held; a session's own
// goroutine, which is the only one that writes most of it, reads it without. Nothing is asked of the node with it held.
package irc
