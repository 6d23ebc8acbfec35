//go:build node

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/opt"
)

// runServe is "tenon serve NAME ADDRESS".
func runServe(p *program, c *call) error {
	if len(c.args) != 2 {
		return usageError("a name and an address are needed", "for example: tenon serve db tcp:localhost:5432 --to bob")
	}
	ends := []string{c.args[1]}
	if err := fillArgs(ends, c.rest); err != nil {
		return err
	}
	ends[0] = fromHere(ends[0])
	request := api.ServeRequest{Name: c.args[0], Address: ends[0], To: splitNames(c.peer.to), Anyone: c.peer.anyone, Replace: c.peer.replace}
	if request.Anyone && len(request.To) > 0 {
		return usageError("--anyone and --to cannot both be", "anyone is everybody, paired or not")
	}
	carries, err := carriesOf(request.Address)
	if err != nil {
		return err
	}
	return p.lasting(c, func(t *talk, passing bool) error {
		if passing {
			return p.serveHere(c, t, request, carries)
		}
		was, err := served(p.ctx, t, request.Name)
		if err != nil {
			return err
		}
		s, err := t.Serve(p.ctx, request)
		switch {
		case err != nil:
			return err
		case p.json:
			return p.stdout.json(s)
		case was == nil:
			p.tell(c, "the node that runs serves %s for %s, until tenon unserve %s", s.Name, audience(s), s.Name)
		default:
			p.tell(c, "the node that runs has served %s for %s, and serves %s for %s now", was.Address, audience(*was), s.Address, audience(s))
		}
		if !s.Anyone && len(s.To) == 0 {
			p.tell(c, "tenon grant %s PEER lets somebody use it", s.Name)
		}
		return nil
	})
}

// fromHere returns an address of which a path that is the target begins at the root, and a
// program with a path that does not has dir=: the node that opens it may be in another
// directory. What cannot be read is as it was.
func fromHere(text string) string {
	a, err := address.Parse(text)
	if err != nil {
		return text
	}
	k, ok := kinds().Lookup(a.Kind.Name)
	if !ok || k.New == nil || a.Target.Text == "" || a.Target.Text[0] == '@' || filepath.IsAbs(a.Target.Text) {
		return text
	}
	var s opt.Set
	k.New().Bind(&s)
	if dir := s.Lookup("dir"); dir != nil && namesPathFromHere(a.Target.Text) && !hasOption(a, dir) {
		if here, err := os.Getwd(); err == nil {
			text += ",dir=" + address.Quote(here)
		}
		return text
	}
	if s.Syntax() != "PATH" && !strings.HasPrefix(s.Syntax(), "PATH|") {
		return text
	}
	path, err := filepath.Abs(a.Target.Text)
	if err != nil {
		return text
	}
	return text[:a.Target.Pos] + address.Quote(path) + text[a.Target.Pos+a.TargetLen():]
}

// namesPathFromHere tells whether a command begins with a path that does not begin at the root, or has a
// word that is one, such as ./notes.
func namesPathFromHere(command string) bool {
	for i, word := range strings.Fields(command) {
		if i == 0 && strings.Contains(word, "/") && !filepath.IsAbs(word) || strings.HasPrefix(word, "./") || strings.HasPrefix(word, "../") {
			return true
		}
	}
	return false
}

// hasOption tells whether an address has an option.
func hasOption(a address.Address, d *opt.Def) bool {
	return slices.ContainsFunc(a.Options, func(o address.Option) bool { return o.Name == d.Name || slices.Contains(d.Aliases, o.Name) })
}

// served looks for a service; nil is none.
func served(ctx context.Context, t *talk, name string) (*api.Service, error) {
	services, err := t.Services(ctx)
	i := slices.IndexFunc(services, func(s api.Service) bool { return s.Name == name })
	if err != nil || i < 0 {
		return nil, err
	}
	return &services[i], nil
}

// audience says who may use a service.
func audience(s api.Service) string {
	switch {
	case s.Anyone:
		return "ANYONE, paired or not"
	case len(s.To) == 0:
		return "nobody"
	}
	return strings.Join(s.To, ", ")
}

// splitNames takes lists of names apart.
func splitNames(lists []string) (names []string) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// runUnserve is "tenon unserve NAME".
func runUnserve(p *program, c *call) error {
	if len(c.args) != 1 {
		return usageError("the name of a service is needed", "tenon services lists them")
	}
	return p.withAlone(c, func(t *talk) error {
		cut, err := t.Unserve(p.ctx, c.args[0])
		if err == nil {
			p.tell(c, "%s is not served any more%s", c.args[0], jointsCut(cut))
		}
		return err
	})
}

func jointsCut(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "; one joint was cut"
	}
	return fmt.Sprintf("; %d joints were cut", n)
}

// runServices is "tenon services [PEER]".
func runServices(p *program, c *call) error {
	if len(c.args) > 1 {
		return usageError("one peer is enough", "tenon services alice")
	}
	if len(c.args) == 1 {
		return p.with(c, func(t *talk) error { return p.peerServices(t, c.args[0]) })
	}
	return p.withAlone(c, func(t *talk) error {
		services, err := t.Services(p.ctx)
		if err != nil {
			return err
		}
		return list(p, services, "nothing is served: tenon serve NAME ADDRESS --to PEER",
			[]string{"NAME", "ADDRESS", "FOR", "JOINTS", "USED", "FROM"}, func(s api.Service) []string {
				from := s.From
				if s.Error != "" {
					from += ": " + s.Error
				}
				return []string{s.Name, s.Address, audience(s), fmt.Sprint(s.Joints), fmt.Sprint(s.Used), from}
			})
	})
}

// peerServices lists what a peer offers to this user.
func (p *program) peerServices(t *talk, peer string) error {
	services, err := t.PeerServices(p.ctx, peer)
	if err != nil {
		return err
	}
	return list(p, services, peer+" offers nothing to this user, or nothing that it grants",
		[]string{"NAME", "CARRIES", "ADDRESS"}, func(s api.RemoteService) []string {
			return []string{s.Name, string(s.Carries), "peer:" + peer + "/" + s.Name}
		})
}

// runGrant is "tenon grant SERVICE PEER...".
func runGrant(p *program, c *call) error {
	if len(c.args) < 2 {
		return usageError("a service and a peer are needed", "for example: tenon grant db alice")
	}
	return p.withAlone(c, func(t *talk) error {
		out, err := t.Grant(p.ctx, api.GrantRequest{Service: c.args[0], To: splitNames(c.args[1:])})
		return p.granted(c, out, err)
	})
}

// runRevoke is "tenon revoke SERVICE PEER... | TICKET".
func runRevoke(p *program, c *call) error {
	switch len(c.args) {
	case 0:
		return usageError("a service and a peer are needed, or a ticket", "for example: tenon revoke db alice")
	case 1:
		return p.withAlone(c, func(t *talk) error {
			cut, err := t.RevokeTicket(p.ctx, c.args[0])
			if err == nil {
				p.tell(c, "the ticket is good for nobody any more%s", jointsCut(cut))
			}
			return err
		})
	}
	return p.withAlone(c, func(t *talk) error {
		out, err := t.Revoke(p.ctx, api.GrantRequest{Service: c.args[0], To: splitNames(c.args[1:])})
		return p.granted(c, out, err)
	})
}

func (p *program) granted(c *call, g api.Granted, err error) error {
	switch {
	case err != nil:
		return err
	case p.json:
		return p.stdout.json(g)
	}
	p.tell(c, "%s is for %s now%s", g.Service.Name, audience(g.Service), jointsCut(g.Cut))
	return nil
}
