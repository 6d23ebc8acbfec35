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
		return usageError(fmt.Sprintf("two ends are needed, and here are %d", len(ends)), "for example: tenon tcp-listen:8080 unix:/run/app.sock")
	}
	return p.join(c, ends[0], ends[1])
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
	return p.join(c, address.Stdio, c.withPassed(hostPort(c.args[0], "tcp:")))
}

// runListen is "tenon listen PORT [ADDRESS]".
func runListen(p *program, c *call) error {
	if len(c.args) == 0 || len(c.args) > 2 {
		return usageError("a port is needed, and perhaps an address to join it to", "for example: tenon listen 8080 tcp:db:5432")
	}
	text := c.args[0]
	if c.joint.public && !strings.Contains(text, ":") {
		text = "*:" + text
	}
	listener := hostPort(text, "tcp-listen:")
	other := address.Stdio
	if len(c.args) == 2 {
		other = c.args[1]
	}
	if c.joint.chat || c.joint.broadcast {
		return p.broker(c, c.withPassed(listener), other)
	}
	return p.join(c, c.withPassed(listener), other)
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

// option finds an option of the call's addresses, for commands that take them as
// flags.
func (c *call) option(name string) *opt.Def {
	if !c.passing {
		return nil
	}
	for _, text := range c.args {
		for _, kind := range []string{"tcp:", "tcp-listen:"} {
			if d := findOption(hostPort(text, kind), name); d != nil {
				return d
			}
		}
	}
	return findOption("tcp:", name)
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

// withPassed adds the options that were given as flags.
func (c *call) withPassed(addr string) string {
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
	jo := join.Options{Idle: c.joint.idle, OneWay: c.joint.oneWay}
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
