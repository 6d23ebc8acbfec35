//go:build !nopeer

package main

import (
	"slices"
	"time"

	"github.com/tenon-net/tenon/opt"
)

// peerCommands lists the verbs about peers: the one table for the image that runs them
// and for the one that only explains and completes them.
func peerCommands() []command {
	verb := func(name, syntax, doc string, flags ...flagGroup) command {
		return command{name: name, syntax: syntax, doc: doc, run: linked(name), flags: append(flags, bindDir), peers: true}
	}
	return slices.Concat([]command{
		verb("id", "", "show who this is to peers, as text and as a QR code, or change the key", bindID),
		verb("pair", "[CODE]", "meet a peer: print a code to say aloud, or take the one that the other side has printed", bindPair, bindNetwork),
		verb("peers", "[rename PEER NAME | forget PEER | block PEER | unblock PEER]", "list the peers with their state, or change what this user calls one, forget or block it"),
		verb("serve", "NAME ADDRESS", "offer an end to peers under a name", bindServe, bindNetwork, bindShare),
		verb("unserve", "NAME", "offer it no more, and end its joints"),
		verb("services", "[PEER]", "list what is offered here, or what a peer offers to this user"),
		verb("grant", "SERVICE PEER...", "let peers use a service: names or IDs of peers, paired or anyone; the service hold is to have sealed copies of shares kept here"),
		verb("revoke", "SERVICE PEER... | TICKET", "take a grant or a ticket back, and cut the joints that stand on it"),
		verb("ticket", "[SERVICE]", "make a ticket: a word that lets whoever shows it use a service", bindTicket),
		verb("tickets", "", "list the tickets that were made here, and what is left of them"),
		verb("add", "[TICKET]", "take a ticket that a peer has made, for use by name", bindAdd),
	}, shareCommands(verb), sendCommands(verb), roomCommands(verb), chatCommands(verb), []command{
		verb("irc", "", "serve the rooms of the node that runs to IRC clients of this computer, such as irssi, WeeChat or HexChat", bindIRC),
		verb("up", "", "run the node: what is served, and the links that the configuration names", bindUp, bindNetwork, bindKept, bindLimits),
		verb("down", "", "end the node that runs"),
		verb("status", "", "say what the node does: services, links, joints, peers"),
		verb("reload", "", "have the node read its configuration again; a bad one changes nothing"),
		verb("log", "", "show what the node has done, and who used what by which right", bindLog),
		verb("top", "", "show the joints of the node, live"),
		verb("doctor", "[PEER]", "find out why peers cannot be reached, or not directly, and what to do about it"),
		verb("relay", "", "run a node that carries sealed traffic for others: the one thing that needs a public address", bindRelay, bindNetwork, bindKept, bindLimits),
	})
}

// peerFlags are those of the verbs about peers.
type peerFlags struct {
	dir                               string
	rotate                            bool
	qr                                bool
	invert                            bool
	name                              string // what this user will call the other one
	service                           string
	join                              bool
	yes                               bool
	to                                []string
	anyone                            bool
	replace                           bool
	expires                           time.Duration
	timeout                           time.Duration
	uses                              int
	only                              string
	printUnit                         bool
	follow                            bool
	audit                             bool
	config                            string
	as                                string // what this user suggests to be called
	listen                            []string
	announce                          []string
	relays                            []string
	bootstrap                         []string
	discovery                         []string
	lanOnly                           bool
	noMap                             bool
	relay                             string // for whom this node relays
	mailbox, mailboxSize, mailboxTime string
	withMailbox                       bool // of a relay

	holdSize, holdPeerSize, holdTime string
	holdShares, holdPeerShares       int

	share      shareFlags
	send       sendFlags
	irc        ircFlags
	room       roomFlags
	chat       chatFlags
	metrics    string
	notify     []string
	peerRate   string
	peerJoints int
	limits     relayLimits
}

// relayLimits are what strangers may have of a relay.
type relayLimits struct {
	reservations, reservationsPerHost, circuits, circuitsPerPeer int
	time, bytes, rate, day                                       string
}

func bindDir(c *call, s *opt.Set) {
	s.Group("the node")
	s.String(&c.peer.dir, "dir", "DIRECTORY", "where the identity and all that belongs to it is; otherwise $TENON_DIR, or $XDG_STATE_HOME/tenon")
}

