package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

const intro constant = `tenon connects any two programs: inside one machine, across a room, across the Internet.

  tenon A B                   join the ends A and B
  tenon connect HOST:PORT     join standard input and output to an end
  tenon listen PORT           wait for a connection; on loopback, unless --public
  tenon listen PORT ADDRESS   join every connection to an end

An end is named by an address: KIND:TARGET,OPTION,OPTION=VALUE. For example
  tcp:db:5432   tcp-listen:8080   unix:/run/app.sock   exec:'sort -u'   wss://example.org/feed   -
`

const outro constant = `
tenon help kinds     the kinds of ends
tenon help KIND      one kind with its options
tenon help options   the options that every end has
tenon help COMMAND   one command with its flags

Exit status: 0 both directions ended well, 1 network error, 2 wrong usage, 3 not
allowed, 4 cut by a limit or a time-out; that of the program, where an end is one.

` + onSignals

const onSignals constant = `Signals: INT and TERM end all joints, remove sockets and restore the terminal; a
second one ends tenon at once. HUP has a service, which is a listener that serves
many, read its certificates, keys and lists of users again: all of them, or none
if one is wrong. Without a service, or when its terminal has gone, HUP ends tenon
as TERM does; under nohup it is ignored.
`

// runHelp is "tenon help [TOPIC]".
func runHelp(p *program, c *call) error {
	if len(c.args) == 0 {
		help(p.stdout)
		return nil
	}
	topic := c.args[0]
	switch topic {
	case "kinds":
		p.kindsHelp()
		return nil
	case "options":
		return p.optionsHelp()
	case "man":
		return writeMan(p.stdout.line)
	case "markdown":
		return writeMarkdown(p.stdout.line)
	}
	for _, cmd := range commands() {
		if cmd.name == topic {
			return p.commandHelp(p.stdout, cmd)
		}
	}
	if k, ok := kinds().Lookup(strings.TrimSuffix(topic, ":")); ok {
		return p.kindHelp(k)
	}
	hint := "see tenon help"
	names := append(kinds().Names(), "kinds", "options")
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	if near := opt.Nearest(topic, names, 3); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError(fmt.Sprintf("there is no help on %q", topic), hint)
}

func shortHelp(out *console) { out.text(intro + "\nSee tenon help.\n") }

func help(out *console) {
	out.text(intro + "\nCommands\n")
	for _, cmd := range commands() {
		out.linef("  %-12s %s", cmd.name, cmd.doc)
	}
	out.text(outro)
}

// commandHelp prints one command with its flags.
func (p *program) commandHelp(out *console, cmd command) error {
	out.linef("tenon %s %s", cmd.name, cmd.syntax)
	out.line("")
	out.line(sentence(cmd.doc))
	if cmd.passing {
		out.line("The options of the address can be given as flags, too.")
	}
	c := &call{command: cmd}
	printDefs(out, slices.Collect(bindFlags(cmd, c).All()), "--", "flags")
	return nil
}

// kindsHelp lists the kinds, a line each.
func (p *program) kindsHelp() {
	for _, k := range kinds() {
		p.stdout.linef("%-38s %s", k.Syntax, k.Doc)
	}
	p.stdout.text("\nLayers go on others with +, outermost first: tls+unix:/run/x.sock, ws+tls+tcp:example.org:443.\nSee tenon help KIND.\n")
}

// kindHelp prints one kind with all its options.
func (p *program) kindHelp(k transport.Kind) error {
	paragraph := func(format string, args ...any) {
		p.stdout.line("")
		p.stdout.linef(format, args...)
	}
	p.stdout.line(k.Syntax)
	paragraph("%s", k.Doc)
	if k.Example != "" {
		paragraph("  %s", k.Example)
	}
	if len(k.Aliases) > 0 {
		paragraph("Also called %s.", strings.Join(k.Aliases, ", "))
	}
	if k.Stack != "" {
		with := ""
		if k.With != "" {
			with = " with " + k.With
		}
		paragraph("Stands for %s%s.", k.Stack, with)
	}
	defs, err := kindOptions(k)
	if err != nil {
		return err
	}
	printDefs(p.stdout, defs, "", "options")
	paragraph("See tenon help options for those that every end has.")
	return nil
}

// kindOptions returns the options of a kind, without those of every end.
func kindOptions(k transport.Kind) ([]*opt.Def, error) {
	o := newOpener()
	defs, err := o.Options(k.Name + ":")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(defs, func(d *opt.Def) bool { return strings.HasPrefix(d.Group, "every end") }), nil
}

// commonOptions returns the options of every end.
func commonOptions() ([]*opt.Def, error) {
	defs, err := newOpener().Options("null:")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(defs, func(d *opt.Def) bool { return !strings.HasPrefix(d.Group, "every end") }), nil
}

func (p *program) optionsHelp() error {
	defs, err := commonOptions()
	if err != nil {
		return err
	}
	printDefs(p.stdout, defs, "", "options")
	return nil
}

// printDefs prints options under the headings of their groups.
func printDefs(out *console, defs []*opt.Def, dash, own string) {
	group := "\x00"
	for _, d := range defs {
		if d.Group != group {
			group = d.Group
			heading := group
			if heading == "" {
				heading = own
			}
			out.line("")
			out.line(strings.ToUpper(heading[:1]) + heading[1:])
		}
		name := dash + d.Name
		if !d.Flag() {
			name += "=" + d.Type
		}
		for _, a := range d.Aliases {
			if dash != "" && len(a) == 1 {
				name += ", -" + a
			}
		}
		usage := d.Usage
		if d.Default != "" && d.Default != "no" {
			usage += " (" + d.Default + ")"
		}
		out.linef("  %-32s %s", name, usage)
	}
}

// sentence makes a sentence of a line that is none.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }
