package wslayer

import (
	"strconv"
	"strings"
)

// deflateOffer is what a client offers: compression without context takeover on
// either side (RFC 7692, section 7.1.1).
const deflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// The exponents of the window of DEFLATE. Package flate knows the greatest only; a
// smaller one is kept by compressing pieces of its size, which know nothing of each
// other.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// An extension is one that was offered or chosen.
type extension struct {
	name   string
	params map[string]param
}

// A param is the value of a parameter, which it need not have.
type param struct {
	value string
	has   bool
}

// parseExtensions reads the fields of Sec-WebSocket-Extensions (RFC 6455, section
// 9.1). One that is not written as it should be, or has a parameter twice, is left out
// and tells ok = false.
func parseExtensions(fields []string) (list []extension, ok bool) {
	ok = true
	for _, field := range fields {
		for _, text := range splitQuoted(field, ',') {
			if strings.TrimSpace(text) == "" {
				continue // an empty element (RFC 9110, section 5.6.1)
			}
			if e, good := parseExtension(text); good {
				list = append(list, e)
			} else {
				ok = false
			}
		}
	}
	return list, ok
}

func parseExtension(text string) (extension, bool) {
	parts := splitQuoted(text, ';')
	e := extension{strings.TrimSpace(parts[0]), map[string]param{}}
	for _, part := range parts[1:] {
		name, value, has := strings.Cut(strings.TrimSpace(part), "=")
		name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
		if has {
			var good bool
			if value, good = unquote(value); !good {
				return e, false
			}
		}
		if _, twice := e.params[name]; twice || !isToken(name) {
			return e, false
		}
		e.params[name] = param{value, has}
	}
	return e, isToken(e.name)
}

// unquote returns the token that a value is, or that its quotes hold.
func unquote(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		var b strings.Builder
		for in := s[1 : len(s)-1]; in != ""; in = in[1:] {
			if in[0] == '\\' && len(in) > 1 {
				in = in[1:]
			}
			b.WriteByte(in[0])
		}
		s = b.String()
	}
	return s, isToken(s)
}

// splitQuoted splits s at sep, where that is not inside quotes.
func splitQuoted(s string, sep byte) (parts []string) {
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == sep && !quoted:
			parts, start = append(parts, s[start:i]), i+1
		}
	}
	return append(parts, s[start:])
}

// bits returns the value of a parameter that limits a window.
func (p param) bits() (int, bool) {
	n, err := strconv.Atoi(p.value)
	return n, err == nil && n >= minWindowBits && n <= maxWindowBits && p.value[0] != '0' && p.value[0] != '+'
}

// deflateOffered returns the answer to the first of a client's offers that can be
// accepted, and the window to compress with; "" if there is none. An offer with a
// parameter or a value that is not known is declined (RFC 7692, section 7.1).
func deflateOffered(fields []string) (answer string, window int) {
	list, _ := parseExtensions(fields)
next:
	for _, e := range list {
		if e.name != "permessage-deflate" {
			continue
		}
		answer, window = deflateOffer, maxWindowBits
		for name, p := range e.params {
			bits, isBits := p.bits()
			switch {
			case (name == "server_no_context_takeover" || name == "client_no_context_takeover") && !p.has:
			case name == "client_max_window_bits" && (!p.has || isBits):
			case name == "server_max_window_bits" && isBits:
				window = bits
				answer += "; server_max_window_bits=" + strconv.Itoa(bits)
			default:
				continue next
			}
		}
		return answer, window
	}
	return "", 0
}

// deflateAccepted tells whether a server's answer to [deflateOffer] is good. It must
// not limit a window that nobody offered to have limited (section 7.1.2.2).
func deflateAccepted(fields []string) bool {
	list, ok := parseExtensions(fields)
	if !ok || len(list) != 1 || list[0].name != "permessage-deflate" {
		return false
	}
	for name, p := range list[0].params {
		_, isBits := p.bits()
		switch {
		case (name == "server_no_context_takeover" || name == "client_no_context_takeover") && !p.has:
		case name == "server_max_window_bits" && isBits:
		default:
			return false
		}
	}
	_, fresh := list[0].params["server_no_context_takeover"]
	return fresh
}
