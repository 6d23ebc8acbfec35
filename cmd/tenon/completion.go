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
complete -c tenon -a '(__tenon_complete)'
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
	for _, w := range candidates(words[:len(words)-1], last) {
		if strings.HasPrefix(w, last) {
			p.stdout.line(w)
		}
	}
	return nil
}

// candidates returns what may stand behind the words before.
func candidates(before []string, last string) []string {
	if len(before) == 0 && !strings.ContainsAny(last, ":,") {
		var out []string
		for _, cmd := range commands() {
			out = append(out, cmd.name)
		}
		return append(out, completeAddress(last)...)
	}
	cmd := commands()[0]
	for _, other := range commands() {
		if len(before) > 0 && before[0] == other.name {
			cmd = other
		}
	}
	switch {
	case strings.HasPrefix(last, "-") && last != "-":
		return completeFlag(cmd)
	case cmd.name == "help":
		return append(kinds().Names(), "kinds", "options")
	case cmd.name == "take" && len(before) == 1:
		return givenNames()
	case cmd.name == "completion":
		return []string{"bash", "zsh", "fish"}
	}
	return completeAddress(last)
}

func completeFlag(cmd command) []string {
	var out []string
	for d := range bindFlags(cmd, &call{command: cmd}).All() {
		name := "--" + d.Name
		if !d.Flag() {
			name += "="
		}
		out = append(out, name)
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
