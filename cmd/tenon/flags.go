package main

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// A flagGroup binds some flags of a call.
type flagGroup func(c *call, s *opt.Set)

// globalFlags are understood by every command.
type globalFlags struct {
	help    bool
	verbose bool
	quiet   bool
	json    bool
}

func (g *globalFlags) Bind(s *opt.Set) {
	s.Group("every command")
	s.Bool(&g.verbose, "verbose", "tell what happens, on standard error").Alias("v")
	s.Bool(&g.quiet, "quiet", "tell errors only").Alias("q")
	s.Bool(&g.json, "json", "one JSON object a line for all that happens, on standard error; on standard output for explain and version")
	s.Bool(&g.help, "help", "explain the command").Alias("h")
}

// jointFlags are for the commands that make joints.
type jointFlags struct {
	explain   bool
	readyFD   int
	printPort bool
	stats     bool
	max       int
	forTime   time.Duration
	idle      time.Duration
	oneWay    bool
	reverse   bool
	in, out   string
	dump      []string
	pcap      string
	tee       []string
	required  bool // a tap that fails ends the call
	broadcast bool
	chat      bool
	slow      string
	public    bool
}

func bindJoint(c *call, s *opt.Set) {
	f := &c.joint
	s.Group("joints")
	s.Bool(&f.explain, "explain", "say what would be opened, and open nothing")
	s.Duration(&f.forTime, "for", 0, 0, "end after so long, with exit status 4 if that cut a joint, or if there was to be one joint and there was none")
	s.Duration(&f.idle, "idle", 0, 0, "cut a joint after so long without a byte either way")
	s.Int(&f.max, "max", 0, 1, 1<<20, "connections at once on a listener")
	s.Bool(&f.oneWay, "one-way", "only from the first end to the second").Alias("u")
	s.Bool(&f.reverse, "reverse", "only from the second end to the first").Alias("U")
	s.String(&f.in, "in", "ADDRESS", "read the first end from here; with --out, instead of naming it")
	s.String(&f.out, "out", "ADDRESS", "write the first end to here")
	s.Group("looking on")
	s.Bool(&f.stats, "stats", "a live line on a terminal, and a summary at the end")
	s.Strings(&f.dump, "dump", "hex|text|FILE|hex:FILE|text:FILE", "show what passes, on standard error or in a file")
	s.String(&f.pcap, "pcap", "FILE", "record what passes, as it is inside TLS and the like, for Wireshark")
	s.Strings(&f.tee, "tee", "FILE|in:FILE|out:FILE", "copy the bytes that pass both ways, towards the first end, or towards the second")
	s.Bool(&f.required, "tap-required", "end all joints, and accept no more, when a dump, a tee or a pcap cannot be written")
	s.Int(&f.readyFD, "ready-fd", 0, 1, 1<<20, "write the address of each listener to this descriptor when it accepts, a line each, and close it")
	s.Bool(&f.printPort, "print-port", "write the port of the listener to standard output when it accepts")
}

func bindListen(c *call, s *opt.Set) {
	f := &c.joint
	s.Group("many clients")
	s.Bool(&f.public, "public", "listen on every address of this machine, not on loopback only")
	s.Bool(&f.broadcast, "broadcast", "every client hears every other")
	s.Bool(&f.chat, "chat", "every client hears every other, line by line and with names")
	s.Enum(&f.slow, "slow", "what happens when a client does not keep up with a broadcast", "wait", "drop")
}

var (
	jointGroups  = []flagGroup{bindJoint}
	listenGroups = []flagGroup{bindJoint, bindListen}
)

// waitFlags are those of tenon wait.
type waitFlags struct {
	timeout  time.Duration
	interval time.Duration
}

func waitGroup(c *call, s *opt.Set) {
	s.Group("waiting")
	s.Duration(&c.wait.timeout, "timeout", 0, 0, "give up after so long, with exit status 4").Alias("t")
	s.Duration(&c.wait.interval, "interval", defaultWaitInterval, 0, "between two tries")
}

// A passed flag is an option of an address, given as a flag.
type passed struct {
	name, value string
	has         bool
}

// bindFlags returns the flags of a command, bound to c.
func bindFlags(cmd command, c *call) *opt.Set {
	s := new(opt.Set)
	for _, group := range cmd.flags {
		group(c, s)
	}
	c.global.Bind(s)
	return s
}
