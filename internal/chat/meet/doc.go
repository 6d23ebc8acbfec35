// Package meet keeps the members of a room at the same set of events. Two who are connected
// find out what each lacks, fetch it, parents before children, and from then on tell each other
// at once what is new. That is for speed: what makes the sets equal is that they are compared
// again whenever something may have been lost, and every few minutes.
//
//	Meeting  the rooms of this process, on a network
//	Room     one of them: who is connected, what is asked of whom, what waits for its parents
//	session  a stream with another member
//	Set      where the events are
//
// Events are [Blob]s here: bytes with a key and parents. What they mean, and whether they may be, is
// for who makes a Blob of bytes ([Config.Parse]) and for the Set. docs/protocol/rooms-sync.md is what goes over the streams.
//
// Whatever others do, what is held for them is bounded: for each of them, for each room and for all. Who
// reads slowly is not waited for: what is new is dropped for it, and it is compared with later.
package meet
