//go:build unix

package proc

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/transport"
)

// isAboutOther tells whether a variable is one of those that describe sets. What
// we inherited under these names is about somebody else.
func isAboutOther(name string) bool {
	switch name {
	case "TENON_KIND", "TENON_LOCAL", "TENON_UID", "TENON_GID", "TENON_PID":
		return true
	}
	for _, prefix := range []string{"TENON_PEER", "TCPREMOTE", "TCPLOCAL", "UNIXREMOTE"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// environ returns the environment of the program; more is what whoever opens it adds.
func (o *Options) environ(other transport.Conn, more []string, user *identity) []string {
	var env []string
	if !o.ClearEnv {
		for _, v := range os.Environ() {
			name, _, _ := strings.Cut(v, "=")
			if !isAboutOther(name) {
				env = append(env, v)
			}
		}
	}
	env = append(env, user.environ()...)
	env = append(append(env, describe(other, o.EnvPeer)...), more...)
	for _, v := range o.Env {
		name, _, isSet := strings.Cut(v, "=")
		if value, ok := os.LookupEnv(name); !isSet && ok {
			v, isSet = name+"="+value, true
		}
		if isSet {
			env = append(env, v)
		}
	}
	return lastOfEach(env)
}

// describe returns what a program is told about the end it is joined to: under
// names of our own, and under those that UCSPI programs know (ucspi-tcp's
// tcp-environ(5), ucspi-unix). Without all it says only what the kernel vouches
// for, never what a peer can make up, such as the name of its own socket: shells
// have run what they found in variables.
func describe(c transport.Conn, all bool) []string {
	if c == nil {
		return nil
	}
	var env []string
	set := func(name, value string) {
		if value != "" && !strings.Contains(value, "\x00") {
			env = append(env, name+"="+value)
		}
	}
	info, local, remote := c.Info(), c.LocalAddr(), c.RemoteAddr()
	set("TENON_KIND", info.Kind)
	set("TENON_LOCAL", local.String())
	here, hereOK := addrPort(local)
	there, thereOK := addrPort(remote)
	if thereOK {
		set("TENON_PEER", there.String())
		set("TENON_PEER_HOST", there.Addr().String())
		set("TENON_PEER_PORT", port(there))
	} else if _, made := remote.(transport.Addr); all && !made { // what we call an end without a name is no path
		set("TENON_PEER", remote.String())
	}
	if thereOK && strings.HasPrefix(remote.Network(), "tcp") {
		set("PROTO", "TCP")
		set("TCPREMOTEIP", there.Addr().String())
		set("TCPREMOTEPORT", port(there))
		if hereOK {
			set("TCPLOCALIP", here.Addr().String())
			set("TCPLOCALPORT", port(here))
		}
	}
	if cred := info.Cred; cred != nil {
		uid, gid, pid := strconv.Itoa(cred.UID), strconv.Itoa(cred.GID), strconv.Itoa(cred.PID)
		set("TENON_UID", uid)
		set("TENON_GID", gid)
		set("TENON_PID", pid)
		if strings.HasPrefix(remote.Network(), "unix") {
			set("PROTO", "UNIX")
			set("UNIXREMOTEEUID", uid)
			set("UNIXREMOTEEGID", gid)
			set("UNIXREMOTEPID", pid)
		}
	}
	if all {
		set("TENON_PEER_NAME", info.Peer)
	}
	return env
}

// addrPort returns the address and port that a names, if it is of a network that
// has them. A name, which somebody may have chosen, is none.
func addrPort(a net.Addr) (netip.AddrPort, bool) {
	p, err := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), err == nil
}

func port(p netip.AddrPort) string { return strconv.Itoa(int(p.Port())) }

// lastOfEach drops all but the last of the variables of one name: programs differ
// in which of two they take.
func lastOfEach(env []string) []string {
	last := make(map[string]int, len(env))
	for i, v := range env {
		name, _, _ := strings.Cut(v, "=")
		last[name] = i
	}
	kept := env[:0]
	for i, v := range env {
		if name, _, _ := strings.Cut(v, "="); last[name] == i {
			kept = append(kept, v)
		}
	}
	return kept
}
