package wslayer

import (
	"strings"
)

// deflateOffer is what a client offers and a server accepts: compression without
// context takeover on either side (RFC 7692, section 7.1.1).
const deflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// parseExtension reads one extension and its parameters (RFC 6455, section 9.1).
// Parameters must not be repeated.
func parseExtension(text string) (name string, params map[string]string, ok bool) {
	params = map[string]string{}
	for i, part := range strings.Split(text, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		k, v = strings.TrimSpace(k), strings.Trim(strings.TrimSpace(v), `"`)
		if i == 0 {
			name = k
			continue
		}
		if _, twice := params[k]; twice || !isToken(k) {
			return "", nil, false
		}
		params[k] = v
	}
	return name, params, isToken(name)
}

// deflateOffered tells whether a client's offers include one that [deflateOffer]
// answers. Package flate has a window of 15 bits and no other.
func deflateOffered(values []string) bool {
	for _, t := range tokens(values) {
		name, params, ok := parseExtension(t)
		if !ok || name != "permessage-deflate" {
			continue
		}
		good := true
		for k := range params {
			switch k {
			case "server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits":
			default:
				good = false
			}
		}
		if good {
			return true
		}
	}
	return false
}

// deflateAccepted tells whether a server's answer to [deflateOffer] is good.
func deflateAccepted(values []string) bool {
	list := tokens(values)
	if len(list) != 1 {
		return false
	}
	name, params, ok := parseExtension(list[0])
	if !ok || name != "permessage-deflate" {
		return false
	}
	for k := range params {
		switch k {
		case "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits":
		default:
			return false
		}
	}
	_, fresh := params["server_no_context_takeover"]
	return fresh
}

// maxWindowBits is that of DEFLATE, and the only one of package flate.
const maxWindowBits = 15
