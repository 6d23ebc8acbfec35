// Command crowd has members of a room talk on one machine, for the benchmarks in bench and for profiles. Each member is
// all that a node has of rooms: a swarm that listens on loopback, a database, and a chat on both. It differs from a
// node in one number: of one author any number of messages is taken in ten seconds, and not thirty.
//
//	crowd talk     serves speakers and listeners by TCP, and prints nothing
//	crowd catchup  measures how fast one who was away gets what was said
//	crowd million  measures how fast a long room opens, and is searched
//
// The latter two print what they have measured as JSON, in seconds.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// options are the flags of all verbs; each reads those that it needs.
type options struct {
	dir      string
	listen   string
	members  int
	messages int
	rounds   int
	profile  string
}

var verbs = map[string]func(context.Context, *options) (any, error){"talk": talk, "catchup": catchUp, "million": million}

func main() {
	var o options
	f := flag.NewFlagSet("crowd", flag.ExitOnError)
	f.StringVar(&o.dir, "dir", "", "where databases are kept")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "talk: where speakers and listeners connect")
	f.IntVar(&o.members, "members", 1, "talk: how many hear what the first one says")
	f.IntVar(&o.messages, "messages", 100_000, "catchup, million: how many there are")
	f.IntVar(&o.rounds, "rounds", 1, "catchup, million: how often")
	f.StringVar(&o.profile, "cpuprofile", "", "write a profile of what is measured to this file")
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "crowd: talk, catchup or million, and flags")
		os.Exit(2)
	}
	f.Parse(os.Args[2:]) //nolint:errcheck // it exits
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, verbs[os.Args[1]], &o); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb func(context.Context, *options) (any, error), o *options) error {
	result, err := verb(ctx, o)
	if err != nil || result == nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// startProfile begins the profile, if there is to be one, where what is measured begins.
func (o *options) startProfile() (stop func(), err error) {
	if o.profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(o.profile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close() //nolint:errcheck // there is an error already
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close() //nolint:errcheck // a profile that is cut is no harm
	}, nil
}
