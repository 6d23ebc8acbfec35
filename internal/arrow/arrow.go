// Package arrow holds the rules on who may import whom, as data; its test checks
// them. An arrow points from a package to what it may import of this module, and
// says why things stand so. What is not listed is not allowed.
package arrow

// module is the path of this module.
const module = "github.com/tenon-net/tenon"

// A Rule says what a package, or every package below a folder, may import.
type Rule struct {
	Package string   // "" is the root; "transport/*" is every package below
	May     []string // of this module
	Because string
}

// Rules are read from the top: the first one that fits a package counts.
var Rules = []Rule{
	{"address", nil, "the grammar stands alone"},
	{"opt", []string{"address"}, "options read targets"},
	{"internal/arrow", nil, "rules know nobody"},
	{"internal/soak", nil, "a test only"},
	{"internal/devtools", []string{"", "transport"}, "a browser for tests, at an end of Tenon"},
	{"internal/reach", nil, "tests only"},
	{"internal/fuzzall", nil, "a tool of the Makefile"},
	{"internal/testreport", nil, "a tool of ./check"},
	{"internal/throttle", nil, "token buckets, for everybody"},
	{"internal/image", nil, "a program behind another one, in one file"},
	{"internal/release", []string{"internal/image"}, "a tool of the Makefile"},
	{"internal/gift", []string{"transport"}, "what tenon give and tenon take say to each other"},
	{"internal/natlab", nil, "a laboratory for tests of whoever connects peers"},
	{"internal/neutral", nil, "text made harmless, for everybody"},
	{"internal/relay", nil, "the engine knows descriptors only"},
	{"internal/account", nil, "memory that others cause to be held, booked"},
	{"internal/deadline", nil, "deadlines of what waits on channels and conditions"},
	{"internal/rundir", []string{"transport", "transport/local"}, "where programs of one machine meet, and whom"},
	{"internal/rawio", nil, "sockets, and how few bytes are read and written"},
	{"internal/sessions", nil, "it knows when a sender is there, and no socket"},
	{"internal/inherit", nil, "the standard descriptors, as they were found"},
	{"internal/term", nil, "terminals, for the families that have some"},
	{"internal/ticket", nil, "every program can afford to read a ticket"},
	{"internal/peer/cpace", nil, "a protocol of one page, checked against its vectors"},
	{"internal/peer/pair", []string{"internal/peer", "internal/peer/cpace", "internal/neutral", "transport"}, "pairing speaks over what it is given"},
	{"internal/peer/punch", []string{"transport"}, "holes are punched with sockets, whoever the peers are"},
	{"internal/peer/peertest", []string{"internal/peer", "transport", "internal/deadline"}, "a network for tests, and the suite for all"},
	{"internal/peer/swarm", []string{"internal/account", "internal/peer", "internal/peer/mailbox", "internal/peer/portmap", "internal/peer/punch", "internal/rawio", "internal/throttle", "transport", "transport/tlslayer"}, "a network over libp2p"},
	{"internal/peer/lan", []string{"internal/peer", "internal/throttle", "transport", "transport/inet"}, "multicast on the local network, without libp2p"},
	{"internal/peer/mailbox", []string{"internal/throttle", "transport"}, "it speaks over streams that it is given, and knows nobody"},
	{"internal/peer/meet", []string{"internal/peer/lan", "internal/peer/mailbox", "internal/peer", "transport"}, "two who want to be paired find each other, over all that there is"},
	{"internal/closestatus", []string{"transport"}, "one form of close statuses, for all wires"},
	{"internal/link", []string{"internal/peer", "transport", "internal/account", "internal/closestatus", "internal/deadline"}, "streams that survive stand on any network"},
	{"internal/datagram", []string{"internal/peer", "transport", "internal/account", "internal/deadline"}, "messages that may be lost stand on any network, beside a lane that they are given"},
	{"internal/peer/portmap", nil, "what a router is asked for; it knows no peers"},
	{"internal/peer", []string{"internal/ticket", "transport"}, "peers are known, named and granted rights before anything is connected"},
	{"internal/node/api", []string{"transport", "internal/closestatus", "internal/neutral", "internal/ticket"}, "every program can afford to talk to a node"},
	{"internal/node/ends", []string{"address", "opt", "transport", "join", "internal/node/api"}, "kinds of ends, for whoever has a way to other peers"},
	{"internal/node", []string{"", "address", "opt", "transport", "transport/folder", "transport/inet", "transport/local", "transport/mem", "join", "internal/chat/mailbox", "internal/event", "internal/datagram", "internal/irc", "internal/link", "internal/neutral", "internal/node/api", "internal/node/ends", "internal/node/rooms", "internal/node/shares", "internal/notify", "internal/peer", "internal/peer/lan", "internal/peer/mailbox", "internal/peer/meet", "internal/peer/pair", "internal/peer/punch", "internal/peer/swarm", "internal/share", "internal/store", "internal/ticket"}, "it puts together what makes a program a peer"},
	{"internal/node/rooms", []string{"internal/agefile", "internal/chat", "internal/chat/event", "internal/chat/log", "internal/event", "internal/neutral", "internal/node/api", "internal/peer", "internal/store", "internal/ticket", "transport"}, "people talk as a chat has it; it is put into words of the API"},
	{"internal/agefile", nil, "files that a password opens, for everybody"},
	{"internal/node/shares", []string{"internal/neutral", "internal/node/api", "internal/peer", "internal/share", "internal/share/flow", "internal/share/glob", "internal/share/manifest", "internal/share/page", "internal/share/scan", "internal/share/shelf", "internal/share/stage", "internal/share/tree", "internal/store", "internal/throttle", "internal/ticket", "internal/site", "transport"}, "what a node shares and fetches, over any network"},
	{"node", []string{"", "transport", "internal/node", "internal/node/api", "internal/node/ends", "internal/peer", "internal/deadline"}, "peers, for programs"},
	{"internal/share", []string{"internal/peer", "internal/ticket", "transport", "internal/share/manifest", "internal/share/tree"}, "a share is fetched over any network, into any store"},
	{"internal/share/manifest", []string{"internal/neutral"}, "what is in a share, without a file or a socket"},
	{"internal/chat/event", []string{"internal/peer"}, "what a room is made of; keys are checked and sign in one place"},
	{"internal/chat/room", []string{"internal/chat/event"}, "what a set of events means, whoever keeps and carries them"},
	{"internal/screen", []string{"internal/neutral", "internal/node/api", "opt", "transport"}, "rooms on a terminal; what there is a node tells"},
	{"internal/event", nil, "what has happened, for whoever asks"},
	{"internal/notify", []string{"internal/neutral", "internal/node/api", "internal/throttle", "transport"}, "a person is told of what a node tells, at ends that somebody else opens"},
	{"internal/store", []string{"transport"}, "it knows SQL, and no table"},
	{"internal/share/stage", []string{"internal/neutral", "internal/share", "internal/share/manifest", "internal/share/tree"}, "a share on disk, as it comes; it opens no sockets"},
	{"internal/share/flow", []string{"internal/neutral", "internal/share", "internal/share/manifest", "internal/share/tree"}, "a file of a share as a stream; it opens nothing"},
	{"internal/share/page", []string{"internal/neutral", "internal/share", "internal/share/manifest", "internal/share/scan", "internal/share/tree"}, "a share for browsers, by HTTP; it opens no files and no sockets"},
	{"internal/share/drop", []string{"internal/neutral", "internal/share/manifest", "internal/share/page", "internal/share/stage"}, "files that browsers leave, by HTTP; it opens no sockets"},
	{"internal/site", []string{"internal/tlsconf"}, "where pages are served, by HTTP or HTTPS"},
	{"internal/share/shelf", nil, "sealed bytes on disk, whatever they are"},
	{"internal/share/tree", nil, "hashes and proofs of bytes, whoever has them"},
	{"internal/share/glob", nil, "patterns of paths, without a file"},
	{"internal/share/scan", []string{"internal/share", "internal/share/glob", "internal/share/manifest", "internal/share/tree"}, "files that are shared where they are, whoever fetches them"},
	{"internal/chat/rbsr", nil, "it knows keys, and not of what"},
	{"internal/chat/frame", nil, "it knows bytes, and not what they mean"},
	{"internal/chat/mailbox", []string{"internal/account", "internal/chat/frame", "internal/chat/rbsr", "internal/peer", "internal/store", "internal/throttle", "transport"}, "sealed bytes are kept for whoever proves a key; it cannot know what they are"},
	{"internal/chat/log", []string{"internal/store"}, "events are kept whatever they mean"},
	{"internal/chat/meet", []string{"internal/account", "internal/chat/frame", "internal/chat/rbsr", "internal/peer", "transport"}, "members meet over any network, and keep events in any set"},
	{"internal/chat", []string{"internal/chat/event", "internal/chat/log", "internal/chat/mailbox", "internal/chat/meet", "internal/chat/rbsr", "internal/chat/room", "internal/event", "internal/peer", "internal/store", "internal/ticket", "transport"}, "people talk over any network; it puts the parts of a chat together"},
	{"internal/crowd", []string{"internal/chat", "internal/chat/event", "internal/peer", "internal/peer/swarm", "internal/store"}, "members of a room on one machine, for bench"},
	{"internal/irc/irctest", nil, "real clients for tests"},
	{"internal/irc", []string{"internal/neutral", "internal/node/api", "transport"}, "rooms for IRC clients, of any node that tells of them"},
	{"internal/torrent", []string{"internal/neutral", "internal/share", "internal/share/glob", "internal/share/manifest", "internal/share/stage", "internal/share/tree", "transport"}, "BitTorrent knows no peers of ours, and puts files where any share does"},
	{"internal/freeport", nil, "ports for tests"},
	{"internal/golden", nil, "files that tests compare with"},
	{"internal/store/storetest", nil, "what keepers have in common, for tests"},
	{"internal/tlsconf/tlstest", nil, "certificates for tests"},
	{"internal/tlsconf", []string{"address", "opt", "transport", "internal/neutral"}, "TLS options, for the families that speak TLS"},
	{"transport", []string{"address", "opt", "internal/neutral"}, "the contracts"},
	{"transport/transporttest", []string{"address", "opt", "transport", "transport/mem"}, "the suite"},
	{"transport/tlslayer", []string{"address", "opt", "transport", "internal/tlsconf"}, "siblings never import each other"},
	{"transport/file", []string{"address", "opt", "transport", "internal/deadline", "internal/inherit", "internal/term"}, "siblings never import each other"},
	{"transport/proc", []string{"address", "opt", "transport", "internal/inherit", "internal/term"}, "siblings never import each other"},
	{"transport/inet", []string{"address", "opt", "transport", "internal/rawio", "internal/sessions"}, "siblings never import each other"},
	{"transport/local", []string{"address", "opt", "transport", "internal/deadline", "internal/rawio", "internal/sessions"}, "siblings never import each other"},
	{"transport/quic", []string{"address", "opt", "transport", "internal/tlsconf"}, "siblings never import each other"},
	{"transport/mem", []string{"address", "opt", "transport", "internal/deadline"}, "siblings never import each other"},
	{"transport/folder", []string{"address", "opt", "transport", "transport/mem"}, "HTTP is served over an end in memory; else siblings never import each other"},
	{"transport/*", []string{"address", "opt", "transport"}, "siblings never import each other"},
	{"ipc", []string{"address", "opt", "transport", "transport/local", "internal/rundir"}, "two programs meet at a unix socket, and share memory from then on"},
	{"ipc/c", nil, "a header for C programs, and its tests"},
	{"ipc/bus", []string{"address", "opt", "transport", "transport/local", "internal/rundir", "internal/deadline"}, "members meet at a unix socket"},
	{"join", []string{"transport", "internal/relay", "internal/neutral"}, "a joint moves data between ends that are open already"},
	{"internal/plan", []string{"address", "opt", "transport", "transport/inet", "transport/proxy", "join", "internal/ticket"}, "an address worked out, before anything is opened"},
	{"internal/serve", []string{"internal/plan", "address", "opt", "transport", "transport/inet", "transport/proxy", "transport/tlslayer", "join"}, "plans opened and joined"},
	{"", []string{"internal/plan", "internal/serve", "address", "opt", "transport", "transport/*", "ipc", "ipc/bus", "join", "internal/neutral"}, "the package for programs puts the parts together"},
	{"cmd/tenon", []string{"", "address", "opt", "transport", "transport/*", "ipc", "ipc/bus", "internal/agefile", "internal/gift", "internal/image", "internal/inherit", "internal/irc", "internal/neutral", "internal/node", "internal/node/api", "internal/node/ends", "internal/peer", "internal/peer/pair", "internal/rundir", "internal/screen", "internal/share/drop", "internal/share/stage", "internal/site", "internal/term", "internal/ticket", "internal/torrent", "join"}, "the program for people"},
}

