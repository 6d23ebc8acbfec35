package wslayer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// sides has for each option, with what it needs, how each side takes it: "" if it does
// something there, or what the error says. An option that does nothing where it
// stands is refused.
var sides = []struct{ options, dialed, accepted string }{
	{"path=/x", "", ""},
	{"path='/x?y'", "", "path=: a listener's has no query"},
	{"host=h", "", ""},
	{"host=h,host=i", "a client sends one", ""},
	{"host=*", "a client sends one", ""},
	{"origin=http://h", "", ""},
	{"origin=http://h,origin=http://i", "a client sends one", ""},
	{"origin=*", "a client sends one", ""},
	{"header='A: b'", "", ""},
	{"header='Origin: a',origin=b", "header=: Origin is", ""},
	{"header='authorization: a',token=b", "header=: Authorization is", ""},
	{"header='authorization: a',password=b", "header=: Authorization is", ""},
	{"protocol=p", "", ""},
	{"protocol=p,protocol=p", "p is given twice", "p is given twice"},
	{"user=u", "", "user= does nothing without password="},
	{"user=u,token=t", "not both", "user= does nothing without password="},
	{"user=u,password=p", "", ""},
	{"password=p", "", ""},
	{"password=p,token=t", "not both", ""},
	{"token=t", "", ""},
	{"max-message=1k", "", ""},
	{"max-message=4G", "at most 1G", "at most 1G"},
	{"memory=100M", "", ""},
	{"memory=1M", "at least 3 times max-message=, which is 16M", "at least 3 times"},
	{"memory=1M,max-message=1k", "", ""},
	{"deflate", "", ""},
	{"ping=1s", "", ""},
	{"ping=1s,ping-timeout=1s", "", ""},
	{"ping-timeout=1s", "does nothing without ping=", "does nothing without ping="},
	{"close-timeout=1s", "", ""},
}

// targets is the same for what stands in a target.
var targets = []struct{ target, dialed, accepted string }{
	{"ws://u:p@h/", "", "a name in front of its address does nothing"},
	{"ws://u@h/", "", "a name in front of its address does nothing"},
	{"ws://:@h/", "", "a name in front of its address does nothing"},
	{"ws://u:p@h/,token=t", "not both", "does nothing"},
	{"ws://u:p@h/,user=v", "in the target already", "does nothing"},
	{"ws://u:p@h/,password=q", "in the target already", "does nothing"},
	{"ws://u@h/,password=q", "", "does nothing"},
	{"ws://h/?q", "", "a listener's has no query"},
}

func TestOptionsOfSides(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range sides {
		a, err := address.Parse("ws:h:80," + s.options)
		if err != nil {
			t.Fatal(err)
		}
		tested[a.Options[0].Name] = true
		wantSide(t, "ws:h:80,"+s.options, transport.Dialed, s.dialed)
		wantSide(t, "ws:h:80,"+s.options, transport.Accepted, s.accepted)
	}
	for _, s := range targets {
		wantSide(t, s.target, transport.Dialed, s.dialed)
		wantSide(t, s.target, transport.Accepted, s.accepted)
	}
	var set opt.Set
	new(wslayer.Layer).Bind(&set)
	for d := range set.All() {
		if !tested[d.Name] {
			t.Errorf("nobody says what %s= does on either side", d.Name)
		}
	}
}

func wantSide(t *testing.T, text string, side transport.Side, want string) {
	t.Helper()
	l := fill(t, text)
	err := transport.Validate(l, side)
	if want == "" && err != nil || want != "" && (!errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s, side %d: %v, want %q", text, side, err, want)
	}
	if want == "" {
		return
	}
	a, b := mem.Pair()
	defer b.Close()
	if _, err := l.Wrap(context.Background(), a, side); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("%s, side %d: Wrap: %v, want transport.ErrUsage", text, side, err)
	}
}

// A listener of a Go program that was to ask for a password must not come to be one
// that asks for nothing.
func TestEmptySecretsOpenNoDoor(t *testing.T) {
	for _, l := range []*wslayer.Layer{{User: "u"}, {User: "u", Password: opt.Plain("")}, {User: "u", Token: opt.Plain("t")}} {
		if err := l.ValidateSide(transport.Accepted); !errors.Is(err, transport.ErrUsage) {
			t.Errorf("%+v is taken: %v", l.User, err)
		}
	}
	for _, text := range []string{"ws:h:1,password=", "ws:h:1,token=", "ws:h:1,token=@/dev/null", "ws:h:1,password=env:TENON_NOT_SET"} {
		e := new(wslayer.Layer)
		if a, err := address.Parse(text); err != nil || bind(e, a) == nil {
			t.Errorf("%s is taken: %v", text, err)
		}
	}
}

func bind(e transport.Endpoint, a address.Address) error {
	var s opt.Set
	e.Bind(&s)
	for _, o := range a.Options {
		if err := s.Set(o.Name, o.Value, o.HasValue); err != nil {
			return err
		}
	}
	return nil
}

// What may be secret is not shown: also a path, as long as it may have a query.
func TestSecretsAreHidden(t *testing.T) {
	for option, want := range map[string]string{
		"header='Authorization: Bearer S'": "Authorization: …", "password=S": "…", "token=S": "…", "path='/x?token=S'": "/x?…", "path=/x": "/x",
	} {
		var s opt.Set
		new(wslayer.Layer).Bind(&s)
		a, err := address.Parse("ws:h:1," + option)
		if err != nil {
			t.Fatal(err)
		}
		d := s.Lookup(a.Options[0].Name)
		if err := d.Set(a.Options[0].Value, true); err != nil || d.Value() != want {
			t.Errorf("%s: %v, shown as %q, want %q", option, err, d.Value(), want)
		}
	}
	a, b := mem.Pair()
	go func() {
		readAnswer(t, b)
		b.Write([]byte("HTTP/1.1 404 Not Found\r\n\r\n"))
	}()
	_, err := fill(t, "ws://h/x?token=S").Wrap(context.Background(), a, transport.Dialed)
	if hint := transport.Hint(err); err == nil || strings.Contains(err.Error()+hint, "token") || !strings.Contains(hint, `"/x"`) {
		t.Errorf("error %v, hint %q", err, hint)
	}
}
