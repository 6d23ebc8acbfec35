// Package datagram carries messages between two peers of which some may be lost: each as a
// datagram, where a way to the peer carries them, so that none waits behind one that was
// lost. A lane, which is a stream with frames on it, stays beside them: it tells how all
// ends, and carries the messages while there are no datagrams, and those that are too long
// for one. docs/protocol/service.md is what two peers agree on.
//
// It opens nothing, decides nobody's rights, and knows neither QUIC nor sockets. Choose the
// lane alone for messages none of which may be lost.
package datagram
