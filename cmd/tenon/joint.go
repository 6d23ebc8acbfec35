package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/proc"
)

// runJoin is "tenon A B".
func runJoin(p *program, c *call) error {
	ends := c.args
	if c.joint.in != "" || c.joint.out != "" {
		ends = append([]string{duplex(c.joint.in, c.joint.out)}, ends...)
		if len(ends) == 1 {
			ends = append(ends, address.Stdio)
		}
	}
	if len(ends) == 1 && callsProxy(ends[0]) {
		ends = append(ends, "tcp:") // where the client asks to go
	}
	if len(ends) != 2 {
		return usageError(fmt.Sprintf("two ends are needed, and here are %d", len(ends)), c.endsHint())
	}
	return p.join(c, ends[0], ends[1])
}

// endsHint is advice for those who have not said two ends.
func (c *call) endsHint() string {
	i := slices.IndexFunc(c.args, isCommand)
	switch {
	case i >= 0:
		return "a command stands before the ends: tenon " + c.args[i] + " ..."
	case len(c.args) == 1 && !isListener(c.args[0]):
		return "tenon connect ADDRESS joins an end to standard input and output, which is the end - otherwise"
	case len(c.args) == 1:
		return "tenon listen ADDRESS joins it to standard input and output, which is the end - otherwise"
	case len(c.args) > 2:
		return "an end is one word: put quotes around spaces, and options behind commas"
	}
	return "for example: tenon tcp-listen:8080 unix:/run/app.sock"
}

// duplex names an end that reads from one address and writes to another.
func duplex(in, out string) string {
	if in == "" {
		in = "null:"
	}
	if out == "" {
		out = "null:"
	}
	return in + "!!" + out
}

// callsProxy tells whether the clients of an end say themselves where they want
// to go.
func callsProxy(text string) bool {
	a, err := address.Parse(text)
	if err != nil {
		return false
	}
	for _, word := range append(a.Layers, a.Kind) {
		k, _ := kinds().Lookup(word.Name)
		for _, name := range append(strings.Split(k.Stack, "+"), k.Name) {
			if name == "socks-server" || name == "http-proxy-server" {
				return true
			}
		}
	}
	return false
}

// runConnect is "tenon connect ADDRESS".
func runConnect(p *program, c *call) error {
	if len(c.args) != 1 {
		return usageError("one address is needed", "for example: tenon connect example.org:25")
	}
	return p.join(c, address.Stdio, c.withPassed())
}

// runListen is "tenon listen PORT [ADDRESS]".
func runListen(p *program, c *call) error {
	if len(c.args) == 0 || len(c.args) > 2 {
		return usageError("a port is needed, and perhaps an address to join it to", "for example: tenon listen 8080 tcp:db:5432")
	}
	if c.joint.public && !strings.Contains(c.args[0], ":") {
		c.args[0] = "*:" + c.args[0]
	}
	other := address.Stdio
	if len(c.args) == 2 {
		other = c.args[1]
	}
	if c.joint.chat || c.joint.broadcast {
		return p.broker(c, c.withPassed(), other)
	}
	return p.join(c, c.withPassed(), other)
}

// hostPort makes an address of a host and port, and leaves an address as it is.
func hostPort(text, kind string) string {
	if isNumber(text) {
		return kind + text
	}
	a, err := address.Parse(text)
	if err == nil {
		if _, ok := kinds().Lookup(a.Kind.Name); ok || len(a.Layers) > 0 || a.URL {
			return text
		}
		if h, herr := a.Target.Host(); herr == nil && h.Port != "" && h.Name == "" {
			return kind + text // name:port
		}
		return text
	}
	target, _, _ := strings.Cut(text, ",")
	if h, herr := (address.Target{Text: target}).Host(); herr == nil && h.Port != "" {
		return kind + text
	}
	return text
}

// target is the address that flags can have options of; "" if there is none.
func (c *call) target() string {
	switch {
	case !c.passing || len(c.args) == 0:
		return ""
	case c.name == "listen":
		return hostPort(c.args[0], "tcp-listen:")
	}
	return hostPort(c.args[0], "tcp:")
}

// option finds an option that is given as a flag, for commands that take the options
// of an address so. The address may be any of words, and stand behind the flag.
func (c *call) option(name string, words []string) *opt.Def {
	if !c.passing {
		return nil
	}
	for _, text := range words {
		for _, kind := range []string{"tcp:", "tcp-listen:"} {
			if d := findOption(hostPort(text, kind), name); d != nil && !strings.HasPrefix(text, "-") {
				return d
			}
		}
	}
	return anyOption(name)
}

