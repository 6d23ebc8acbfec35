package screen

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Choices are what Tab has found: pressing it again takes the next one.
type choices struct {
	from, to int // the units of the input that the choice stands in
	words    []string
	at       int
}

// maxChoices is how many there are at most.
const maxChoices = 200

// complete puts the next choice for what stands before the cursor into the input.
func (m *model) complete(t *talk, step int) {
	in := &t.input
	c := &m.choices
	if len(c.words) == 0 || in.at != c.to {
		from := in.at
		for from > 0 && !strings.ContainsAny(in.units[from-1], " \n\t") {
			from--
		}
		words := m.candidates(t, strings.Join(in.units[:from], ""), strings.Join(in.units[from:in.at], ""))
		if len(words) == 0 {
			*c = choices{}
			return
		}
		*c = choices{from, in.at, words, -1}
		if step < 0 {
			c.at = 0
		}
	}
	c.at = (c.at + step + len(c.words)) % len(c.words)
	word := c.words[c.at]
	in.cut(c.from, c.to)
	in.insert(word)
	c.to = in.at
}

// candidates returns what word could become, behind what stands before it.
func (m *model) candidates(t *talk, head, word string) []string {
	var all []string
	name, args, isCommand := strings.Cut(head, " ")
	c, known := lookUp(strings.TrimPrefix(name, "/"))
	isCommand = isCommand && known && strings.HasPrefix(head, "/") && !strings.HasPrefix(head, "//")
	switch {
	case head == "" && strings.HasPrefix(word, "/"):
		for _, c := range commands() {
			all = append(all, "/"+c.name+" ")
		}
	case isCommand && strings.TrimSpace(args) == "":
		if c.args == aPath {
			return paths(word)
		}
		all = m.argsOf(t, c.args)
	case isCommand && c.name == "role", isCommand && c.name == "invite":
		all = []string{"owner", "member", "reader"}
	case strings.HasPrefix(word, "#"):
		all = m.argsOf(t, aRoom)
	default:
		for i := range t.members {
			if p := &t.members[i]; !p.Me {
				all = append(all, "@"+p.Name+" ")
			}
		}
		if !strings.HasPrefix(word, "@") && word != "" {
			word = "@" + word
		}
	}
	return fitting(all, word)
}

// argsOf returns what a command can be about.
func (m *model) argsOf(t *talk, k kindOf) (all []string) {
	switch k {
	case aRoom:
		for i := range m.rooms {
			all = append(all, title(&m.rooms[i])+" ")
		}
		if k == aRoom {
			for _, o := range m.offers {
				all = append(all, "#"+o.Name+" ")
			}
		}
	case aPeer:
		for _, p := range m.peers {
			if p.Name != "" {
				all = append(all, p.Name+" ")
			}
		}
	case aMember:
		for i := range t.members {
			all = append(all, t.members[i].Name+" ")
		}
	case anOffer:
		for _, o := range m.offers {
			all = append(all, o.Name)
		}
	case anEmoji:
		for _, e := range emojis {
			all = append(all, e.emoji)
		}
		for _, e := range emojis {
			all = append(all, e.name)
		}
	case aCommand:
		for _, c := range commands() {
			all = append(all, c.name)
		}
	case onOff:
		all = []string{"on", "off"}
	}
	return all
}

// fitting returns those that begin with a word, whatever its capitals.
func fitting(all []string, word string) (out []string) {
	low := strings.ToLower(word)
	for _, s := range all {
		if strings.HasPrefix(strings.ToLower(s), low) && !slices.Contains(out, s) && len(out) < maxChoices {
			out = append(out, s)
		}
	}
	return out
}

// paths returns the files that a path can become.
func paths(word string) (out []string) {
	word = strings.ReplaceAll(word, `\ `, " ")
	dir, begin := filepath.Split(word)
	real, err := absolute(dir)
	if err != nil {
		return nil
	}
	files, _ := os.ReadDir(real) //nolint:errcheck // what cannot be read is not offered
	for _, f := range files {
		name := f.Name()
		if !strings.HasPrefix(name, begin) || begin == "" && strings.HasPrefix(name, ".") || len(out) >= maxChoices {
			continue
		}
		if f.IsDir() {
			name += "/"
		}
		out = append(out, strings.ReplaceAll(dir+name, " ", `\ `))
	}
	return out
}
