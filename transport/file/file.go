//go:build unix

package file

import (
	"errors"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// File reads or writes a file; see the package comment. The zero value, with a
// Path, reads one that exists.
type File struct {
	Path      string
	ReadOnly  bool       // says what is the default: a mistake together with the next five
	Write     bool       // write, and do not read
	Append    bool       // write at the end
	ReadWrite bool       // read and write, each at a place of its own
	Create    bool       // write, and make the file if it does not exist
	Exclusive bool       // like Create, but it must not exist
	Truncate  opt.Switch // empty it first; on for Write and Create without Append and Seek
	Mode      Mode       // permissions, if not 0; a new file has 0666 less the umask
	Seek      Offset     // where reading and writing begin
	Follow    bool       // go on reading as the file grows, until Close
	Lock      bool       // flock(2) it, and wait while somebody else has it
	LockNow   bool       // flock(2) it, or fail if somebody else has it
	Atomic    bool       // like Create, but under another name until CloseWrite has been called
	Sync      bool       // CloseWrite waits until the disk has it
}

var (
	_ transport.Dialer    = (*File)(nil)
	_ transport.Validator = (*File)(nil)
)

// Bind binds the options, and the target as the path.
func (e *File) Bind(s *opt.Set) {
	s.Target(opt.Text, "PATH", pathTarget(&e.Path))
	s.Bool(&e.ReadOnly, "rdonly", "read only, which is the default").Alias("o-rdonly", "read")
	s.Bool(&e.Write, "write", "write only; what is there is replaced")
	s.Func("wronly", "", "write only, over what is there, as in socat", e.over(&e.Write)).Alias("o-wronly")
	s.Bool(&e.ReadWrite, "rdwr", "read and write").Alias("o-rdwr")
	s.Bool(&e.Append, "append", "write at the end").Alias("o-append")
	s.Bool(&e.Create, "create", "write, and make the file if it does not exist; what is there is replaced")
	s.Func("creat", "", "make the file if it does not exist, and write over what is there, as in socat", e.over(&e.Create)).Alias("o-creat", "o-create")
	s.Bool(&e.Exclusive, "excl", "make the file, which must not exist").Alias("o-excl")
	s.Switch(&e.Truncate, "trunc", true, "empty a file that is only written; not the default with append, seek and rdwr").Alias("o-trunc")
	s.Text(&e.Mode, "mode", "octal", "permissions of the file, such as 0640", e.Mode.String).Alias("perm")
	s.Text(&e.Seek, "seek", "size|-size|end", "where to begin; from the end if negative", e.Seek.String).Alias("seek-set")
	s.Bool(&e.Follow, "follow", "go on reading as the file grows, as tail -f does")
	s.Bool(&e.Lock, "flock", "lock the file, and wait while another program has it locked").Alias("flock-ex")
	s.Bool(&e.LockNow, "flock-nb", "lock the file, or fail if another program has it locked").Alias("flock-ex-nb")
	s.Bool(&e.Atomic, "atomic", "let the file appear, or replace the one that is there, when all of it has been written")
	s.Bool(&e.Sync, "fsync", "at the end, wait until the disk has it")
}

// Validate finds fault with the combination of options.
func (e *File) Validate() error {
	var err error
	switch {
	case e.Path == "":
		err = errors.New("a path is missing")
	case e.ReadOnly && e.writes():
		err = errors.New("rdonly and options for writing exclude each other")
	case e.Write && e.ReadWrite:
		err = errors.New("write and rdwr exclude each other")
	case e.Follow && !e.reads():
		err = errors.New("follow is for reading")
	case e.Lock && e.LockNow:
		err = errors.New("flock and flock-nb exclude each other")
	case e.Atomic && (e.ReadWrite || e.Append || e.Exclusive || e.Lock || e.LockNow || e.Seek.set() || e.Truncate == opt.Off):
		err = errors.New("atomic goes with none of rdwr, append, excl, flock, seek and trunc=no")
	case e.Append && e.Seek.set() && !e.ReadWrite:
		err = errors.New("append and seek exclude each other: all is written at the end")
	case !e.writes() && (e.Truncate != opt.Default || e.Sync || e.Mode != 0):
		err = errors.New("trunc, mode and fsync are for writing")
	}
	return transport.Mark(err, transport.ErrUsage)
}

// over returns what sets an option with socat's meaning, which empties no file unless
// trunc says so.
func (e *File) over(option *bool) func(string) error {
	return func(string) error {
		if *option = true; e.Truncate == opt.Default {
			e.Truncate = opt.Off
		}
		return nil
	}
}

func (e *File) reads() bool { return e.ReadWrite || !e.writes() }

func (e *File) writes() bool {
	return e.Write || e.Append || e.Create || e.Exclusive || e.Atomic || e.ReadWrite
}

// truncates tells whether the file is emptied once it has been opened and locked.
func (e *File) truncates() bool {
	return e.writes() && e.Truncate.Or(!e.ReadWrite && !e.Append && !e.Seek.set())
}