func bindID(c *call, s *opt.Set) {
	s.Group("the key")
	s.Bool(&c.peer.rotate, "rotate", "take a new key, which the old one names as its successor: peers follow, and joints end")
	bindQR(c, s)
}

func bindQR(c *call, s *opt.Set) {
	s.Bool(&c.peer.qr, "qr", "draw a QR code, also where no terminal is")
	s.Bool(&c.peer.invert, "invert", "draw it for a terminal that is dark on light")
}

func bindPair(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("pairing")
	s.Bool(&f.join, "join", "ask for the code that the other side has printed, or read it from standard input")
	s.String(&f.name, "name", "NAME", "what to call the other side here; otherwise what it says with --as")
	s.Duration(&f.timeout, "timeout", defaultJoin, 0, "with a code: give up after so long if nobody shows it, with exit status 4").Alias("t")
	s.Bool(&f.yes, "yes", "do not ask whether the words are the same").Alias("y")
}

func bindServe(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("who may use it")
	s.Strings(&f.to, "to", "PEER,...|paired", "these peers, or all that are paired; may be given again")
	s.Bool(&f.anyone, "anyone", "whoever comes, paired or not")
	s.Bool(&f.replace, "replace", "serve this in place of another address that has the name, for those whom that is granted to")
	s.Int(&c.joint.readyFD, "ready-fd", 0, 1, 1<<20, "where no node runs, write a line to this descriptor when it is served, and close it")
}

func bindTicket(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("tickets")
	s.String(&f.service, "service", "NAME", "the service; without one, a ticket says only who and where this is")
	s.Duration(&f.expires, "expires", defaultExpires, -1, "it is good for so long, such as 10m or 7d; 0 is without end")
	s.Int(&f.uses, "uses", 1, 1, 1000, "so many peers can use it")
	s.String(&f.only, "for", "PEER", "only this peer can use it")
	bindQR(c, s)
}

// defaultJoin is how long whoever has a code looks for who shows it.
const defaultJoin = time.Minute

// defaultExpires is how long a ticket is good for.
const defaultExpires = time.Hour

func bindAdd(c *call, s *opt.Set) {
	s.Group("tickets")
	s.String(&c.peer.name, "name", "NAME", "what to call the peer that has made it")
}

func bindUp(c *call, s *opt.Set) {
	s.Group("starting")
	s.Bool(&c.peer.printUnit, "print-unit", "print a unit for systemd, and start nothing")
	s.String(&c.peer.relay, "relay", "anyone|friends", "relay for others, too; otherwise for nobody")
	s.String(&c.peer.mailbox, "mailbox", "anyone|friends", "keep what is said in rooms, sealed, for members who are away; otherwise for nobody")
	bindMailbox(c, s)
	s.Int(&c.joint.readyFD, "ready-fd", 0, 1, 1<<20, "write the path of the control socket to this descriptor when the node is up, and close it")
	s.Group("sealed copies of shares, for those to whom tenon grant hold lets")
	s.String(&c.peer.holdSize, "hold-size", "SIZE", "how much of them in all; otherwise 10GiB")
	s.String(&c.peer.holdPeerSize, "hold-peer-size", "SIZE", "how much of each peer; otherwise 2GiB")
	s.Int(&c.peer.holdShares, "hold-shares", 0, 1, 10_000, "how many in all; otherwise 100")
	s.Int(&c.peer.holdPeerShares, "hold-peer-shares", 0, 1, 10_000, "how many of each peer; otherwise 20")
	s.String(&c.peer.holdTime, "hold-time", "TIME", "for how long after their sharer was last heard of; otherwise 30d")
}

func bindRelay(c *call, s *opt.Set) {
	s.Group("the relay")
	s.Enum(&c.peer.relay, "for", "whom to relay for", "anyone", "friends")
	s.Bool(&c.peer.withMailbox, "mailbox", "also keep what is said in rooms, sealed, for members who are away")
	bindMailbox(c, s)
	s.Int(&c.joint.readyFD, "ready-fd", 0, 1, 1<<20, "write the path of the control socket to this descriptor when the relay is up, and close it")
}

