//go:build node

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/share/stage"
)

// A partial is what an interrupted transfer has left.
type partial struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Dir   string    `json:"directory"` // in which it was to be
	Where string    `json:"folder"`    // in which it is
	Have  int64     `json:"have"`
	Bytes int64     `json:"bytes"`           // as far as they are known
	Whole bool      `json:"whole"`           // they are all
	When  time.Time `json:"when"`            // something came last
	Error string    `json:"error,omitempty"` // it is of no use, and why

	left stage.Leftover
}

// runPartial is "tenon shares --partial [DIRECTORY...]". It is about what is on disk: no node has a part in it.
func runPartial(p *program, c *call) error {
	dirs := slices.Concat(c.args, c.rest)
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	all := []partial{}
	for _, dir := range dirs {
		found, err := partials(dir)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if remove := c.peer.share.remove; remove != "" {
		return p.removePartials(c, all, remove)
	}
	err := list(p, all, "nothing is left of interrupted transfers in "+strings.Join(dirs, ", "),
		[]string{"NAME", "SHARE", "HERE", "OF", "LAST", "IN"}, partialCells)
	if err == nil && len(all) > 0 && !p.json {
		p.tell(c, "the same tenon get goes on with it; --remove SHARE removes it")
	}
	return err
}

// partials lists what is in a directory.
func partials(dir string) (all []partial, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	left, err := stage.Leftovers(dir)
	for _, l := range left {
		x := partial{ID: l.ID.String(), Name: l.Name, Dir: dir, Where: filepath.Join(dir, ".tenon-"+l.ID.String()), Have: l.Bytes, Bytes: l.Of,
			Whole: l.Whole, When: l.When, left: l}
		if l.Err != nil {
			x.Error = l.Err.Error()
		}
		all = append(all, x)
	}
	return all, err
}

func partialCells(x partial) []string {
	of := bytesOf(float64(x.Bytes))
	switch {
	case x.Error != "":
		of = x.Error
	case !x.Whole:
		of += " or more"
	}
	return []string{x.Name, x.ID[:10], bytesOf(float64(x.Have)), of, ago(x.When) + " ago", x.Dir}
}

// removePartials removes those that are called so.
func (p *program) removePartials(c *call, all []partial, name string) error {
	var meant []partial
	for _, x := range all {
		if name == "all" || x.Name == name || len(name) >= 4 && strings.HasPrefix(x.ID, name) {
			meant = append(meant, x)
		}
	}
	switch {
	case len(meant) == 0:
		return usageError(fmt.Sprintf("nothing that is called %q is left of interrupted transfers there", name), "tenon shares --partial lists what is")
	case len(meant) > 1 && name != "all":
		return usageError(fmt.Sprintf("%d are called %q", len(meant), name), "tenon shares --partial lists their IDs, of which the beginning is enough")
	}
	var failed []error
	for _, x := range meant {
		if err := stage.Remove(x.Dir, x.left.ID); err != nil {
			failed = append(failed, err)
			continue
		}
		p.tell(c, "%s is removed: %s", x.Where, bytesOf(float64(x.Have)))
	}
	return errors.Join(failed...)
}
