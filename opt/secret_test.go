package opt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A file that has changed is told of once, and so is each reason why it cannot be used;
// what was read before goes on. The check is for all that the file ever says.
func TestSecretFileChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	short := func(text string) error {
		if len(text) > 5 {
			return &ValueError{Msg: "is too long"}
		}
		return nil
	}
	var told []string
	put("one")
	var s Set
	var secret, plain Secret
	s.Secret(&secret, "password", "", short)
	s.Secret(&plain, "token", "", short)
	if err := errors.Join(s.Set("password", "@"+file, true), s.Set("token", "text", true)); err != nil {
		t.Fatal(err)
	}
	s.Notify(func(line string) { told = append(told, line) })
	for _, c := range []struct{ text, want, says string }{
		{"one\nmore", "one", ""}, {"two", "two", "read "}, {"two\n", "two", ""}, {"", "two", "empty"}, {"\r\n", "two", ""},
		{"too long", "two", "is too long"}, {"three", "three", "read "}, {strings.Repeat("x", maxSecret+1), "three", "longer"},
	} {
		told = nil
		put(c.text)
		for range 3 {
			if got := secret.Text(); got != c.want || secret.IsZero() {
				t.Errorf("the file says %.10q: the secret is %q, want %q", c.text, got, c.want)
			}
		}
		if (c.says == "") != (len(told) == 0) || len(told) > 1 || !strings.Contains(strings.Join(told, ""), c.says) {
			t.Errorf("the file says %.10q: told %q, want once %q", c.text, told, c.says)
		}
	}
	if _, err := s.Reload(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Reload of what is too long: error %v", err)
	}
	put("four")
	commit, err := s.Reload()
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	if got := secret.Text(); got != "three" {
		t.Errorf("before commit the secret is %q", got)
	}
	commit()
	if got := secret.Text(); got != "four" || plain.Text() != "text" {
		t.Errorf("after commit the secret is %q, the plain one %q", got, plain.Text())
	}
	if shown := slices.Collect(s.All())[0].Value() + secret.String() + secret.GoString(); strings.Contains(shown, "four") {
		t.Errorf("it is shown: %s", shown)
	}
}
