// Package ipc connects two programs of one machine through memory that both have
// mapped: the kinds shm and shm-listen for bytes, shm-msg and shm-msg-listen for
// messages. It is for what a socket is too slow for. On Linux only.
//
// The programs meet at a unix socket, whose permissions say who may come in, and
// the kernel says who did (Info().Cred). From then on data goes through two rings
// in memory; the socket only wakes those who are parked, tells when the other program
// has died, and carries descriptors. There is no name but that of the socket, and
// nothing is left behind when a program is killed. docs/protocol/shm.md is what
// both sides keep to; a C program does so with ipc/c/tenon_shm.h.
//
// A [Conn] is a net.Conn and a [MsgConn] is a transport.MsgConn. Those who would
// rather not copy use Reserve and Commit to write, Peek and Release to read.
//
// Neither side trusts the other. What a program writes into the memory against
// the rules ends its own connection with [ErrProtocol], and does nothing else. It
// can change data that it has sent already while they are looked at: Read,
// ReadMsg, LendMsg and ReadMsgs copy them first, Peek does not.
//
// An end of file ends one direction: writing goes on. A Conn and a MsgConn are
// transport.Enders, and tell by Ended when the other side has closed both.
//
// Choose shm for much data or many round trips between programs that run at the
// same time; unix for programs that do not know of Tenon, or where one of the two
// may be slow for long: a ring that is not empty keeps its memory.
package ipc
