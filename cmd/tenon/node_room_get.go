//go:build node

package main

import (
	"fmt"
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

// roomFiles is "tenon room files ROOM".
func roomFiles(p *program, _ *call, t *talk, words []string) error {
	files, err := t.RoomFiles(p.ctx, words[0])
	if err != nil {
		return err
	}
	return list(p, files, "no file was said there: tenon say "+shellWord(words[0])+" --file PATH says one",
		[]string{"FILE", "SIZE", "FROM", "WHEN", "WHERE", "ID"}, func(f api.RoomFileSaid) []string {
			m, size := f.Message, ""
			if m.File.Size > 0 {
				size = bytesOf(float64(m.File.Size))
			}
			return []string{m.File.Name, size, m.From, ago(m.Time) + " ago", whereFile(f), shortID(m.ID)}
		})
}

// whereFile says who has a file, as far as that is known.
func whereFile(f api.RoomFileSaid) string {
	switch n := len(f.Paths); {
	case n == 1:
		return "here: " + f.Paths[0]
	case n > 1:
		return fmt.Sprintf("here: %s and %d more", f.Paths[0], n-1)
	case len(f.At) > 0:
		return strings.Join(f.At, ", ")
	}
	return "nobody who is connected is known to have it"
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
