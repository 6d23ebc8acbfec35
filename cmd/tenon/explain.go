package main

import (
	"strings"

	"github.com/tenon-net/tenon"
)

// runExplain is "tenon explain ADDRESS...".
func runExplain(p *program, c *call) error {
	if len(c.args) == 0 {
		return usageError("an address is needed", "for example: tenon explain wss://example.org/feed")
	}
	ends := c.args
	if err := fillArgs(ends, c.rest); err != nil {
		return err
	}
	return p.explain(c, ends)
}

// explain prints what each address stands for, and opens nothing.
func (p *program) explain(c *call, ends []string) error {
	o := newOpener()
	for i, text := range ends {
		e, err := o.Explain(text)
		if err != nil {
			return err
		}
		if c.global.json {
			if err := p.stdout.json(e); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			p.stdout.line("")
		}
		p.explainOne(e, c.global.verbose)
	}
	return nil
}

func (p *program) explainOne(e *tenon.Explanation, all bool) {
	p.stdout.line(e.Address)
	verb := "dials"
	if e.Listens {
		verb = "listens"
	}
	var names []string
	for _, part := range e.Parts {
		names = append(names, part.Kind)
	}
	p.stdout.linef("  %s, as %s", verb, strings.Join(names, " over "))
	if e.Reach != "" {
		p.stdout.linef("  reached by: %s", e.Reach)
	}
	for _, via := range e.Via {
		p.stdout.linef("  by way of: %s", via)
	}
	for _, part := range e.Parts {
		p.stdout.linef("  %s: %s", part.Kind, part.Doc)
		p.explainOptions(part.Options, all)
	}
	p.stdout.line("  every end:")
	p.explainOptions(e.Common, all)
}

// explainOptions prints the options that have a value.
func (p *program) explainOptions(options []tenon.ExplainedOption, all bool) {
	for _, o := range options {
		switch {
		case o.Given:
			p.stdout.linef("    %-18s %s", o.Name, o.Value)
		case o.Value != "" || all:
			p.stdout.linef("    %-18s %s (default)", o.Name, o.Value)
		}
	}
}
