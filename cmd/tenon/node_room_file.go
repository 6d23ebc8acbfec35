//go:build node

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon/internal/agefile"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// roomExport is "tenon room export ROOM [FILE]".
func roomExport(p *program, c *call, t *talk, words []string) error {
	path := "-"
	if len(words) > 1 {
		path = words[1]
	}
	if _, err := os.Lstat(path); err == nil && path != "-" {
		return usageError(fmt.Sprintf("%s is there already", path), "name a file that is not")
	}
	password, err := p.exportPassword(c, path)
	if err != nil {
		return err
	}
	export := func(to io.Writer) error {
		if password == "" {
			return t.ExportRoom(p.ctx, words[0], to)
		}
		sealed, err := agefile.Seal(to, password)
		if err != nil {
			return err
		}
		if err := t.ExportRoom(p.ctx, words[0], sealed); err != nil {
			return err // what is there is not closed, so that nobody takes it for all
		}
		return sealed.Close()
	}
	if path == "-" {
		return export(dataWriter{p.stdout})
	}
	err = writeWhole(path, func(f *os.File) error { return export(f) })
	if password != "" {
		return p.did(c, err, "who has the password can read what is in %s: tenon room import %s, or age -d %s", path, shellWord(path), shellWord(path))
	}
	return p.did(c, err, "whoever has %s can read what is in it: tenon room import %s", path, shellWord(path))
}

// exportPassword returns by which password an export is to be opened; "": by none, because that was asked for.
func (p *program) exportPassword(c *call, path string) (string, error) {
	f := &c.peer.room
	switch {
	case f.plain && f.password != "":
		return "", usageError("--plain and --password cannot both be", "--password is enough")
	case f.plain:
		return "", nil
	case f.password != "":
		return readPassword(f.password)
	}
	if path == "-" {
		path = "the export"
	}
	password, err := p.newPassword(c, path)
	if err == nil && password == "" {
		err = usageError("an export has the keys of the room in it, so it needs a password", "--password @FILE or env:NAME, or --plain for one that anybody can read who has it")
	}
	return password, err
}

// writeWhole makes a file that nobody else can read. It has its name when it is whole.
func writeWhole(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tenon-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // there is an error already
	}
	return err
}

// roomImport is "tenon room import FILE".
func roomImport(p *program, c *call, t *talk, words []string) error {
	path, err := filepath.Abs(words[0])
	if err == nil {
		_, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return usageError(err.Error(), "tenon room export ROOM FILE makes one")
	}
	if err != nil {
		return err
	}
	password, err := p.importPassword(c, path)
	if err != nil {
		return err
	}
	r, err := t.ImportRoom(p.ctx, path, password)
	if err == nil && p.json {
		return p.stdout.json(r)
	}
	if err == nil && r.Unended {
		p.tell(c, "%s is of before exports said where they end: it is not known whether it is whole", path)
	}
	return p.did(c, err, "%s is there: tenon tail %s", r.Name, shellWord(r.Name))
}

// importPassword returns the password that opens a file, "" if it needs none.
func (p *program) importPassword(c *call, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	begin := make([]byte, agefile.PeekSize)
	if n, _ := io.ReadFull(f, begin); !agefile.Is(begin[:n]) {
		return "", nil
	}
	if from := c.peer.room.password; from != "" {
		return readPassword(from)
	}
	password, err := p.askPassword(c, "the password of "+path+": ")
	if err == nil && password == "" {
		err = usageError(path+" needs a password", "--password @FILE or env:NAME")
	}
	return password, err
}

// readPassword returns the password that a flag says where it is. One in the command line itself is refused: all programs of this
// computer can read that, and so can whoever sees an error about it.
func readPassword(from string) (string, error) {
	if !strings.HasPrefix(from, "@") && !strings.HasPrefix(from, "env:") {
		return "", usageError("--password is not for the password itself, which others on this computer would see", "--password @FILE or env:NAME; without, it is asked for")
	}
	password, err := opt.ReadSecret(from)
	if err != nil {
		return "", transport.Usage(fmt.Errorf("--password: %w", err))
	}
	return password, nil
}
