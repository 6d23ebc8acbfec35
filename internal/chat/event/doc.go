// Package event has the events that a room of a chat is made of: what they say, the
// bytes that they are kept and sent as, who has signed them, and how what people
// write is sealed. It does no I/O, and does not know what a set of events means:
// package room does. docs/protocol/chat.md has every byte.
//
// [Parse] reads what others send and checks all that can be checked of one event
// alone, its signature included; [Read] reads what has been checked before. A
// [Draft] becomes an event by Sign, if it is of a control kind, or by Seal.
package event