// A Home names the only package that may import something from outside.
type Home struct {
	Import  string // a prefix of import paths
	In      []string
	Because string
}

// Homes are the imports that must not spread.
var Homes = []Home{
	{"github.com/quic-go/quic-go", []string{"transport/quic", "internal/peer/swarm"}, "QUIC is one kind among many, and one way between peers"},
	{"github.com/libp2p", []string{"internal/peer/swarm"}, "one package knows the engine that connects peers"},
	{"github.com/anacrolix", []string{"internal/torrent"}, "one package knows the engine of BitTorrent"},
	{"github.com/gorilla/websocket", []string{"internal/peer/swarm"}, "libp2p dials with it; all else has WebSockets of its own"},
	{"github.com/gtank/ristretto255", []string{"internal/peer/cpace"}, "a group for CPace"},
	{"filippo.io/edwards25519", []string{"internal/peer"}, "whether a key stands for one peer is decided in one place"},
	{"github.com/ergochat/irc-go", []string{"internal/irc"}, "one package speaks IRC"},
	{"lukechampine.com/blake3", []string{"internal/share/tree"}, "files are hashed in one place"},
	{"golang.org/x/crypto", []string{"internal/chat/event", "internal/share"}, "what is not in the standard library of it, those need who seal under random nonces"},
	{"golang.org/x/text", []string{"internal/peer", "internal/share/manifest"}, "names of people are checked in one place, those of files in another"},
	{"modernc.org/sqlite", []string{"internal/store"}, "one package knows which database it is"},
	{"github.com/pelletier/go-toml/v2", []string{"internal/node"}, "one file is in TOML"},
	{"github.com/godbus/dbus", []string{"internal/notify"}, "the desktop is told in one place"},
	{"github.com/lxzan/gws", nil, "an independent peer, for tests"},
	{"github.com/pires/go-proxyproto", []string{"transport/proxy"}, "headers are read in one place"},
	{"filippo.io/age", []string{"internal/agefile"}, "one place knows how files are opened by a password"},
	{"charm.land/bubbletea", []string{"cmd/tenon", "internal/screen"}, "whole screens are drawn in two places"},
	{"flag", []string{"internal/crowd", "internal/fuzzall", "internal/golden"}, "flags of people are bound with package opt"},
}

