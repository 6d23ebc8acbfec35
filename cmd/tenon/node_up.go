//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// runUp is "tenon up".
func runUp(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon up takes no arguments", "what is to be kept up is in the configuration: see docs/peers.md")
	}
	if c.peer.printUnit {
		return p.printUnit(c)
	}
	return p.runNode(c, func(t *talk) error {
		p.tell(c, "up; tenon status says what goes on, tenon down ends it")
		return nil
	})
}

// relayPort is where a relay listens if nothing else is said.
const relayPort = "4001"

// runRelay is "tenon relay": tenon up, with a relay in it.
func runRelay(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon relay takes no arguments", "--listen says where it listens: see tenon help relay")
	}
	f := &c.peer
	f.relay = cmp.Or(f.relay, "anyone")
	if f.withMailbox {
		f.mailbox = f.relay
	}
	if len(f.listen) == 0 {
		for _, ip := range []string{"/ip4/0.0.0.0", "/ip6/::"} {
			f.listen = append(f.listen, ip+"/tcp/"+relayPort, ip+"/udp/"+relayPort+"/quic-v1", ip+"/tcp/"+relayPort+"/ws")
		}
	}
	return p.runNode(c, func(t *talk) error {
		contact, err := t.Ticket(p.ctx, api.TicketRequest{Expires: -1})
		if err != nil {
			return err
		}
		s, err := t.Status(p.ctx)
		if err != nil {
			return err
		}
		p.stdout.linef("relays = [%q]", contact.Text)
		p.tell(c, "a firewall must let these ports in: %s", strings.Join(s.Ports, ", "))
		p.tell(c, "relaying for %s; that line belongs into the tenon.toml of those who are to use it, or --relays on their command lines", f.relay)
		if s.Mailbox != nil {
			p.tell(c, "what is said in rooms that have this ticket as mailbox is kept here, sealed, for members who are away; rooms of %s", s.Mailbox.For)
		}
		return nil
	})
}

// runNode runs a node until it is told to end. It calls begun when the node is up.
func (p *program) runNode(c *call, begun func(*talk) error) error {
	dir, err := c.stateDir()
	if err != nil {
		return err
	}
	config, err := c.nodeConfig(dir)
	if err != nil {
		return err
	}
	var ready *os.File
	if fd := c.joint.readyFD; fd > 0 {
		if ready, err = openReady(fd); err != nil {
			return err
		}
	}
	n, err := p.newNode(config)
	if err != nil {
		return err
	}
	asked := n.Asked()
	if err := n.Listen(p.ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	client := n.Client()
	t := &talk{client, n, dir, true, client.Close}
	if err := begun(t); err != nil {
		return errors.Join(err, t.end(), n.Close())
	}
	stop := p.attend(c, t)
	if ready != nil {
		newConsole(ready).line(api.SocketPath(dir))
		ready.Close() //nolint:errcheck // who waited has heard it, or is gone
	}
	notify("READY=1")
	select {
	case <-p.ctx.Done():
		err = context.Cause(p.ctx)
	case <-asked:
	}
	notify("STOPPING=1")
	stop()
	return errors.Join(err, t.end(), n.Close())
}

// attend has SIGHUP reload the configuration, tells what the node warns of, and feeds the watchdog
// of systemd, until stop.
func (p *program) attend(c *call, t *talk) (stop func()) {
	ctx, cancel := context.WithCancel(p.ctx)
	again := make(chan struct{}, 1)
	p.reloads.Store(&again)
	var work sync.WaitGroup
	reload := func() error {
		defer notifyReload()()
		_, err := t.Reload(ctx)
		return err
	}
	out := &output{p: p, c: c}
	work.Go(func() { reloads(ctx, again, reload, out.event) })
	work.Go(func() { warnings(ctx, t, out.event) })
	if every := watchdogEvery(); every > 0 {
		work.Go(func() {
			watchdog(ctx, every, func(ctx context.Context) error {
				_, err := t.Status(ctx)
				return err
			})
		})
	}
	return func() {
		cancel()
		work.Wait()
	}
}

// warnings tells what the node warns of: who has started it may not look into its log.
func warnings(ctx context.Context, t *talk, tell func(tenon.Event)) {
	for e, err := range t.Events(ctx, 0, true) {
		switch {
		case err != nil: // it is about to end
			return
		case e.Type == "warning":
			tell(tenon.Event{Time: e.Time, Type: tenon.Notice, Text: e.Text})
		}
	}
}

const unit constant = `[Unit]
Description=Tenon, a node among peers
Documentation=https://github.com/tenon-net/tenon/blob/main/docs/peers.md
After=network.target

[Service]
Type=notify
Restart=on-failure
RestartSec=2
SuccessExitStatus=130 143
`

// printUnit is "tenon up --print-unit".
func (p *program) printUnit(c *call) error {
	program, err := ownPath()
	if err != nil {
		return err
	}
	p.stdout.text(unit)
	where := ""
	if c.peer.dir != "" {
		dir, err := c.stateDir()
		if err != nil {
			return err
		}
		where = " --dir " + systemdWord(dir)
	}
	p.stdout.line("ExecStart=" + systemdWord(program) + " up" + where)
	p.stdout.line("ExecReload=" + systemdWord(program) + " reload" + where)
	p.stdout.text("\n[Install]\nWantedBy=default.target\n")
	if p.stdout.terminal() {
		p.tell(c, "for example: tenon up --print-unit > ~/.config/systemd/user/tenon.service")
	}
	return nil
}

// ownPath is where the program was called: the image that runs may be in memory only.
func ownPath() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", err
	}
	return filepath.Abs(path)
}

