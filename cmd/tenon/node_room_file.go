//go:build node

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// roomExport is "tenon room export ROOM [FILE]".
func roomExport(p *program, c *call, t *talk, words []string) error {
	if len(words) == 1 || words[1] == "-" {
		return t.ExportRoom(p.ctx, words[0], dataWriter{p.stdout})
	}
	path := words[1]
	if _, err := os.Lstat(path); err == nil {
		return usageError(fmt.Sprintf("%s is there already", path), "name a file that is not")
	}
	err := writeWhole(path, func(f *os.File) error { return t.ExportRoom(p.ctx, words[0], f) })
	return p.did(c, err, "whoever has %s can read what is in it: tenon room import %s", path, shellWord(path))
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
	r, err := t.ImportRoom(p.ctx, path)
	if err == nil && p.json {
		return p.stdout.json(r)
	}
	return p.did(c, err, "%s is there: tenon tail %s", r.Name, shellWord(r.Name))
}
