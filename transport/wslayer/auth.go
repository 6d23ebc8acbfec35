package wslayer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"strings"
)

// checkAuth holds a request against the password or the token, and returns the
// user who gave the password.
func (l *Layer) checkAuth(values []string, u *url.URL) (user string, r *refusal) {
	if !l.Authenticates() {
		return "", nil
	}
	refused := &refusal{status: "401 Unauthorized", field: `WWW-Authenticate: Basic realm="tenon", charset="UTF-8"`,
		why: "the password or token is missing or wrong", denied: true}
	if l.Password.IsZero() {
		refused.field = "WWW-Authenticate: Bearer"
	}
	if len(values) > 1 {
		return "", refused
	}
	if len(values) == 0 {
		return "", unless(!l.Token.IsZero() && equal(u.Query().Get("token"), l.Token.Text()), refused)
	}
	scheme, given, _ := strings.Cut(values[0], " ")
	switch given = strings.TrimSpace(given); {
	case strings.EqualFold(scheme, "Bearer") && !l.Token.IsZero():
		return "", unless(equal(given, l.Token.Text()), refused)
	case strings.EqualFold(scheme, "Basic") && !l.Password.IsZero():
		text, err := base64.StdEncoding.DecodeString(given)
		user, password, ok := strings.Cut(string(text), ":")
		if err == nil && ok && (l.User == "" || equal(user, l.User)) && equal(password, l.Password.Text()) {
			return l.User, nil // a name that nobody checks proves nothing
		}
	}
	return "", refused
}

func unless(ok bool, r *refusal) *refusal {
	if ok {
		return nil
	}
	return r
}

// equal compares secrets in a time that tells nothing about them, not even their
// length.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