// systemdWord writes a word as systemd.service(5) reads it.
func systemdWord(word string) string {
	word = strings.NewReplacer(`%`, `%%`, `$`, `$$`, `\`, `\\`, `"`, `\"`).Replace(word)
	if strings.ContainsAny(word, " \t\"';\\") {
		return `"` + word + `"`
	}
	return word
}

// serveHere offers a service until this process is told to end.
func (p *program) serveHere(c *call, t *talk, request api.ServeRequest, carries api.Carries) error {
	ctx, o, done, err := p.prepare(c, []string{"peer-listen:" + request.Name, request.Address})
	if err != nil {
		return err
	}
	c.joint.readyFD = 0 // it is told once, also if another node is gone through later
	acc, err := t.via.Offer(ctx, api.OfferRequest{Service: request.Name, To: request.To, Anyone: request.Anyone, Carries: carries, Address: request.Address, Replace: request.Replace})
	if err == nil {
		if s, _ := served(ctx, t, request.Name); s != nil { //nolint:errcheck // it is served, whatever can be told of it
			p.tell(c, "%s is served until this program ends, for %s; with tenon up running, that would serve it", s.Name, audience(*s))
		}
		o.Events(tenon.Event{Time: time.Now(), Type: tenon.Listening, End: request.Name, Addr: acc.Addr()})
		_, err = o.Serve(ctx, acc, request.Address, join.Options{})
	}
	return done(ended(p.ctx, err))
}

// carriesOf is what goes through a service with that address.
func carriesOf(address string) (api.Carries, error) {
	e, err := newOpener().Explain(address)
	if err != nil {
		return "", err
	}
	if e.Listens {
		return "", transport.WithHint(transport.Usage(errors.New(e.Address+" listens, and a service is opened for each peer that comes")),
			"tenon peer-listen:NAME "+e.Address+" joins the two")
	}
	switch k, _ := kinds().Lookup(e.Parts[0].Kind); {
	case k.Traits.Lossy:
		return api.Datagrams, nil
	case k.Traits.Messages:
		return api.Messages, nil
	}
	for _, o := range e.Parts[len(e.Parts)-1].Options {
		if o.Name == "pty" && o.Given {
			return api.Terminal, nil
		}
	}
	return api.Bytes, nil
}