// A Ban names something that a package must not import, though nothing else of this
// list speaks against it.
type Ban struct {
	Package string
	Import  string // a prefix of import paths; "." stands for all that is not of the standard library
	Because string
}

// Bans are the things that packages promise not to do.
var Bans = []Ban{
	{"internal/ticket", ".", "a program that reads a ticket links nothing for it"},
	{"internal/ticket", "net", "it opens no sockets"},
	{"internal/peer", "net", "it opens no sockets: a Network does"},
	{"internal/peer/cpace", "net", "it opens no sockets"},
	{"internal/peer/pair", "net", "it opens no sockets: it is given connections"},
	{"internal/share", "os", "it reads and writes what it is given"},
	{"internal/share", "net", "it opens no sockets: it is given a network"},
	{"internal/share/tree", "os", "it opens no files: it is given them"},
	{"internal/share/glob", "os", "it opens no files: it is given paths"},
	{"internal/share/scan", "net", "it opens no sockets: a share sends what it opens"},
	{"internal/share/manifest", "os", "it reads and writes no files"},
	{"internal/share/manifest", "net", "it opens no sockets"},
	{"internal/share/stage", "net", "it opens no sockets"},
	{"internal/chat/event", "net", "it opens no sockets"},
	{"internal/chat/event", "os", "it opens no files"},
	{"internal/chat/room", "net", "it opens no sockets"},
	{"internal/chat/room", "os", "it opens no files"},
	{"internal/chat", "net", "it opens no sockets: it is given a network"},
	{"internal/chat/mailbox", "net", "it opens no sockets: it is given streams"},
	{"internal/chat/meet", "net", "it opens no sockets: it is given a network"},
	{"internal/peer/lan", "github.com/libp2p", "a pairing on the local network needs no engine"},
}

