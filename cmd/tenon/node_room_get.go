//go:build node

package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon/internal/node/api"
)

// roomGet is "tenon room get ROOM [ID...]": it fetches what others have shared with a room.
func roomGet(p *program, c *call, t *talk, words []string) error {
	target, err := p.downloads(c)
	if err != nil {
		return err
	}
	messages := words[1:]
	if len(messages) == 0 {
		messages = []string{""} // the last one
	}
	for _, id := range messages {
		request := api.FetchRequest{Room: words[0], Message: id, Target: target}
		g := p.newGetter(c, request)
		if err := g.end(g.run(p.ctx, t, request)); err != nil {
			return err
		}
	}
	return nil
}

// downloads is the directory for what is fetched: the one that was named, or that of this user's desktop
// (https://freedesktop.org/wiki/Software/xdg-user-dirs), or ~/Downloads.
func (p *program) downloads(c *call) (string, error) {
	if c.peer.share.target != "" {
		return c.place()
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usageError(err.Error(), "--to DIRECTORY says where it goes")
	}
	if dir := os.Getenv("XDG_DOWNLOAD_DIR"); filepath.IsAbs(dir) {
		return dir, nil
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	text, err := os.ReadFile(filepath.Join(config, "user-dirs.dirs"))
	if err == nil {
		if dir := downloadDir(string(text), home); dir != "" {
			return dir, nil
		}
	}
	return filepath.Join(home, "Downloads"), nil
}

// downloadDir reads a file of lines such as XDG_DOWNLOAD_DIR="$HOME/Downloads", in which directories are absolute or
// begin with $HOME; "" if it says nothing.
func downloadDir(text, home string) (dir string) {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), `XDG_DOWNLOAD_DIR="`)
		value, closed := strings.CutSuffix(value, `"`)
		if !ok || !closed {
			continue
		}
		value = strings.ReplaceAll(value, `\`, "")
		if rest, ok := strings.CutPrefix(value, "$HOME"); ok {
			value = home + rest
		}
		if filepath.IsAbs(value) {
			dir = value // the last one counts
		}
	}
	return dir
}

// fileWords says what a file is that somebody has shared with a room.
func fileWords(f *api.RoomFile) string {
	text := "[file: " + f.Name
	if f.Size > 0 {
		text += ", " + bytesOf(float64(f.Size))
	}
	return text + "]"
}
