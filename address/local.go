package address

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ParseLocal reads what the option bind= of every kind of the network takes,
// [HOST][:PORT]: the address of this machine that an end uses. HOST is a name or an
// address; an IPv6 address needs brackets only where a port follows. What is left
// out is empty in the [Host].
func ParseLocal(text string) (Host, error) {
	if addr, err := netip.ParseAddr(text); err == nil && (addr.Zone() == "" || IsZone(addr.Zone())) {
		return Host{Name: text}, nil
	}
	h, err := ParseHost(text, false)
	switch {
	case h.Port != "" && h.Port == text:
		return Host{}, fmt.Errorf("must be %s; a port alone is written :%s", localSyntax, text)
	case strings.ContainsAny(text, "/?@"), text == "", strings.HasSuffix(text, ":"):
		return Host{}, errors.New("must be " + localSyntax)
	case err != nil:
		return Host{}, fmt.Errorf("must be %s; %w", localSyntax, err)
	}
	return h, nil
}

const localSyntax = "[HOST][:PORT], as in 10.0.0.1, [::1]:5000 or :5000"