// checkPassed looks whether the address has the options that were given as flags. A
// mistake in the address itself is told when it is opened.
func (c *call) checkPassed() error {
	if len(c.passed) == 0 {
		return nil
	}
	if _, err := newOpener().Options(c.target()); err != nil {
		return nil
	}
	for _, f := range c.passed {
		if findOption(c.target(), f.name) == nil {
			return usageError("--"+f.name+" is not an option of this address", "see tenon help, and the name of its kind")
		}
	}
	return nil
}

func findOption(addr, name string) *opt.Def {
	defs, err := newOpener().Options(addr)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(defs, func(d *opt.Def) bool { return d.Name == name || slices.Contains(d.Aliases, name) })
	if i < 0 {
		return nil
	}
	return defs[i]
}

// withPassed is the target with the options that were given as flags. One that is
// wrong stays as it is: what is said about its text has none of them in it.
func (c *call) withPassed() string {
	addr := c.target()
	if len(c.passed) == 0 {
		return addr
	}
	if _, err := newOpener().Options(addr); err != nil {
		return addr
	}
	var b strings.Builder
	b.WriteString(addr)
	for _, f := range c.passed {
		b.WriteString("," + f.name)
		if f.has {
			b.WriteString("=" + address.Quote(f.value))
		}
	}
	return b.String()
}

// join opens the ends and joins them, with all that the flags ask for.
func (p *program) join(c *call, a, b string) error {
	ends := []string{a, b}
	if err := fillArgs(ends, c.rest); err != nil {
		return err
	}
	if c.joint.max > 0 {
		for i, text := range ends {
			if isListener(text) {
				ends[i] = fmt.Sprintf("%s,max=%d", text, c.joint.max)
			}
		}
	}
	if c.joint.explain {
		return p.explain(c, ends)
	}
	ctx, o, done, err := p.prepare(c, ends)
	if err != nil {
		return err
	}
	jo := join.Options{Idle: c.joint.idle, OneWay: c.joint.oneWay, TapRequired: c.joint.required}
	if c.joint.reverse {
		ends[0], ends[1] = ends[1], ends[0]
		jo.OneWay = true
	}
	var cut atomic.Bool
	tell := o.Events
	o.Events = func(e tenon.Event) {
		if errors.Is(e.Err, errForTime) {
			cut.Store(true)
		}
		tell(e)
	}
	_, err = o.Join(ctx, ends[0], ends[1], jo)
	if err == errForTime && !cut.Load() && serves(ends) {
		err = nil
	}
	return done(ended(p.ctx, err))
}

// fillArgs gives the words behind "--" to the end that is a program without a
// target.
func fillArgs(ends []string, rest []string) error {
	if rest == nil {
		return nil
	}
	for i, text := range ends {
		a, err := address.Parse(text)
		if err != nil || a.Target.Raw != "" {
			continue
		}
		k, _ := kinds().Lookup(a.Kind.Name)
		var command string
		switch {
		case len(rest) == 0:
			return usageError("a program is missing behind --", "for example: tenon listen 7000 exec: -- grep -n x")
		case k.Name == "exec":
			command = proc.Quote(rest)
		case k.Name == "sh":
			command = strings.Join(rest, " ")
		default:
			continue
		}
		a.Target = address.Target{Text: command, Raw: command}
		ends[i] = a.String()
		return nil
	}
	return usageError("no end takes the words behind --", "exec: and sh: do, without a target")
}

func isListener(text string) bool {
	a, err := address.Parse(text)
	if err != nil {
		return false
	}
	k, ok := kinds().Lookup(a.Kind.Name)
	return ok && (k.Traits.Listens || strings.HasSuffix(k.Stack, "-listen"))
}

// serves tells whether ends make a service, which has done well also if nobody came:
// a listener, and not for one joint only.
func serves(ends []string) bool {
	return slices.ContainsFunc(ends, isListener) && !slices.ContainsFunc(ends, isOnce)
}

// isOnce tells whether an end makes one joint at the most.
func isOnce(text string) bool {
	e, err := newOpener().Explain(text)
	if err != nil {
		return false
	}
	for _, half := range strings.Split(e.Address, "!!") {
		if a, err := address.Parse(half); err == nil {
			if k, _ := kinds().Lookup(a.Kind.Name); k.Traits.Once {
				return true
			}
		}
	}
	return slices.Contains(e.Common, tenon.ExplainedOption{Name: "once", Value: "yes", Given: true})
}

// ended tells what the end of a joint means for the exit status: a service that
// was asked to run for some time, and then cut a joint, has met a limit.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, errForTime) {
		return transport.Mark(err, tenon.ErrTimeout)
	}
	return err
}

// errForTime is the cause of a context that --for has ended.
var errForTime = errors.New("the time given with --for is over")