// An Image is something that many programs link, or that is small on purpose: nothing of
// it, at any depth, is one of Without.
type Image struct {
	Package string
	Tags    string
	Without []string // prefixes of import paths
	Because string
}

// engines are what makes a program a peer, or a web server, and is big: programs pay for
// it at each start, whether they use it or not.
var engines = []string{"net/http", "github.com/libp2p", "modernc.org/sqlite", "charm.land/bubbletea", module + "/internal/node", module + "/internal/store", module + "/internal/peer/swarm"}

// Images are what engines stay out of.
var Images = []Image{
	{"", "", engines, "programs that join ends link no engine; who wants the kind folder imports it"},
	{"cmd/tenon", "", append([]string{"github.com/quic-go/webtransport-go"}, engines...), "the plain image runs the other one when peers or folders are needed"},
	{"cmd/tenon", "nopeer", append([]string{module + "/internal/peer"}, engines...), "the image without peers has nothing of them"},
	{"cmd/tenon", "node", []string{"github.com/libp2p/go-libp2p/p2p/transport/webrtc", "github.com/quic-go/webtransport-go"}, "transports of libp2p that are not used are not linked"},
	{"cmd/tenon", "node,notorrent", []string{"github.com/anacrolix", "github.com/pion"}, "the tag notorrent leaves BitTorrent out, and what it brings"},
}
