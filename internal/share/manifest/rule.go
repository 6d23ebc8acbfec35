package manifest

import (
	"fmt"

	"github.com/tenon-net/tenon/internal/neutral"
)

// A Rule is what an entry or a block has broken. It is an error to be found with
// errors.Is.
type Rule string

func (r Rule) Error() string { return string(r) }

// The rules, in the words of docs/protocol/share.md.
const (
	RuleMagic   Rule = "a block of a manifest does not begin like this"
	RuleNumber  Rule = "the block has the number of another"
	RuleVarint  Rule = "a number is not in its shortest form"
	RuleKind    Rule = "there is no such kind of entry, or it does not have such a field"
	RuleRaw     Rule = "it is not marked correctly whether its name is valid UTF-8"
	RuleDots    Rule = `a name is empty, "." or ".."`
	RuleChar    Rule = `a name contains "/" or NUL`
	RuleName    Rule = "a name is longer than 255 bytes"
	RulePath    Rule = "a path is longer than 4,096 bytes"
	RuleDepth   Rule = "a path has more than 128 names"
	RuleParent  Rule = "its directory does not precede it"
	RuleOrder   Rule = "it is out of order, or there twice"
	RulePrefix  Rule = "the prefix that it shares with its neighbour is not the longest"
	RuleMode    Rule = "its mode has other bits than 0777"
	RuleSize    Rule = "its size is not from 0 to 2^63-1"
	RuleRoot    Rule = "an empty file has the root of another"
	RuleTarget  Rule = "the target of a link is empty, has NUL, or is longer than 4,096 bytes"
	RuleSum     Rule = "the sizes add up to more than 2^63-1"
	RuleCount   Rule = "there are too many entries"
	RulePaths   Rule = "the paths are too long on average"
	RuleFooter  Rule = "the totals are not those of the entries"
	RuleClosed  Rule = "a block ends though what follows would fit"
	RulePadding Rule = "a block is not padded with zeros"
	RuleAfter   Rule = "something follows the end"
	RuleCut     Rule = "the end is missing"
)

// An Error says what a Decoder or Encoder refuses. It wraps a [Rule].
type Error struct {
	Block int    // counted from 0
	Entry int    // counted from 0, in the block for OneBlock, else in the manifest
	Name  string // the path as far as it is known, harmless to show, and shortened
	Rule  Rule
}

func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("manifest: block %d, entry %d: %v", e.Block, e.Entry, e.Rule)
	}
	return fmt.Sprintf("manifest: block %d, entry %d, %s: %v", e.Block, e.Entry, e.Name, e.Rule)
}

// Unwrap returns the rule.
func (e *Error) Unwrap() error { return e.Rule }

// shownName is how much of a path an error shows, in bytes before they are escaped.
const shownName = 300

// shown makes a path fit for an error.
func shown(path string) string {
	if len(path) > shownName {
		return neutral.Line(path[:shownName]) + "..."
	}
	return neutral.Line(path)
}

// meanPath times the greatest number of entries is what all paths may have in bytes,
// so that a few bytes of a manifest do not become gigabytes of paths.
const meanPath = 256

// A tally counts entries and tells when they are too many.
type tally struct {
	Totals
	paths int64
}

// with returns the tally with one entry more.
func (t tally) with(it *item, path, maxEntries int) (tally, Rule) {
	if maxEntries == 0 {
		maxEntries = MaxEntries
	}
	t.Entries++
	t.paths += int64(path)
	switch {
	case t.Entries > maxEntries:
		return t, RuleCount
	case t.paths > int64(maxEntries)*meanPath:
		return t, RulePaths
	case it.kind == File:
		t.Files++
		t.Bytes += it.size
		if t.Bytes < 0 {
			return t, RuleSum
		}
	}
	return t, ""
}
