package transport

import (
	"slices"
	"strings"
)

// A Kind is an entry in the list of what can be joined.
type Kind struct {
	Name    string   // "tcp-listen"
	Aliases []string // "tcp-l"
	Syntax  string   // "tcp-listen:[HOST:]PORT"
	Doc     string   // one sentence
	Example string   // one address, complete, as a person would type it
	Traits  Traits   // what can be known before opening
	New     func() Endpoint

	// A Kind with a Stack stands for other kinds: "wss" for "ws+tls+tcp".
	// New is nil then.
	Stack string
	Port  string // the port where the target has none; "" if it must have one
	With  string // options that the name implies, as in "family=ipv4"
}

// Traits is what holds for every Conn of a kind. The conformance suite checks
// both that what is claimed works and that what is not claimed says so.
type Traits struct {
	Messages  bool // MsgConn, not Stream
	Lossy     bool // its messages may be lost or overtake each other on their way: nobody counts on that they are not
	HalfClose bool // CloseWrite works
	Deadlines bool // deadlines work
	Listens   bool // the Endpoint is a Listener
	Layers    bool // the Endpoint is a Layer
	Programs  bool // opening it starts a program
	OneWay    bool // it only reads or only writes: text, a file that is read
	Terminal  bool // a person or a terminal is at the other side
	Once      bool // it can be opened one time only: stdio, an inherited descriptor
	Path      bool // it is a layer that takes the path of a URL
	Adapts    bool // it carries bytes or messages as the end does that it is opened for, and so is opened after it
	EndsBoth  bool // its end of file ends both directions, and it is an [Ender]
}

// Kinds is the list of what can be joined. It is a value: there is no global
// list to register with, and two parts of a program can have different ones.
type Kinds []Kind

// Lookup returns the kind of that name or alias, in any case.
func (ks Kinds) Lookup(name string) (Kind, bool) {
	name = strings.ToLower(name)
	for _, k := range ks {
		if k.Name == name || slices.Contains(k.Aliases, name) {
			return k, true
		}
	}
	return Kind{}, false
}

// Names returns the names and aliases of all kinds.
func (ks Kinds) Names() []string {
	var names []string
	for _, k := range ks {
		names = append(append(names, k.Name), k.Aliases...)
	}
	return names
}
