// Package torrent fetches and hands on files by BitTorrent (BEP 3, 5, 9, 10, 11, 15), for the
// files that are in the world already. The engine is github.com/anacrolix/torrent, and nobody else
// imports it; what is on disk is ours: what comes is put into a [stage.Stage], and gets its final names
// when all of it is there, and what is handed on is read where it is.
//
// BitTorrent knows no identities: whoever has the link gets the files, and sees the addresses of all
// who take part. So nothing of the node is used: no key, no rights, no database, and a transfer lives
// in the process of who asked for it. What a hostile torrent can do to the engine it does to that
// process only.
//
// The tag notorrent leaves the engine out.
package torrent

import (
	"context"
	"errors"
	"strings"

	"github.com/tenon-net/tenon/internal/share/glob"
	"github.com/tenon-net/tenon/transport"
)

// ErrNone: this program was built without BitTorrent.
var ErrNone = errors.New("this build of the program does not know BitTorrent")

// ErrTorrent: what was given as a torrent or a magnet link is none that can be used.
var ErrTorrent = errors.New("it is not a torrent that can be fetched")

// ErrNoPeers: nobody can be asked, as there is no tracker, no peer and no DHT.
var ErrNoPeers = errors.New("nobody is known who has it: there is no tracker in it, and no peer")

// Is tells whether a word stands for a torrent: a magnet link, or a file with the name of one.
func Is(word string) bool { return isMagnet(word) || strings.HasSuffix(word, ".torrent") }

func isMagnet(word string) bool { return len(word) >= 7 && strings.EqualFold(word[:7], "magnet:") }

// A Config is how others are found and reached.
type Config struct {
	Listen   string   // HOST:PORT for TCP; empty is every address, at a port that is free
	Trackers []string // URLs, beside those in the torrent
	Peers    []string // HOST:PORT of some who have it, beside those in the torrent
	DHT      bool     // others are searched for in BitTorrent's public DHT, too, and by asking those found
	Up, Down int64    // bytes a second; 0 is no limit
}

// A Fetch fetches a torrent. Run it once.
type Fetch struct {
	Config
	Source    string // a magnet link, or the name of a file
	Target    string // a directory; it is made if it is not there
	Choice    glob.Choice
	Overwrite bool
	Rename    bool
	Stay      bool // when all is there, it is handed on until the context is done

	// See is told how it is, about once a second and at the end. It is called by one goroutine
	// at a time, which waits for it.
	See  func(Status)
	Done func(paths []string) // where what is at the top is now; called before it is handed on
}

// A Seed makes a torrent of files and hands them on, where they are. Run it once.
type Seed struct {
	Config
	Paths  []string // of files and directories; links are left out
	Name   string   // what it is called; empty is what the path is, or "shared" if there are more
	Choice glob.Choice

	// Ready is told the link, and the torrent as a file, when all is hashed.
	Ready func(link string, file []byte) error
	See   func(Status)                 // as of a Fetch
	Left  func(path string, why error) // is told what is not handed on; the path is harmless
}

// Choose sets which files are wanted, by patterns.
func (f *Fetch) Choose(only, exclude []string) (err error) {
	f.Choice, err = glob.ParseChoice(only, exclude)
	return transport.Usage(err)
}

// Choose sets which files are handed on, by patterns.
func (s *Seed) Choose(only, exclude []string) (err error) {
	s.Choice, err = glob.ParseChoice(only, exclude)
	return transport.Usage(err)
}

// A Status is how far a transfer is.
type Status struct {
	Hash   string // the info hash, in hexadecimal
	Name   string // harmless; "" until it is known
	Files  int    // that are wanted
	Bytes  int64  // of them; 0 until they are known
	Have   int64
	Hashed int64 // bytes that were read to make the torrent
	Got    int64 // of what came, by this process
	Sent   int64
	Peers  int
	Done   bool // all is there, in its place
}

// An Entry is a file of a torrent.
type Entry struct {
	Path    string // harmless
	Size    int64
	Program bool // it can be executed
	Hidden  bool
	Trusted bool // programs do what is in files of this name
	Taken   bool // something has the name at the target
}

// Run fetches until all is there, and with Stay hands it on until the context is done. What has come when it is interrupted stays, and a later Run goes on with it. Errors match those
// of package stage, [ErrTorrent], [ErrNoPeers], or are the cause of the context.
func (f Fetch) Run(ctx context.Context) error { return f.run(ctx) }

// List returns what is wanted of a torrent, and fetches no more than that takes.
func (f Fetch) List(ctx context.Context) ([]Entry, error) { return f.list(ctx) }

// Run hashes the files and hands them on until the context is done, which is its only success, or
// until they have changed.
func (s Seed) Run(ctx context.Context) error { return s.run(ctx) }
