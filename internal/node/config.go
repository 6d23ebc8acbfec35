package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Settings are what the configuration says. Every key has the name of the flag that
// says the same.
type Settings struct {
	Name    string `toml:"name"`    // what others are suggested to call this node
	Metrics string `toml:"metrics"` // an address that listens, for Prometheus

	// What each peer may have of the services here, all its joints together.
	PeerRate   string `toml:"peer-rate"`   // bytes a second, each way: "1MiB"; "" = as many as there are
	PeerJoints int    `toml:"peer-joints"` // at once; 0 = 4096

	Notify []string `toml:"notify"` // how a person is told of messages: "desktop", and addresses to which each is written

	IRC
	Hold
	Network
	Services map[string]ServiceSettings `toml:"services"`
	Links    map[string]LinkSettings    `toml:"links"`
}

// Network are the settings of the network. Addresses are multiaddrs.
type Network struct {
	Listen    []string `toml:"listen"`
	Announce  []string `toml:"announce"`
	Relays    []string `toml:"relays"`
	Bootstrap []string `toml:"bootstrap"`
	Discovery []string `toml:"discovery"` // how peers are searched for: "lan", "dht", "public", "none"; none given = "lan"
	LANOnly   bool     `toml:"lan-only"`
	NoMap     bool     `toml:"no-map"` // do not ask the router to forward ports
	Relay     string   `toml:"relay"`  // for whom this node relays: "" = nobody, "friends", "anyone"
	Limits
	Mailbox
}

// Limits are what strangers may have of a relay. Peers that are paired have none of these.
// Zero is the default.
type Limits struct {
	Reservations        int    `toml:"relay-reservations"`          // in all: peers that can be reached through it
	ReservationsPerHost int    `toml:"relay-reservations-per-host"` // of one IPv4 address, or IPv6 network that one customer has
	Circuits            int    `toml:"relay-circuits"`              // at once, in all
	CircuitsPerPeer     int    `toml:"relay-circuits-per-peer"`     // at either end
	Time                string `toml:"relay-time"`                  // of a circuit: "30m"
	Bytes               string `toml:"relay-bytes"`                 // of a circuit, in each direction: "128MiB"
	Rate                string `toml:"relay-rate"`                  // bytes a second of all circuits of a peer: "1MiB"
	Day                 string `toml:"relay-day"`                   // bytes a day of a peer, and of a host: "1GiB"
}

// ServiceSettings declare a service.
type ServiceSettings struct {
	Address string   `toml:"address"`
	To      []string `toml:"to"`
	Anyone  bool     `toml:"anyone"`
}

// LinkSettings declare two addresses that are kept joined.
type LinkSettings struct {
	From string `toml:"from"`
	To   string `toml:"to"`
}

// maxConfig is how many bytes the file may have.
const maxConfig = 1 << 20

// A ConfigError says what is wrong where in the file.
type ConfigError struct {
	File string
	Line int // from 1; 0 = nowhere in particular
	Err  error
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *ConfigError) Unwrap() error { return e.Err }

// Is makes it match [transport.ErrUsage].
func (e *ConfigError) Is(target error) bool { return target == transport.ErrUsage }

// readSettings reads and checks the file, and puts the flags over it. It changes
// nothing.
func (n *Node) readSettings() (*Settings, error) {
	s := new(Settings)
	file := n.config.ConfigFile
	if file != "" {
		f, err := os.Open(file)
		if err == nil {
			defer f.Close() //nolint:errcheck // it was only read
			data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
			if err == nil && len(data) > maxConfig {
				err = &ConfigError{file, 0, errors.New("it is too long")}
			}
			if err != nil {
				return nil, err
			}
			if s, err = n.parseSettings(file, data); err != nil {
				return nil, err
			}
			n.configured.Store(true)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		} else if n.configured.Load() {
			return nil, transport.WithHint(&ConfigError{file, 0, errors.New("it is gone")}, "an empty file in its place has the node do nothing any more")
		}
	}
	if key, err := n.fault(&n.config.Flags); err != nil {
		if key == "name" {
			key = "as" // as help calls it; --name is another name in some verbs
		}
		return nil, transport.Usage(fmt.Errorf("--%s: %w", key, err))
	}
	s.override(n.config.Flags)
	if key, err := s.conflict(); err != nil {
		return nil, transport.Usage(fmt.Errorf("%s: %w", key, err))
	}
	if n.config.Passing {
		s.Services, s.Links, s.Metrics, s.Notify, s.IRC, s.Relay, s.Mailbox.For = nil, nil, "", nil, IRC{}, "", ""
	}
	return s, nil
}

