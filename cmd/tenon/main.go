// Command tenon connects any two programs. See the README, or tenon help.
//
// This file chooses what to do; each command has a file of its own. Only here are
// the process's arguments, environment, signals and exit status touched: the rest
// is package tenon and what it stands on.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tenon-net/tenon/opt"
)

// A program is one run: what a command may touch of the world.
type program struct {
	ctx    context.Context
	stdout *console
	stderr *console
	json   bool // errors, too, are JSON

	reloads atomic.Pointer[chan struct{}] // for SIGHUP; nil if there is no service
}

// A command is a verb.
type command struct {
	name    string
	syntax  string // what stands behind the name
	doc     string // one line
	run     func(p *program, c *call) error
	flags   []flagGroup
	passing bool // takes the options of its addresses as flags, too
	peers   bool // it is about peers: see image.go
}

// A call is a command with what stood behind it.
type call struct {
	command
	global globalFlags
	joint  jointFlags
	wait   waitFlags
	give   giveFlags
	take   takeFlags
	peer   peerFlags
	words  []string // as they were typed
	args   []string // positional
	rest   []string // behind "--"
	passed []passed // flags that are options of an address
	set    *opt.Set
}

// commands lists the verbs in the order of help.
func commands() []command {
	return slices.Concat([]command{
		{name: "join", syntax: "A B", doc: "join two ends; the word join may be left out", run: runJoin, flags: jointGroups},
		{name: "connect", syntax: "HOST:PORT|ADDRESS", doc: "join standard input and output to an end", run: runConnect, flags: jointGroups, passing: true},
		{name: "listen", syntax: "[HOST:]PORT|ADDRESS [ADDRESS]", doc: "wait for connections, and join each to an end, or one to standard input and output", run: runListen, flags: listenGroups, passing: true},
		{name: "wait", syntax: "ADDRESS...", doc: "wait until every end accepts a connection", run: runWait, flags: []flagGroup{waitGroup}},
		{name: "give", syntax: "RENDEZVOUS [NAME=]ADDRESS...", doc: "hand open sockets and files to another program, which says tenon take", run: runGive, flags: []flagGroup{giveGroup}},
		{name: "take", syntax: "RENDEZVOUS [ADDRESS | -- PROGRAM ARGS...]", doc: "become a program that has what is given as descriptors 3, 4... and LISTEN_FDS, or join it to standard input and output or to an end", run: runTake, flags: []flagGroup{takeGroup}},
	}, peerCommands(), []command{
		{name: "explain", syntax: "ADDRESS...", doc: "say what would be opened, with all defaults, and open nothing", run: runExplain},
		{name: "help", syntax: "[kinds|options|KIND|COMMAND]", doc: "explain kinds, options and commands", run: runHelp},
		{name: "completion", syntax: "bash|zsh|fish", doc: "print a completion script for a shell", run: runCompletion},
		{name: "version", doc: "print the version", run: runVersion},
	})
}

func main() { os.Exit(tenonMain()) }

// tenonMain is main with an exit status, as test scripts run it.
func tenonMain() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	p := &program{ctx: ctx, stdout: newConsole(standard(1)), stderr: newConsole(standard(2))}
	p.watchSignals(cancel)
	log.SetOutput(p.stderr.lines()) // of libraries that use it
	log.SetFlags(0)
	log.SetPrefix("tenon: ")
	return p.exit(p.main(os.Args[1:]))
}

// main finds the command and runs it.
func (p *program) main(args []string) error {
	if len(args) == 0 {
		shortHelp(p.stderr)
		return silent{exitUsage}
	}
	switch args[0] {
	case "__complete":
		return p.complete(args[1:])
	case "-h", "--help":
		args = append([]string{"help"}, args[1:]...)
	case "--version", "-V":
		args = append([]string{"version"}, args[1:]...)
	}
	first := firstWord(args)
	if first < len(args) {
		for _, cmd := range commands() {
			if cmd.name == args[first] {
				return p.call(cmd, args, first)
			}
		}
	}
	return p.call(commands()[0], args, -1)
}

// looksLikeAddress tells an address from a mistyped command. More words follow it.
func looksLikeAddress(word string, more bool) bool {
	_, isKind := kinds().Lookup(word)
	return word == "-" || strings.ContainsAny(word, ":!,/[.") || more && (isKind || isNumber(word))
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (p *program) unknownCommand(words []string) error {
	name := words[0]
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	hint := "see tenon help"
	if _, ok := kinds().Lookup(name); ok {
		hint = "two ends are needed: tenon " + name + ": OTHER"
	} else if near := opt.Nearest(name, names, 1); len(near) > 0 {
		hint = "did you mean tenon " + near[0] + "?"
	} else if isNumber(name) {
		hint = "tenon listen " + name + " listens on a port, tenon connect HOST:" + name + " calls one"
	} else if i := slices.IndexFunc(words, isCommand); i > 0 {
		hint = "the command stands before the ends: tenon " + words[i] + " ..."
	}
	return usageError(fmt.Sprintf("there is no command %q", name), hint)
}

// call parses the command line, of which the word at verb is the command, and runs
// the command.
func (p *program) call(cmd command, args []string, verb int) error {
	c, err := parseCall(cmd, args, verb)
	p.json = c.global.json
	switch {
	case err != nil:
		return err
	case c.global.help:
		return p.commandHelp(p.stdout, cmd)
	case verb < 0 && len(c.args) > 0 && !looksLikeAddress(c.args[0], len(c.args) > 1):
		return p.unknownCommand(c.args)
	}
	return p.perform(cmd, c)
}
