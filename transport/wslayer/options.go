package wslayer

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// maxMaxMessage is the greatest MaxMessage, which fits into an int everywhere.
const maxMaxMessage = 1 << 30

// Bind binds the options and learns host, path and credentials from the target.
func (l *Layer) Bind(s *opt.Set) {
	s.Group("WebSocket")
	s.String(&l.Path, "path", "path", "ask for this path, or accept requests for it only (default: the target's)").Mask = maskQuery
	s.Strings(&l.Hosts, "host", "name", "send this Host; listening: accept it too, * for any")
	s.Strings(&l.Origins, "origin", "url", "send this Origin; listening: accept pages from there, * for any")
	s.Strings(&l.Headers, "header", "name: value", "add a header to the request or the answer").Mask = maskHeader
	s.Strings(&l.Protocols, "protocol", "name", "offer or accept this subprotocol").Alias("subprotocol")
	s.String(&l.User, "user", "name", "name for basic authentication; listening: the only one accepted").Mask = opt.MaskPassword
	s.Secret(&l.Password, "password", "password to send; listening: to ask for")
	s.Secret(&l.Token, "token", "bearer token to send; listening: to ask for, also as ?token= in the path", checkToken)
	s.Size(&l.MaxMessage, "max-message", DefaultMaxMessage, "longest message")
	s.Size(&l.Memory, "memory", DefaultMemory, "what all connections together may hold of long messages")
	s.Bool(&l.Deflate, "deflate", "compress messages if the other side can")
	s.Duration(&l.Ping, "ping", 0, 0, "send a ping so often")
	s.Duration(&l.PingTimeout, "ping-timeout", DefaultPingTimeout, -1, "give up if nothing is heard for so long after a ping")
	s.Duration(&l.CloseTimeout, "close-timeout", DefaultCloseTimeout, -1, "wait so long for the other side to say goodbye")
	s.OnHost(func(h address.Host) error {
		l.at = h
		switch {
		case l.Path == "":
			l.Path = h.Path
		case h.Path != "" && h.Path != "/" && h.Path != l.Path:
			return errors.New("has a path, and path= is another one")
		}
		return nil
	})
}

// maskQuery leaves out the query of a path, in which tokens travel, and a fragment.
func maskQuery(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i+1] + "…"
	}
	return path
}

// maskHeader leaves out the value of a header, which may be a credential. Without a
// colon it may be that all of it is the value.
func maskHeader(header string) string {
	name, _, found := strings.Cut(header, ":")
	if !found {
		return "…"
	}
	return name + ": …"
}

// Validate checks what is wrong on either side.
func (l *Layer) Validate() error { return transport.Mark(l.validate(), transport.ErrUsage) }

// ValidateSide refuses what does nothing on the side where the Layer is to be: an option
// that is not kept is worse than none.
func (l *Layer) ValidateSide(side transport.Side) error {
	check := l.validateAccepted
	if side == transport.Dialed {
		check = l.validateDialed
	}
	return transport.Mark(check(), transport.ErrUsage)
}

func (l *Layer) validate() error {
	for _, check := range []func() error{l.validateHeaders, l.validateTexts, l.validateLimits} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (l *Layer) validateHeaders() error {
	for _, h := range l.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || !isToken(name) || !isFieldValue(value) {
			return errors.New("header= is written 'Name: value'")
		}
		if reservedHeader(name) {
			return fmt.Errorf("header=: %s is part of the handshake", textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	for i, p := range l.Protocols {
		if !isToken(p) {
			return fmt.Errorf("protocol=: %q is not a token", p)
		}
		if slices.Contains(l.Protocols[:i], p) {
			return fmt.Errorf("protocol=: %s is given twice", p)
		}
	}
	return nil
}

func (l *Layer) validateTexts() error {
	for name, values := range map[string][]string{"host": append(l.Hosts[:len(l.Hosts):len(l.Hosts)], l.at.Name), "origin": l.Origins} {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				return fmt.Errorf("%s=: a space or control character cannot be sent", name)
			}
		}
	}
	if strings.Contains(l.Path, "#") { // RFC 6455, section 3
		return errors.New("a WebSocket has no fragment: a # that belongs to its path is written %23")
	}
	if err := checkToken(l.Token.Text()); err != nil {
		return fmt.Errorf("token= %w", err)
	}
	if strings.Contains(l.User, ":") {
		return errors.New("user=: a name for basic authentication has no colon") // RFC 7617, section 2
	}
	return nil
}

// checkToken refuses what no header can hold.
func checkToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return &opt.ValueError{Msg: "must be letters, digits and marks of ASCII"}
	}
	return nil
}

func (l *Layer) validateLimits() error {
	switch {
	case l.MaxMessage < 0 || l.MaxMessage > maxMaxMessage:
		return errors.New("max-message= must be at most " + opt.FormatSize(maxMaxMessage))
	case l.Memory != 0 && l.Memory < minMemory*l.maxMessage():
		return fmt.Errorf("memory= must be at least %d times max-message=, which is %s", minMemory, opt.FormatSize(l.maxMessage()))
	case l.PingTimeout != 0 && l.Ping <= 0:
		return errors.New("ping-timeout= does nothing without ping=")
	}
	return nil
}

func (l *Layer) validateDialed() error {
	hasHeader := func(name string) bool {
		return slices.ContainsFunc(l.Headers, func(h string) bool {
			n, _, _ := strings.Cut(h, ":")
			return strings.EqualFold(n, name)
		})
	}
	basic := l.User != "" || !l.Password.IsZero() || l.at.User != "" || l.at.HasPassword
	switch {
	case len(l.Hosts) > 1 || slices.Contains(l.Hosts, "*"):
		return errors.New("host=: a client sends one, and no *")
	case len(l.Origins) > 1 || slices.Contains(l.Origins, "*"):
		return errors.New("origin=: a client sends one, and no *")
	case hasHeader("Origin") && len(l.Origins) > 0:
		return errors.New("header=: Origin is what origin= sends")
	case !l.Token.IsZero() && basic:
		return errors.New("token=: a client sends a token or a name and password, not both")
	case hasHeader("Authorization") && (!l.Token.IsZero() || basic):
		return errors.New("header=: Authorization is what token= and password= send")
	case l.User != "" && l.at.User != "" || !l.Password.IsZero() && l.at.HasPassword:
		return errors.New("user= and password= are in the target already")
	}
	return nil
}

func (l *Layer) validateAccepted() error {
	switch {
	case l.at.User != "" || l.at.HasPassword:
		return errors.New("a listener asks for user= and password=; a name in front of its address does nothing")
	case l.User != "" && l.Password.IsZero():
		return errors.New("user= does nothing without password=: nobody would be asked for it")
	case strings.Contains(l.Path, "?"):
		return errors.New("path=: a listener's has no query")
	}
	return nil
}
