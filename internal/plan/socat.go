package plan

import "slices"

// habitHint is advice for an option that means something in socat that none means here,
// or that another name does; "" if there is none.
func habitHint(option string) string {
	switch option {
	case "linger", "so-linger":
		return "socat's linger is SO_LINGER; how long to wait for more when the other end has ended is eof-timeout="
	case "lock":
		return "flock waits until no other program has the file locked, flock-nb fails"
	case "sync", "o-sync", "dsync", "o-dsync":
		return "fsync has the file on the disk at the end"
	case "unlink", "unlink-early":
		return "a socket that is left over is removed; unlink-close says what happens to ours at the end"
	case "user", "setuid", "uid":
		return "su=USER is who runs a program"
	case "setpgid", "pgid", "setgid", "group":
		return "a program has a process group of its own; setsid gives it a session"
	}
	return ""
}

// validateHabit refuses a name of socat's that would let somebody in whom socat keeps
// out: its TLS listeners ask clients for a certificate unless told otherwise.
func (p *Plan) validateHabit() error {
	if !slices.Contains([]string{"openssl-listen", "openssl-l", "ssl-listen", "ssl-l"}, p.Addr.Kind.Name) {
		return nil
	}
	if _, said := p.Addr.Lookup("ca", "cafile", "capath", "client-auth", "verify", "pin", "insecure"); said {
		return nil
	}
	return p.wordError(p.Addr.Kind, "asks clients for a certificate in socat, and tls-listen does not",
		"say cafile=FILE to ask for one, verify=0 to let anybody in, or write tls-listen")
}