func bindMailbox(c *call, s *opt.Set) {
	s.String(&c.peer.mailboxSize, "mailbox-size", "SIZE", "how much of it at most, up to 768MiB; otherwise 512MiB")
	s.String(&c.peer.mailboxTime, "mailbox-time", "TIME", "for how long; otherwise 30d")
}

// bindNetwork binds what the configuration says under the same names, for a node that
// this process starts.
func bindNetwork(c *call, s *opt.Set) {
	f := &c.peer
	s.Group("the network")
	s.String(&f.config, "config", "FILE", "the configuration; otherwise $XDG_CONFIG_HOME/tenon/tenon.toml. Flags win over it")
	s.String(&f.as, "as", "NAME", "what this computer is to be called at the other side; otherwise its name")
	s.Strings(&f.listen, "listen", "MULTIADDR", "listen here, as in /ip4/0.0.0.0/tcp/4001; may be given again")
	s.Strings(&f.announce, "announce", "MULTIADDR", "tell others this address in place of those listened on; may be given again")
	s.Strings(&f.relays, "relays", "TICKET|MULTIADDR", "a relay, as tenon relay has printed it or with its ID at the end; may be given again")
	s.Strings(&f.bootstrap, "bootstrap", "MULTIADDR", "where the search for peers begins; may be given again")
	s.Strings(&f.discovery, "discovery", "lan|dht|public|none", "how peers are searched for: on the local network, in the table of relays, in that of IPFS; may be given again")
	s.Bool(&f.lanOnly, "lan-only", "reach, and be reached by, this machine and local networks only")
	s.Bool(&f.noMap, "no-map", "do not ask the router to forward ports")
}

// bindShare binds what each peer may have of the services here.
func bindShare(c *call, s *opt.Set) {
	s.Group("what a peer may have")
	s.String(&c.peer.peerRate, "peer-rate", "SIZE", "bytes a second of each peer, each way, such as 1MiB; otherwise as many as there are")
	s.Int(&c.peer.peerJoints, "peer-joints", 4096, 1, 4096, "joints of each peer at once")
}

// bindKept binds what is for a node that stays.
func bindKept(c *call, s *opt.Set) {
	s.Lookup("as").Alias("name")
	bindShare(c, s)
	s.Group("rooms")
	s.Strings(&c.peer.notify, "notify", "desktop|ADDRESS", "tell of messages that name you, or are said to you alone, and were not read: on the desktop, or write each, in JSON, to an end such as exec:notify-me; may be given again")
	s.String(&c.peer.irc.at, "irc", "ADDRESS", "serve the rooms to IRC clients of this computer, such as 127.0.0.1:6667; otherwise to none")
	s.String(&c.peer.irc.passwordFile, "irc-password-file", "FILE", "their password is the first line of it; otherwise that which tenon irc --show-password shows")
	s.Group("looking on")
	s.String(&c.peer.metrics, "metrics", "ADDRESS", "an address that listens, for Prometheus, such as tcp-listen:9464")
}

// bindLimits binds what strangers may have of a relay.
func bindLimits(c *call, s *opt.Set) {
	f := &c.peer.limits
	s.Group("what strangers may have of a relay")
	s.Int(&f.reservations, "relay-reservations", 1024, 1, 1<<20, "how many can be reached through it")
	s.Int(&f.reservationsPerHost, "relay-reservations-per-host", 16, 1, 1<<20, "of which so many at one IPv4 address, or in one IPv6 network")
	s.Int(&f.circuits, "relay-circuits", 512, 1, 1<<20, "circuits at once")
	s.Int(&f.circuitsPerPeer, "relay-circuits-per-peer", 16, 1, 1<<20, "of which so many of one peer")
	s.String(&f.time, "relay-time", "TIME", "how long a circuit may last; otherwise 30m")
	s.String(&f.bytes, "relay-bytes", "SIZE", "bytes of a circuit in each direction; otherwise 128MiB")
	s.String(&f.rate, "relay-rate", "SIZE", "bytes a second of all circuits of a peer; otherwise 1MiB")
	s.String(&f.day, "relay-day", "SIZE", "bytes a day of a peer, and of an address; otherwise 1GiB of an address")
}

func bindLog(c *call, s *opt.Set) {
	s.Group("the log")
	s.Bool(&c.peer.follow, "follow", "go on with what happens").Alias("f")
	s.Bool(&c.peer.audit, "audit", "only who used what, by which right, over which path, and how it ended")
}
