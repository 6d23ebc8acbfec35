//go:build unix

package proc

import (
	"time"

	"github.com/tenon-net/tenon/opt"
)

// Defaults of [Options].
const (
	DefaultKillAfter = 5 * time.Second
	DefaultSignal    = "TERM" // with PTY it is HUP, which shells obey
)

// Options are how a program is run. The zero value runs it between two pipes, in
// our directory, with our environment and our standard error.
type Options struct {
	PTY     bool       // it gets a pseudo terminal, and a session of its own
	Raw     bool       // the terminal changes nothing of what passes
	Echo    opt.Switch // the terminal shows what is typed; on unless Raw
	Rows    int        // size of the terminal; 0 means that of the other end's, if it has one
	Cols    int
	CTTY    opt.Switch // the terminal is the program's controlling one; on
	Wire    string     // "pipes", "socketpair"; "" means pipes
	Until   string     // reading ends at the "eof" of the output, or at the program's "exit"; "" means eof
	Stderr  string     // "inherit", "join" (with the output), "null" or a file to append to; "" means join with PTY, else inherit
	Session bool       // it gets a session of its own, without a controlling terminal
	Group   opt.Switch // it gets a process group of its own; on

	Dir       string        // where it runs
	Env       []string      // NAME=VALUE, or NAME to keep one that ClearEnv would take away
	ClearEnv  bool          // it gets no environment but Env and what is said of the other end
	EnvPeer   bool          // it is also told what the peer may have chosen: its name, the path of its socket
	Arg0      string        // what it finds as its own name
	User      string        // whom it runs as: a name or a number
	Signal    string        // what ends it if it does not end by itself: TERM, SIGINT, 9
	KillAfter time.Duration // how long after Close; 0 means DefaultKillAfter, negative never
}

// Bind binds the options.
func (o *Options) Bind(s *opt.Set) {
	s.Enum(&o.Wire, "wire", "what connects the program; pipes suit every program, a socketpair takes less work to relay", "pipes", "socketpair")
	s.Enum(&o.Until, "until", "what ends reading: the end of the output, which children of the program may hold open, or the exit of the program", "eof", "exit")
	d := s.Func("stderr", "", "where error messages go: inherit, join (the default with pty, and without a value), null, or a file to append to", o.setStderr)
	d.Values = []string{"inherit", "join", "null", "FILE"}
	s.String(&o.Dir, "dir", "path", "run in this directory").Alias("cd", "chdir")
	s.Strings(&o.Env, "env", "name=value", "set a variable of the environment; with the name alone, keep it in spite of clear-env").Alias("setenv").Secret = true
	s.Bool(&o.ClearEnv, "clear-env", "start with an empty environment")
	s.Bool(&o.EnvPeer, "env-peer", "also tell the program what the peer may have chosen itself: TENON_PEER_NAME, the path of its socket")
	s.String(&o.Arg0, "arg0", "text", "what the program finds as its own name")
	s.String(&o.User, "su", "user", "run as this user, with the user's groups")
	s.String(&o.Signal, "signal", "signal", "ends a program that does not end by itself").Default = DefaultSignal + ", with pty HUP"
	s.Duration(&o.KillAfter, "kill-after", DefaultKillAfter, -1, "how long the program may go on when both directions are closed")
	s.Bool(&o.Session, "setsid", "run in a session of its own, without a controlling terminal")
	s.Switch(&o.Group, "group", true, "run in a process group of its own, so that its children end with it; no for a program that asks on your terminal")
	s.Group("Terminal")
	s.Bool(&o.PTY, "pty", "run on a pseudo terminal")
	s.Switch(&o.CTTY, "ctty", true, "the pseudo terminal controls the program: Ctrl-C and hang-up reach it")
	s.Bool(&o.Raw, "raw", "the pseudo terminal passes all bytes unchanged").Alias("rawer", "cfmakeraw")
	s.Switch(&o.Echo, "echo", true, "the pseudo terminal shows what is typed")
	s.Int(&o.Rows, "rows", 0, 1, 65535, "lines of the pseudo terminal")
	s.Int(&o.Cols, "cols", 0, 1, 65535, "columns of the pseudo terminal")
}

func (o *Options) setStderr(v string) error {
	switch v {
	case "yes", "1", "on", "true":
		v = "join"
	case "no", "0", "off", "false":
		v = "inherit"
	case "":
		return &opt.ValueError{Msg: "must be inherit, join, null or a file"}
	}
	o.Stderr = v
	return nil
}

func (o *Options) killAfter() time.Duration {
	if o.KillAfter == 0 {
		return DefaultKillAfter
	}
	return o.KillAfter
}
