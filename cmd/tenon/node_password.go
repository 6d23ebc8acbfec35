//go:build node

package main

import "os"

// askPassword asks for a password, which is not shown as it is typed; "" if there is no terminal.
func (p *program) askPassword(c *call, question string) (string, error) {
	show, err := hideTyping(os.Stdin)
	if err != nil {
		return "", nil //nolint:nilerr // it is no terminal
	}
	defer show()
	return p.askLine(c, question)
}

// newPassword asks for a password that is to be remembered, twice.
func (p *program) newPassword(c *call, what string) (string, error) {
	first, err := p.askPassword(c, "a password for "+what+": ")
	if err != nil || first == "" {
		return first, err
	}
	again, err := p.askPassword(c, "the same again: ")
	if err == nil && again != first {
		err = usageError("these are two passwords", "type the same one twice")
	}
	return first, err
}
