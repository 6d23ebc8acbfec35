package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
)

// A flagWord is a word of the command line that is a flag.
type flagWord struct {
	long  bool // it has two dashes
	name  string
	value string
	has   bool // a value stands behind "="
}

// parseFlag takes a word apart, if it is a flag: "-" and "-,raw" are ends, and what
// stands behind "--" is not for us.
func parseFlag(word string) (f flagWord, ok bool) {
	if !strings.HasPrefix(word, "-") || word == "-" || word == "--" || strings.HasPrefix(word, "-,") {
		return f, false
	}
	rest, long := strings.CutPrefix(word, "--")
	f.long = long
	f.name, f.value, f.has = strings.Cut(strings.TrimPrefix(rest, "-"), "=")
	return f, true
}

// in finds the flag among those of s: -x and --xyz, not --x and -xyz.
func (f flagWord) in(s *opt.Set) *opt.Def {
	if f.long == (len(f.name) == 1) {
		return nil
	}
	return s.Lookup(f.name)
}

// firstWord returns the place of the first word that is neither a flag nor the
// value of one. Flags may stand before the command, so those of all commands count.
func firstWord(args []string) int {
	for i := 0; i < len(args); i++ {
		f, ok := parseFlag(args[i])
		if !ok {
			return i
		}
		var d *opt.Def
		for _, cmd := range commands() {
			if d = f.in(bindFlags(cmd, &call{})); d != nil {
				break
			}
		}
		if d == nil && f.long {
			d = anyOption(f.name)
		}
		if d != nil && !d.Flag() && !f.has {
			i++
		}
	}
	return len(args)
}

// anyOption returns the option of that name, whichever kind has it.
func anyOption(name string) *opt.Def {
	for _, k := range kinds() {
		if k.New == nil {
			continue
		}
		s := new(opt.Set)
		k.New().Bind(s)
		if d := s.Lookup(name); d != nil {
			return d
		}
	}
	return findOption("null:", name)
}

// parseCall takes the words of the command line apart, of which the one at verb is
// the command; -1 if it is left out. Flags may stand anywhere before "--". With an
// error, the call has the flags before the mistake.
func parseCall(cmd command, args []string, verb int) (*call, error) {
	c := &call{command: cmd, words: args}
	c.set = bindFlags(cmd, c)
	for i := 0; i < len(args); i++ {
		f, isFlag := parseFlag(args[i])
		switch {
		case i == verb:
			continue
		case args[i] == "--":
			c.behindDashes(args[i+1:])
			return c, c.checkPassed()
		case !isFlag:
			c.args = append(c.args, args[i])
			continue
		}
		d, own := f.in(c.set), true
		if d == nil && f.long {
			d, own = c.option(f.name, args), false
		}
		if d == nil {
			return c, c.unknownFlag(f, i)
		}
		if !f.has && !d.Flag() {
			if i+1 >= len(args) {
				return c, usageError(f.dashed(f.name)+" needs a value: "+d.Type, "see tenon help "+cmd.name)
			}
			i++
			f.value, f.has = args[i], true
		}
		if !own {
			c.passed = append(c.passed, passed{f.name, f.value, f.has})
			continue
		}
		if err := d.Set(f.value, f.has); err != nil {
			hint := ""
			if isCommand(f.value) {
				hint = "the value of " + f.dashed(f.name) + " is missing before " + f.value
			}
			return c, usageError(f.dashed(f.name)+" "+err.Error(), hint)
		}
	}
	return c, c.checkPassed()
}

// behindDashes takes the words behind "--", which are no flags. Where a program stands before
// it that lacks its words, they are those; else it only ends the flags, and another "--" may
// stand before the words of a program.
func (c *call) behindDashes(words []string) {
	if c.lacksWords(c.args) {
		c.rest = append([]string{}, words...)
		return
	}
	if n := slices.Index(words, "--"); n >= 0 {
		if args := slices.Concat(c.args, words[:n]); c.lacksWords(args) {
			c.args, c.rest = args, append([]string{}, words[n+1:]...)
			return
		}
	}
	c.args = append(c.args, words...)
}

// lacksWords tells whether the words behind "--" are those of a program: of the one that
// takes over from tenon take, or of an end among args that has none.
func (c *call) lacksWords(args []string) bool {
	if c.name == "take" {
		return len(args) > 0
	}
	return slices.ContainsFunc(args, func(text string) bool {
		a, err := address.Parse(text)
		if err != nil || a.Target.Raw != "" {
			return false
		}
		k, ok := kinds().Lookup(a.Kind.Name)
		return ok && (k.Name == "exec" || k.Name == "sh")
	})
}

// dashed writes name as f is written.
func (f flagWord) dashed(name string) string {
	if f.long {
		return "--" + name
	}
	return "-" + name
}

// unknownFlag says that the word at i is no flag. It may hold a secret, wherever
// its name ends, so it is shown as far as it is a name that somebody knows.
func (c *call) unknownFlag(f flagWord, i int) error {
	hint := "see tenon help " + c.name
	if advice := habit(f, c.set); advice != "" {
		hint = advice
	}
	if !f.long {
		letter, more := f.name, ""
		for at := range f.name {
			if at > 0 {
				letter, more = f.name[:at], "…"
				break
			}
		}
		return usageError("unknown flag -"+letter+more, hint)
	}
	names := c.flagNames()
	known := "" // the longest name that the word begins with
	for _, name := range names {
		if len(name) > max(len(known), 1) && strings.HasPrefix(f.name, name) {
			known = name
		}
	}
	near := opt.Nearest(f.name, names, 2)
	switch {
	case known != "":
		return usageError("unknown flag --"+known+"…", "a value stands behind --"+known+"=, or in the next word")
	case len(near) > 0:
		return usageError("unknown flag --"+f.name, "did you mean --"+strings.Join(near, " or --")+"?")
	case habits()[f.name] != "":
		return usageError("unknown flag --"+f.name, hint)
	}
	return usageError(fmt.Sprintf("word %d of the command line is not a flag of tenon %s", i+1, c.name), hint)
}

// flagNames returns the names that a flag of the call can have.
func (c *call) flagNames() []string {
	var names []string
	for d := range c.set.All() {
		names = append(names, d.Name)
	}
	if c.passing {
		for _, k := range kinds() {
			if k.New != nil {
				s := new(opt.Set)
				k.New().Bind(s)
				for d := range s.All() {
					names = append(append(names, d.Name), d.Aliases...)
				}
			}
		}
	}
	return names
}

func isCommand(word string) bool {
	return slices.ContainsFunc(commands(), func(cmd command) bool { return cmd.name == word })
}
