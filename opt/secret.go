package opt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// maxSecret is the length in bytes of the longest secret that a file can hold.
const maxSecret = 64 << 10

// A Secret is a password or a token, as an option gave it ([Set.Secret]) or a program
// ([Plain]). The zero Secret is none. It may be copied, and used by any goroutine.
//
// One that was written @FILE is what the first line of the file says at each moment.
// What the file says while it cannot be used, for it is missing, empty or not what the
// option takes, does not count: what it said before goes on.
type Secret struct {
	text string
	file *secretFile // nil if the text does not change
}

// secretFile is a file that is read again for each use.
type secretFile struct {
	name  string
	check func(text string) error // what the option takes; nil takes all that is not blank
	now   atomic.Pointer[string]
	wrong atomic.Pointer[string] // why it could not be used when it was last looked at; nil if it could
	tell  atomic.Pointer[func(line string)]
}

// Plain returns a Secret that stays as it is; "" is none.
func Plain(text string) Secret { return Secret{text: text} }

// NewSecret returns the Secret that text stands for; see [Set.Secret]. The check, which may
// be nil, is what else must be true of it, now and of all that its file says later.
func NewSecret(text string, check func(string) error) (Secret, error) {
	now, err := ReadSecret(text)
	if err == nil && check != nil {
		err = check(now)
	}
	if err != nil {
		return Secret{}, err
	}
	s := Plain(now)
	if name, ok := strings.CutPrefix(text, "@"); ok && isRegular(name) {
		s.file = &secretFile{name: name, check: check}
		s.file.now.Store(&now)
	}
	return s, nil
}

// isRegular tells whether a file can be read more than once: a pipe cannot, such as that
// of a shell's <(command).
func isRegular(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && fi.Mode().IsRegular()
}

// IsZero tells whether there is no secret. That does not change while a file does.
func (s Secret) IsZero() bool { return s.text == "" }

// Text returns the secret as it is now. It reads the file, if there is one.
func (s Secret) Text() string {
	if s.file == nil {
		return s.text
	}
	return s.file.look()
}

// String is what may be shown of the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "…"
}

// GoString is what may be shown of the secret.
func (s Secret) GoString() string { return "opt.Secret(" + s.String() + ")" }

func (f *secretFile) read() (string, error) {
	text, err := ReadSecret("@" + f.name)
	if err == nil && f.check != nil {
		err = f.check(text)
	}
	if v := (*ValueError)(nil); errors.As(err, &v) {
		err = fmt.Errorf("%s: %w", f.name, err)
	}
	return text, err
}

// look returns what the file says, and tells once when that has changed or cannot be used.
func (f *secretFile) look() string {
	last := f.now.Load()
	text, err := f.read()
	if err != nil {
		why := err.Error()
		if was := f.wrong.Swap(&why); was == nil || *was != why {
			f.say(why + "; what was read before goes on")
		}
		return *last
	}
	f.wrong.Store(nil)
	if text != *last && f.now.CompareAndSwap(last, &text) {
		f.say("read " + f.name + " again")
	}
	return text
}

func (f *secretFile) say(line string) {
	if tell := f.tell.Load(); tell != nil {
		(*tell)(line)
	}
}

// Secrets is the value of an option that has secrets in it, as many as were given.
type Secrets interface{ Secrets() []Secret }

// Secrets returns s.
func (s Secret) Secrets() []Secret { return []Secret{s} }

// Secret binds a password or token. It is written as @FILE, whose first line
// counts, as env:NAME, or as pass:TEXT for those who do not mind that others see
// it in the list of processes; other text is taken as it is. The check, if one is given,
// says what the text must be.
func (s *Set) Secret(p *Secret, name, usage string, check ...func(text string) error) *Def {
	all := func(text string) error {
		for _, check := range check {
			if err := check(text); err != nil {
				return err
			}
		}
		return nil
	}
	s.Rereads(p)
	return s.add(&Def{Name: name, Type: "@FILE|env:NAME|TEXT", Usage: usage, Secret: true,
		parse: func(v string) (err error) { *p, err = NewSecret(v, all); return err },
		show:  func() string { return p.String() }})
}

// Rereads has [Set.Reload] and [Set.Notify] cover what p has when they are called.
func (s *Set) Rereads(p Secrets) { s.secrets = append(s.secrets, p) }

// files returns the files of secrets that options have named.
func (s *Set) files() (all []*secretFile) {
	for _, p := range s.secrets {
		for _, secret := range p.Secrets() {
			if secret.file != nil {
				all = append(all, secret.file)
			}
		}
	}
	return all
}

// Notify has tell called when a file of a secret has changed, or cannot be used any more.
func (s *Set) Notify(tell func(line string)) {
	for _, f := range s.files() {
		f.tell.Store(&tell)
	}
}

// Reload reads the files of all secrets and changes nothing; commit puts what was read in
// place. It may be called while they are used.
func (s *Set) Reload() (commit func(), err error) {
	files := s.files()
	texts, errs := make([]string, len(files)), make([]error, len(files))
	for i, f := range files {
		texts[i], errs[i] = f.read()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return func() {
		for i, f := range files {
			f.now.Store(&texts[i])
			f.wrong.Store(nil)
		}
	}, nil
}

// ReadSecret returns the secret that text stands for; see [Set.Secret]. An empty one
// is an error: a variable that is not set must not open a door. So is one of white space
// and control characters alone, which is what a file or a script that went wrong leaves.
func ReadSecret(text string) (string, error) {
	secret, from := strings.TrimPrefix(text, "pass:"), "the text"
	switch {
	case strings.HasPrefix(text, "@"):
		line, err := firstLine(text[1:])
		if err != nil {
			return "", err
		}
		secret, from = line, "the first line of "+text[1:]
	case strings.HasPrefix(text, "env:"):
		v, ok := os.LookupEnv(text[4:])
		if !ok {
			return "", &ValueError{Msg: "there is no environment variable " + text[4:]}
		}
		secret, from = v, text
	}
	if IsBlank(secret) {
		return "", &ValueError{Msg: "must not be empty, and " + from + " is"}
	}
	return secret, nil
}

// firstLine returns the first line of a file, which may end without one.
func firstLine(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxSecret+1)).ReadString('\n')
	switch {
	case err != nil && err != io.EOF:
		return "", err
	case len(line) > maxSecret:
		return "", &ValueError{Msg: fmt.Sprintf("must not be longer than %d bytes, and the first line of %s is", maxSecret, name)}
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
