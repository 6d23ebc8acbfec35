package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/ends"
	"github.com/tenon-net/tenon/transport"
)

// testNode is enough of a Node to check a configuration.
func testNode() *Node {
	n := new(Node)
	n.kinds = append(tenon.DefaultKinds(), ends.Kinds(n)...)
	n.opener = &tenon.Opener{Kinds: n.kinds}
	return n
}

const goodConfig = `
name = "laptop"
listen = ["/ip4/0.0.0.0/tcp/4001"]
relays = ["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWPyrKzk7jxVE53P5pjWLqktCPZCyqf5cGvNgHNh1nKxsx"]
discovery = ["lan"]
lan-only = true
metrics = "tcp-listen:9464"
irc = "127.0.0.1:6667"

[services.db]
address = "tcp:localhost:5432"
to = ["bob", "paired"]

[links.pg]
from = "tcp-listen:5432"
to = "peer:alice/db,survive=10s"
`

func TestConfig(t *testing.T) {
	s, err := testNode().parseSettings("tenon.toml", []byte(goodConfig))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "laptop" || !s.LANOnly || s.Services["db"].To[1] != "paired" || s.Links["pg"].From != "tcp-listen:5432" || len(s.Relays) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := testNode().parseSettings("tenon.toml", []byte("\ufeff"+goodConfig)); err != nil {
		t.Errorf("as editors of Windows write it: %v", err)
	}
	s.override(Settings{Name: "other", Network: Network{Listen: []string{}}})
	if s.Name != "other" || len(s.Listen) != 0 || len(s.Relays) != 1 {
		t.Errorf("with flags: %+v", s)
	}
}

// A mistake says in which line it is, and what.
func TestConfigMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"relays = [":                                          "tenon.toml:1: ",
		"\nrelais = []":                                       "tenon.toml:2: there is no key relais",
		"relays = 1":                                          "tenon.toml:1: ",
		"\n\ndiscovery = [\"smoke\"]":                         `tenon.toml:3: "smoke" is no way`,
		"relay = \"everyone\"":                                `tenon.toml:1: a node relays for friends or anyone`,
		"mailbox = \"everyone\"":                              `tenon.toml:1: a mailbox is for friends or anyone`,
		"mailbox-size = \"1TiB\"":                             "tenon.toml:1: mailbox-size is a number of bytes from 1MiB",
		"mailbox-time = \"10s\"":                              "tenon.toml:1: mailbox-time is a time of at least 1h",
		"relay-time = \"soon\"":                               "tenon.toml:1: relay-time is a time",
		"relay-circuits = -1":                                 "tenon.toml:1: relay-circuits is a number",
		"name = \"a b\"":                                      "tenon.toml:1: not a name",
		"irc = \"0.0.0.0:6667\"":                              "tenon.toml:1: \"0.0.0.0:6667\" is not an address of this computer alone",
		"[links.x]\nfrom = \"-\"\nto = \"tcp:h:1\"":           "tenon.toml:2: a node has no standard input",
		"[links.x]\nfrom = \"tcp-listen:1\"\nto = \"-\"":      "tenon.toml:3: a node has no standard input",
		"[services.x]\naddress = \"-\"":                       "tenon.toml:2: a node has no standard input",
		"metrics = \"tcp:h:1\"":                               "tenon.toml:1: tcp:h:1 does not listen",
		"\nlisten = [\"smoke\"]":                              `tenon.toml:2: address "smoke": `,
		"announce = [\"/ip4/x/tcp/1\"]":                       `tenon.toml:1: address "/ip4/x/tcp/1": `,
		"\nrelays = [\"/ip4/192.0.2.1/tcp/1\"]":               "tenon.toml:2: /ip4/192.0.2.1/tcp/1: ",
		"\nrelays = [\"tenon1abc\"]":                          "tenon.toml:2: the ticket has a mistake",
		"\nbootstrap = [\"smoke\"]":                           "tenon.toml:2: smoke: ",
		"\ndiscovery = [\"none\", \"lan\"]":                   "tenon.toml:2: none goes with no other",
		"\nlisten = \"/ip4/0.0.0.0/tcp/1\"":                   "tenon.toml:2: listen is of type string, and must be a list of texts",
		"lan-only = \"yes\"":                                  "tenon.toml:1: lan-only is of type string, and must be true or false",
		"peer-joints = \"7\"":                                 "tenon.toml:1: peer-joints is of type string, and must be a whole number",
		"services = 1":                                        "tenon.toml:1: services is of type integer, and must be a table, such as [services.name]",
		"[services]\ndb = \"tcp:h:1\"":                        "tenon.toml:2: services.db is of type string, and must be a table, such as [services.name]",
		"[services.db]\naddress=5":                            "tenon.toml:2: services.db.address is of type integer, and must be a text in quotes",
		"[services.db]\naddress=\"tcp:h:1\"\nto=[\"bob\", 3]": "tenon.toml:3: services.db.to is of type integer, and must be a text in quotes",
		"\ufeff\nrelais = []":                                 "tenon.toml:2: there is no key relais",
		"[services.db]\n":                                     "tenon.toml:1: the address of the service is missing",
		"[services.db]\naddress=\"tpc:h:1\"":                  `tenon.toml:2: "tpc": unknown kind`,
		"[services.\"a b\"]\naddress=\"tcp:h:1\"":             "tenon.toml:1: ",
		"[services.DB]\naddress=\"tcp:h:1\"":                  "tenon.toml:1: ",
		"[services.db]\naddress=\"tcp-listen:1\"":             "tenon.toml:2: ",
		"[services.db]\naddress=\"tcp:h:1\"\nto=[\"anyone\"]": "tenon.toml:3: anyone is not a peer",
		"[services.db]\naddress=\"tcp:h:1\"\nto=[\"b b\"]":    "tenon.toml:3: not a name",
		"[services.db]\naddress=\"tcp:h:1\"\nfor=[\"bob\"]":   "tenon.toml:3: there is no key services.db.for",
		"[links.x]\nfrom=\"tcp-listen:1\"\n":                  "tenon.toml:1: to is missing",
		"[links.x]\nfrom=\"tcp-listen:1\"\nto=\"peer:alice\"": "tenon.toml:3: ",
		"[links]\nx.from=\"tcp-listen:1\"\nx.to=\"nope\"":     "tenon.toml:3: ",
	} {
		_, err := testNode().parseSettings("tenon.toml", []byte(text))
		var c *ConfigError
		if !errors.As(err, &c) || !errors.Is(err, transport.ErrUsage) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

// What flags say is checked like the file, and what cannot be together is refused.
func TestFlagMistakes(t *testing.T) {
	for want, flags := range map[string]Settings{
		`--discovery: "smoke" is no way`: {Network: Network{Discovery: []string{"smoke"}}},
		"--relay-day: relay-day is":      {Network: Network{Limits: Limits{Day: "much"}}},
		"--as: not a name":               {Name: "a b"},
		"--peer-rate: peer-rate is":      {PeerRate: "1"},
		"discovery: none goes with":      {Network: Network{Discovery: []string{"none", "lan"}}},
		"discovery: a node takes part":   {Network: Network{Discovery: []string{"dht", "public"}}},
	} {
		n := testNode()
		n.config.Flags = flags
		if _, err := n.readSettings(); !errors.Is(err, transport.ErrUsage) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