// parseSettings reads the text of a file and checks all that can be without the network.
func (n *Node) parseSettings(file string, data []byte) (*Settings, error) {
	s := new(Settings)
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors of Windows put it there; it is nothing (TOML 1.1)
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, tomlError(file, err)
	}
	lines := linesOf(data)
	check := func(err error, path ...string) error {
		if err == nil {
			return nil
		}
		for k := len(path); k > 0; k-- {
			if line := lines[strings.Join(path[:k], "\x00")]; line > 0 {
				return &ConfigError{file, line, err}
			}
		}
		return &ConfigError{file, 0, err}
	}
	if key, err := n.fault(s); err != nil {
		return nil, check(err, key)
	}
	if key, err := s.conflict(); err != nil {
		return nil, check(err, key)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		c := s.Services[name]
		if service, err := peer.ParseService(name); err != nil || string(service) != name {
			if err == nil {
				err = fmt.Errorf("the name of a service is in small letters: %s", service)
			}
			return nil, check(err, "services", name)
		}
		if err := notHold(peer.Service(name)); err != nil {
			return nil, check(err, "services", name)
		}
		if err := n.mustServe(c.Address); err != nil {
			return nil, check(err, "services", name, "address")
		}
		for _, to := range c.To {
			if to == "anyone" {
				return nil, check(errors.New("anyone is not a peer; anyone = true lets everybody in"), "services", name, "to")
			}
			if _, err := peer.ParseID(to); err == nil || to == "paired" {
				continue
			}
			if _, err := peer.ParseName(to); err != nil {
				return nil, check(err, "services", name, "to")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Links)) {
		l := s.Links[name]
		for _, end := range []struct{ key, address string }{{"from", l.From}, {"to", l.To}} {
			if end.address == "" {
				return nil, check(fmt.Errorf("%s is missing", end.key), "links", name)
			}
			if err := n.mustBeThere(end.address); err != nil {
				return nil, check(err, "links", name, end.key)
			}
		}
	}
	return s, nil
}

// mustDial tells whether a service can have that address.
func (n *Node) mustDial(address string) error {
	if address == "" {
		return transport.Usage(errors.New("the address of the service is missing"))
	}
	e, err := n.opener.Explain(address)
	if err == nil && e.Listens {
		err = transport.WithHint(transport.Usage(fmt.Errorf("%s listens, and a service is opened for each peer that comes", e.Address)),
			"peer-listen joins what listens to a service")
	}
	return err
}

// mustServe tells whether a node that runs by itself can offer that address: its standard
// input and output are not those of a peer that comes.
func (n *Node) mustServe(address string) error {
	if err := n.mustDial(address); err != nil {
		return err
	}
	return n.mustBeThere(address)
}

// mustBeThere refuses standard input and output, of which a node has none that are of use.
func (n *Node) mustBeThere(a string) error {
	e, err := n.opener.Explain(a)
	if err == nil && e.Parts[len(e.Parts)-1].Kind == address.Stdio {
		err = transport.WithHint(transport.Usage(errors.New("a node has no standard input and output that are of use")), "exec:PROGRAM has those of a program")
	}
	return err
}

func (n *Node) mustListen(address string) error {
	e, err := n.opener.Explain(address)
	if err == nil && !e.Listens {
		err = transport.Usage(fmt.Errorf("%s does not listen", e.Address))
	}
	return err
}

// tomlError makes an error of the parser one of ours.
func tomlError(file string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		line, _ := strict.Errors[0].Position()
		return &ConfigError{file, line, fmt.Errorf("there is no key %s", strings.Join(strict.Errors[0].Key(), "."))}
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		line, _ := d.Position()
		return &ConfigError{file, line, errors.New(mismatch(d.Key(), strings.TrimPrefix(d.Error(), "toml: ")))}
	}
	return &ConfigError{file, 0, err}
}

// mismatch says of a value of the wrong type which one is wanted, without the names of types of Go. Any other text stays.
func mismatch(key toml.Key, text string) string {
	is, wanted, ok := strings.Cut(strings.TrimPrefix(text, "cannot decode TOML "), " into ")
	if !ok || !strings.HasPrefix(text, "cannot decode TOML ") {
		return text
	}
	if i := strings.LastIndex(wanted, " of type "); i >= 0 {
		wanted = wanted[i+len(" of type "):]
	}
	switch wanted {
	case "string":
		wanted = "a text in quotes"
	case "[]string":
		wanted = `a list of texts, such as ["bob", "carol"]`
	case "bool":
		wanted = "true or false, without quotes"
	case "int":
		wanted = "a whole number, without quotes"
	default:
		wanted = fmt.Sprintf("a table, such as [%s.name]", key[0])
	}
	return fmt.Sprintf("%s is of type %s, and must be %s", strings.Join(key, "."), is, wanted)
}

// linesOf returns in which line each table and each key stands. Paths are joined by
// zero bytes.
func linesOf(data []byte) map[string]int {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var path []string
		line := 0
		for it := e.Key(); it.Next(); {
			k := it.Node()
			path = append(path, string(k.Data))
			if line == 0 {
				line = p.Shape(k.Raw).Start.Line
			}
		}
		name := strings.Join(path, "\x00")
		if e.Kind == unstable.KeyValue && table != "" {
			name = table + "\x00" + name
		} else if e.Kind == unstable.Table || e.Kind == unstable.ArrayTable {
			table = name
		}
		if lines[name] == 0 {
			lines[name] = line
		}
	}
	return lines
}
