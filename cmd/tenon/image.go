//go:build !node && !nopeer

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/image"
	"github.com/tenon-net/tenon/transport"
)

// What knows peers (go-libp2p, the DHT, SQLite) would make every start of the program
// twice as long. So it is another image of this same program, built with the tag node,
// and this process becomes it when a verb or an address is about peers, or else needs
// what is linked there only: before anything is opened, with the same arguments,
// environment and descriptors. See docs/decisions/0018-two-images.md.

// nodeName is the file of that image, where it stands beside the program.
const nodeName = "tenon-node"

// slowBuild is what is said when the image has to be built first.
const slowBuild = "tenon: building the part that knows peers; the first time takes a minute or two"

// perform runs a command, here or in the other image.
func (p *program) perform(cmd command, c *call) error {
	if cmd.peers || c.opensMore() {
		return p.becomeNode(sourceDir())
	}
	return cmd.run(p, c)
}

// linked has no run functions for the verbs of peers: perform is in their place.
func linked(string) func(*program, *call) error { return nil }

// becomeNode goes on as the image that knows peers, which may be built in source. It
// returns only if that fails.
func (p *program) becomeNode(source string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := p.findNode(self, source)
	if err != nil {
		return err
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	err = replace(file.Name(), os.Args, os.Environ())
	runtime.KeepAlive(file) // which may be a descriptor in memory, and nothing else
	return err
}

// findNode finds the image: at the end of the program's file, beside it, or in the
// source that it was built from.
func (p *program) findNode(self, source string) (*os.File, error) {
	file, err := carried(self)
	if !errors.Is(err, image.ErrNone) {
		return file, err
	}
	beside := filepath.Join(filepath.Dir(self), nodeName+filepath.Ext(self))
	if file, err = os.Open(beside); !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if source != "" {
		return p.buildNode(source)
	}
	return nil, transport.WithHint(
		fmt.Errorf("what knows peers is not in %s, and there is no %s", self, beside),
		"the released program has it; in a clone: go build -tags node -o "+beside+" ./cmd/tenon")
}

// carried returns the image at the end of a file as a file of its own.
func carried(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	i, err := image.Find(f, info.Size())
	if err != nil {
		if errors.Is(err, image.ErrDamaged) {
			err = transport.WithHint(fmt.Errorf("%s: %w", path, err), "copy the file again")
		}
		return nil, err
	}
	file, err := inMemory(f, i)
	if err != nil {
		file, err = inCache(f, i)
	}
	return file, err
}

// inCache copies an image to a file that later runs find again.
func inCache(f *os.File, i image.Image) (*os.File, error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%x", nodeName, i.Sum[:8]))
	if file, err := os.Open(path); err == nil {
		return file, nil
	}
	if err := i.Check(f); err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(dir, nodeName)
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // it is there only if something failed
	err = i.CopyTo(temp, f)
	if err = errors.Join(err, temp.Chmod(0o700), temp.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// cacheDir is where this user's programs keep what can be made again. Nobody else may
// write there: what is in it is started.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "tenon")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !own(dir) || runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return "", transport.Mark(fmt.Errorf("%s can be changed by others", dir), transport.ErrDenied)
	}
	return dir, nil
}

// sourceDir returns the clone that this program was built in, if it is still there and
// this user's or root's; else "". A release does not know where it was built.
func sourceDir() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	dir := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	for _, part := range []string{dir, filepath.Join(dir, "go.mod"), file} {
		if !own(part) {
			return ""
		}
	}
	return dir
}

// buildNode builds the image in a clone. When nothing has changed since the last time,
// that is over in an instant.
func (p *program) buildNode(dir string) (*os.File, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-clone-%x", nodeName, sha256.Sum256([]byte(dir)))[:len(nodeName)+len("-clone-")+16]
	path := filepath.Join(cache, name)
	if _, err := os.Stat(path); err != nil {
		p.stderr.line(slowBuild)
	}
	cmd := exec.CommandContext(p.ctx, "go", "build", "-tags", "node", "-o", path, "./cmd/tenon")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	switch {
	case p.ctx.Err() != nil:
		return nil, context.Cause(p.ctx)
	case errors.Is(err, exec.ErrNotFound):
		return nil, transport.WithHint(fmt.Errorf("what knows peers has to be built in %s: %w", dir, err), "install Go, or use the released program")
	case err != nil:
		last := strings.TrimSpace(string(out))
		last = last[strings.LastIndexByte(last, '\n')+1:]
		return nil, transport.WithHint(fmt.Errorf("building what knows peers: %w: %s", err, last), "cd "+dir+" && "+strings.Join(cmd.Args, " "))
	}
	return os.Open(path)
}

// moreKinds are the kinds that only the other image can open.
func moreKinds() transport.Kinds { return shownKinds() }

// unknownPeers has nothing to say: peers are known to the other image.
func (p *program) unknownPeers(*call, []string) []tenon.Event { return nil }

// peerCandidates has the other image complete, and returns only if there is none:
// nobody waits for it to be built.
func (p *program) peerCandidates(wanted, []string, string) []string {
	_ = p.becomeNode("") // nothing is to be said now
	return nil
}
