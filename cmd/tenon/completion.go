package main

import (
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
)

// The scripts ask the program itself, so they never know less than it does: what
// they pass to "tenon __complete" is the words up to the cursor.
const (
	// Bash breaks words at colons and equals signs; the script takes the whole
	// word from the line, and gives back what stands behind the last break.
	bashScript constant = `_tenon() {
    local line=${COMP_LINE:0:COMP_POINT} word words head
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[-1]}
    mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    head=${word%"${word##*[:=]}"}
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=,] ]]; then compopt -o nospace; fi
}
complete -o default -F _tenon tenon
`
	zshScript constant = `#compdef tenon
_tenon() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=("${(@)found:#}")
    if (( ${#found} )); then compadd -Q -S '' -- "${found[@]}"; else _files; fi
}
compdef _tenon tenon
`
	fishScript constant = `function __tenon_complete
    set -l words (commandline -opc) (commandline -ct)
    command tenon __complete $words[2..-1] 2>/dev/null
end
complete -c tenon -f -a '(__tenon_complete)'
complete -c tenon -n 'not count (__tenon_complete) >/dev/null' -F
`
)

// runCompletion is "tenon completion SHELL".
func runCompletion(p *program, c *call) error {
	switch {
	case len(c.args) == 1 && c.args[0] == "bash":
		p.stdout.text(bashScript)
	case len(c.args) == 1 && c.args[0] == "zsh":
		p.stdout.text(zshScript)
	case len(c.args) == 1 && c.args[0] == "fish":
		p.stdout.text(fishScript)
	default:
		return usageError("a shell is needed: bash, zsh or fish", `for example, in ~/.bashrc: source <(tenon completion bash)`)
	}
	return nil
}

// complete prints what the last of words may become, one a line.
func (p *program) complete(words []string) error {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, w := range p.candidates(words[:len(words)-1], last) {
		if strings.HasPrefix(w, last) {
			p.stdout.line(w)
		}
	}
	return nil
}

// candidates returns what may stand behind the words before.
func (p *program) candidates(before []string, last string) []string {
	first := firstWord(before)
	if first >= len(before) && !strings.ContainsAny(last, ":,") && (last == "" || last[0] != '-') {
		var out []string
		for _, cmd := range commands() {
			out = append(out, cmd.name)
		}
		return append(out, completeAddress(last)...)
	}
	cmd, words := commands()[0], before[min(first, len(before)):]
	for _, other := range commands() {
		if len(words) > 0 && words[0] == other.name {
			cmd, words = other, words[1:]
			break
		}
	}
	if w := wantedFor(cmd, words, last); w != nothing {
		return p.peerCandidates(w, words, last)
	}
	switch {
	case strings.HasPrefix(last, "-") && last != "-":
		return completeFlag(cmd, words)
	case cmd.name == "help":
		return append(kinds().Names(), "kinds", "options")
	case cmd.name == "take" && len(words) == 0:
		return givenNames()
	case cmd.name == "completion":
		return []string{"bash", "zsh", "fish"}
	case cmd.name != "join" && !strings.Contains(cmd.syntax, "ADDRESS"):
		return nil // of files the shell knows
	}
	return completeAddress(last)
}

// completeFlag returns the flags of a command, and the options of the address among
// words, if the command takes them as flags.
func completeFlag(cmd command, words []string) []string {
	c := &call{command: cmd, args: words}
	defs := slices.Collect(bindFlags(cmd, c).All())
	if c.target() != "" {
		if options, err := newOpener().Options(c.target()); err == nil {
			defs = append(defs, options...)
		}
	}
	var out []string
	for _, d := range defs {
		name := "--" + d.Name
		if !d.Flag() {
			name += "="
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// completeAddress completes a kind, the name of an option, or its value.
func completeAddress(text string) []string {
	i := strings.LastIndexByte(text, ',')
	if i < 0 {
		if strings.Contains(text, ":") {
			return nil
		}
		head := text[:strings.LastIndexByte(text, '+')+1]
		var out []string
		for _, name := range kinds().Names() {
			if name != address.Stdio {
				name += ":"
			}
			out = append(out, head+name)
		}
		return out
	}
	defs, err := newOpener().Options(text[:i])
	if err != nil {
		return nil
	}
	var out []string
	for _, d := range defs {
		switch {
		case d.Flag():
			out = append(out, text[:i+1]+d.Name)
		case len(d.Values) == 0:
			out = append(out, text[:i+1]+d.Name+"=")
		}
		for _, v := range d.Values {
			out = append(out, text[:i+1]+d.Name+"="+v)
		}
	}
	slices.Sort(out)
	return out
}
