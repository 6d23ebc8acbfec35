package main

import (
	"encoding/json"
	"fmt"
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
	o := &tenon.Opener{}
	for i, text := range ends {
		e, err := o.Explain(text)
		if err != nil {
			return err
		}
		if c.global.json {
			line, err := json.Marshal(e)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s\n", line)
			continue
		}
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		p.explainOne(e, c.global.verbose)
	}
	return nil
}

func (p *program) explainOne(e *tenon.Explanation, all bool) {
	fmt.Fprintf(p.stdout, "%s\n", e.Address)
	verb := "dials"
	if e.Listens {
		verb = "listens"
	}
	var names []string
	for _, part := range e.Parts {
		names = append(names, part.Kind)
	}
	fmt.Fprintf(p.stdout, "  %s, as %s\n", verb, strings.Join(names, " over "))
	if e.Reach != "" {
		fmt.Fprintf(p.stdout, "  reached by: %s\n", e.Reach)
	}
	for _, via := range e.Via {
		fmt.Fprintf(p.stdout, "  by way of: %s\n", via)
	}
	for _, part := range e.Parts {
		fmt.Fprintf(p.stdout, "  %s: %s\n", part.Kind, part.Doc)
		p.explainOptions(part.Options, all)
	}
	fmt.Fprintln(p.stdout, "  every end:")
	p.explainOptions(e.Common, all)
}

// explainOptions prints the options that have a value.
func (p *program) explainOptions(options []tenon.ExplainedOption, all bool) {
	for _, o := range options {
		switch {
		case o.Given:
			fmt.Fprintf(p.stdout, "    %-18s %s\n", o.Name, o.Value)
		case o.Value != "" || all:
			fmt.Fprintf(p.stdout, "    %-18s %s (default)\n", o.Name, o.Value)
		}
	}
}
