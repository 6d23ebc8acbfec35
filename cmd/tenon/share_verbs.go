//go:build !nopeer

package main

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// shareCommands are the verbs about files, which are about peers, too.
func shareCommands(verb func(name, syntax, doc string, flags ...flagGroup) command) []command {
	return []command{
		verb("share", "PATH...", "share files and folders: print a ticket at once, by which others fetch them from all who have them", bindSharing, bindSeeding, bindQR, bindNetwork),
		verb("get", "[TICKET|MAGNET|FILE.torrent]", "fetch what is shared; a TICKET is asked for if it is not there, and can be - or @FILE or env:NAME, too, or a magnet link or FILE.torrent", bindGetting, bindTorrent, bindNetwork),
		verb("shares", "[DIRECTORY...]", "list what is shared and fetched here, and who has how much of it; or with --partial what interrupted transfers have left in directories", bindShares),
		verb("unshare", "SHARE", "share it no more"),
	}
}

// shareFlags are those of the verbs about files.
type shareFlags struct {
	name      string
	to        []string // peers
	hold      []string // peers
	public    bool
	expires   time.Duration
	uses      int
	only      []string
	exclude   []string
	gitIgnore bool
	check     bool
	wait      bool
	up, down  int64
	web       string
	cert, key string // of the page
	maxSize   int64
	target    string
	list      bool
	overwrite bool
	rename    bool
	skipLinks bool
	stay      bool
	stdout    bool
	partial   bool
	remove    string
	forgive   bool
	torrent   torrentFlags
}

// torrentFlags are those about BitTorrent.
type torrentFlags struct {
	seed     bool
	file     string
	trackers []string
	peers    []string
	dht      bool
	listen   string
}

func bindSharing(c *call, s *opt.Set) {
	f := &c.peer.share
	s.Group("who may fetch it")
	s.Strings(&f.to, "to", "PEER,...|paired", "these peers, or all that are paired, and nobody else who has the ticket; may be given again")
	s.Bool(&f.public, "public", "everybody, and it can be searched for; otherwise whoever has the ticket, which has a secret in it")
	s.Duration(&f.expires, "expires", 0, 0, "for so long, such as 2h or 7d; otherwise until it is not shared any more")
	s.Int(&f.uses, "uses", 0, 1, 1<<20, "so many peers, and then nobody any more")
	s.Strings(&f.hold, "hold", "PEER,...", "these peers keep a sealed copy, which they cannot read and whoever has the ticket can fetch, so that this computer can be off; each must have said tenon grant hold; may be given again")
	s.Group("what is shared")
	s.String(&f.name, "name", "NAME", "what to call it; otherwise what the paths are called")
	bindChosen(c, s, "share")
	s.Bool(&f.gitIgnore, "gitignore", "leave out what files called .gitignore say")
	s.Bool(&f.check, "check", "hash all that is sent again, also of files that seem not to have changed")
	s.Bool(&f.wait, "wait", "print the ticket when all is hashed; it says then what is in the share, whoever serves it")
	s.Rate(&f.up, "up", "send so many bytes a second, such as 1MiB; otherwise as many as there are")
	s.Group("browsers")
	bindWeb(c, s, "show it to browsers, too, at a link that nobody can guess")
}

// bindWeb binds where a page is shown.
func bindWeb(c *call, s *opt.Set, what string) {
	f := &c.peer.share
	s.String(&f.web, "web", "[https://]HOST:PORT", what+", such as 0.0.0.0:8080")
	s.String(&f.cert, "cert", "FILE", "with https: the certificate, PEM, which is read again when it changes; otherwise one is made, of which browsers warn")
	s.String(&f.key, "key", "FILE", "its private key, if that is in another PEM file")
}

func bindGetting(c *call, s *opt.Set) {
	f := &c.peer.share
	s.Group("what is fetched")
	bindChosen(c, s, "fetch")
	s.Bool(&f.list, "list", "list what there is, and fetch nothing")
	s.Bool(&f.stdout, "stdout", "write the file to standard output as it comes, if there is one or --only chooses one; nothing of it is kept")
	bindPlaced(c, s)
	s.Group("the others")
	s.Bool(&f.stay, "stay", "go on handing it on when all is there, until this program is ended")
	s.Rate(&f.up, "up", "send so many bytes a second, such as 1MiB; otherwise as many as there are")
	s.Rate(&f.down, "down", "fetch so many bytes a second")
	s.Bool(&f.forgive, "forgive", "ask those again who have sent wrong data of this share before")
}

func bindShares(c *call, s *opt.Set) {
	f := &c.peer.share
	s.Bool(&f.partial, "partial", "list what tenon get has left in the directories, or in this one, when it was interrupted: the same tenon get goes on with it")
	s.String(&f.remove, "remove", "SHARE|all", "remove it: what is called so, by its name or the beginning of its ID, or all that --partial lists")
}

// bindSeeding binds what shares files by BitTorrent.
func bindSeeding(c *call, s *opt.Set) {
	f := &c.peer.share.torrent
	s.Group("BitTorrent")
	s.Bool(&f.seed, "torrent", "share them by BitTorrent, until this program ends, with whoever has the magnet link")
	s.String(&f.file, "torrent-file", "FILE", "write the torrent to a file, too, such as photos.torrent")
	bindSwarm(c, s)
}

// bindTorrent binds how what is in BitTorrent is fetched.
func bindTorrent(c *call, s *opt.Set) {
	s.Group("BitTorrent")
	bindSwarm(c, s)
}

// bindSwarm binds how others are found who take part in a torrent.
func bindSwarm(c *call, s *opt.Set) {
	f := &c.peer.share.torrent
	s.Strings(&f.trackers, "tracker", "URL", "ask this tracker, such as udp://tracker.example.org:6969/announce; may be given again")
	s.Strings(&f.peers, "peer", "HOST:PORT", "ask this one, who has it; may be given again")
	s.Bool(&f.dht, "dht", "search in the public DHT of BitTorrent, and ask those who are found for more; everybody there can see it")
	s.String(&f.listen, "torrent-listen", "HOST:PORT", "be reached here by TCP; otherwise at all addresses, and a port that is free")
}

// bindPlaced binds where files go.
func bindPlaced(c *call, s *opt.Set) {
	f := &c.peer.share
	s.Group("where it goes")
	s.String(&f.target, "to", "DIRECTORY", "put it there; otherwise into this directory")
	s.Bool(&f.overwrite, "overwrite", "replace files that are there and are different; of large ones, only what has changed is fetched")
	s.Bool(&f.rename, "rename", "give other names to what is fetched where files are there that are different")
	s.Bool(&f.skipLinks, "skip-links", "leave out symbolic links that lead out of what is shared")
}

// bindChosen binds which files a verb is about.
func bindChosen(c *call, s *opt.Set, verb string) {
	f := &c.peer.share
	s.Strings(&f.only, "only", "GLOB", verb+" only these, such as *.jpg or docs/**; may be given again")
	s.Strings(&f.exclude, "exclude", "GLOB", "do not "+verb+" these, such as *.tmp or build/; may be given again")
}
