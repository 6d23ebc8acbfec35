// Package chat has people talk in rooms, on a network of peers and a database, and with
// nothing else: no server. It puts together what the packages below it are: what an event is
// (event), what a set of events means (room), where they are kept (log), and how members come to hold the same
// (meet).
//
//	Chat  all rooms of a device
//	Room  one of them: Say, History, Search, Members, ...
//
// All that is shown is read from the database, page by page; what is new is told by [Chat.Notices], as hints.
// docs/protocol/chat.md and rooms-sync.md are what members agree on.
package chat
