package api

import "time"

// A Duration is a time.Duration whose JSON form is its text: "41ms", "1h0m0s".
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText returns the text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Status is what a node says of itself.
type Status struct {
	Identity Identity       `json:"identity"`
	Version  string         `json:"version,omitempty"`
	Dir      string         `json:"dir"`
	Config   string         `json:"config,omitempty"` // the file in use, if there is one
	PID      int            `json:"pid"`
	Since    time.Time      `json:"since"`
	Addrs    []string       `json:"addrs,omitempty"` // where others may reach it
	Relays   []string       `json:"relays,omitempty"`
	Passing  bool           `json:"passing,omitempty"`  // it is there for one program only, and serves what that says
	Relaying string         `json:"relaying,omitempty"` // for whom it is a relay: "friends", "anyone"
	Ports    []string       `json:"ports,omitempty"`    // of a relay, which a firewall must let in: "tcp 4001"
	Mailbox  *MailboxStatus `json:"mailbox,omitempty"`  // of rooms; nil: it has none
	Hold     *HoldStatus    `json:"hold,omitempty"`     // sealed copies of others' shares; nil: none, and for nobody
	Peers    int            `json:"peers"`
	Online   int            `json:"online"` // of the peers
	Services int            `json:"services"`
	Joints   int            `json:"joints"`
	Pairing  bool           `json:"pairing,omitempty"` // a code is being offered
	Anyone   []string       `json:"anyone,omitempty"`  // services that anyone may use: to be said loudly
	Links    []ConfigLink   `json:"links,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
}

// MailboxStatus is what a node keeps for rooms whose members are away.
type MailboxStatus struct {
	For   string `json:"for"` // "friends", "anyone"
	Bytes int64  `json:"bytes"`
	Blobs int    `json:"blobs"`

	// What has come today, by UTC, and how much is taken in a day.
	TodayBytes int64 `json:"today_bytes"`
	TodayBlobs int   `json:"today_blobs"`
	DayBytes   int64 `json:"day_bytes"`
	DayBlobs   int   `json:"day_blobs"`
}

// HoldStatus is what a node holds of others' shares, sealed.
type HoldStatus struct {
	To        []string `json:"to,omitempty"` // for whom: names, short IDs, "paired"
	Shares    int      `json:"shares"`
	Bytes     int64    `json:"bytes"`
	MaxShares int      `json:"max_shares"`
	MaxBytes  int64    `json:"max_bytes"`
}

// Identity is who somebody is. ID is the whole text, which goes into a QR code, Short
// the part by which people tell keys from each other.
type Identity struct {
	ID        string `json:"id"`
	Short     string `json:"short"`
	Name      string `json:"name,omitempty"` // the name that it suggests to others
	Rotations int    `json:"rotations,omitempty"`

	// Away is who was not reached, of those who are paired, when the key was changed just
	// now. They are shown the new one when they meet this node again.
	Away []string `json:"away,omitempty"`

	// Unlinked: the key was changed just now, and was that of a device that another one had linked, which has to do it again.
	Unlinked bool `json:"unlinked,omitempty"`
}

// A ConfigLink is a link of the configuration: two addresses kept joined.
type ConfigLink struct {
	Name  string `json:"name"`
	From  string `json:"from"`
	To    string `json:"to"`
	State string `json:"state"` // "up", "waiting" for the next try, "stopped"
	Error string `json:"error,omitempty"`
}

// State is how a peer can be reached now.
type State string

// The states.
const (
	Direct  State = "direct"
	Relayed State = "relayed"
	Offline State = "offline"
)

// A Peer is somebody this node knows.
type Peer struct {
	ID      string    `json:"id"`
	Short   string    `json:"short"`
	Name    string    `json:"name,omitempty"`
	Said    string    `json:"said,omitempty"` // what it wants to be called, harmless
	State   State     `json:"state"`
	Addr    string    `json:"addr,omitempty"`
	Via     string    `json:"via,omitempty"` // name or short ID of the relay
	RTT     Duration  `json:"rtt,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when the best way came up
	Why     string    `json:"why,omitempty"`  // why it is not direct
	Ways    int       `json:"ways,omitempty"` // how many there are
	Seen    time.Time `json:"seen,omitzero"`  // last time there was a way
	Paired  time.Time `json:"paired,omitzero"`
	Held    bool      `json:"held,omitempty"` // known by a ticket only
	Blocked bool      `json:"blocked,omitempty"`
	Joints  int       `json:"joints,omitempty"`
}

// PairRequest opens a code for somebody, or uses a code that somebody shows.
type PairRequest struct {
	Code string `json:"code,omitempty"` // to use; empty = show one
	As   string `json:"as,omitempty"`   // what to call the peer; empty = what it suggests
	Self string `json:"self,omitempty"` // what to suggest to the peer to call this node; empty = what is suggested to all
}

// Sorts of a [PairEvent].
const (
	PairCode       = "code"       // Code is to be said to the other person
	PairWarning    = "warning"    // Text: one of the ways to meet is not there
	PairCorrection = "correction" // Text: a word that was typed was taken for another
	PairAttempt    = "attempt"    // somebody has connected
	PairDone       = "done"       // Peer is known now; both see the same Words; Text: why it is not called what it should be
)

// A PairEvent is a step of pairing. A failure is the error of the sequence.
type PairEvent struct {
	Type  string   `json:"type"`
	Code  string   `json:"code,omitempty"`
	Words []string `json:"words,omitempty"`
	Peer  *Peer    `json:"peer,omitempty"`
	Text  string   `json:"text,omitempty"`
}

// TicketRequest is what a ticket is to offer.
type TicketRequest struct {
	Service   string   `json:"service,omitempty"` // empty = only who and where this node is
	Expires   Duration `json:"expires,omitempty"` // 0 = an hour, less than 0 = never
	Uses      int      `json:"uses,omitempty"`    // 0 = 1
	For       string   `json:"for,omitempty"`     // only this peer
	FirstOnly bool     `json:"first_only,omitempty"`
}

// A Ticket is one that this node gave out.
type Ticket struct {
	Text      string    `json:"text,omitempty"` // when it is made, and never again
	Serial    string    `json:"serial"`
	Service   string    `json:"service,omitempty"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Uses      int       `json:"uses,omitempty"`
	For       string    `json:"for,omitempty"`
	FirstOnly bool      `json:"first_only,omitempty"`
	Redeemed  []string  `json:"redeemed,omitempty"` // names or short IDs
	Revoked   bool      `json:"revoked,omitempty"`
	State     string    `json:"state"` // "good", "used up", "expired", "revoked"
}

// Added is what came of a ticket that was added.
type Added struct {
	Peer     Peer      `json:"peer"`
	Service  string    `json:"service,omitempty"`
	Address  string    `json:"address,omitempty"` // what to type: peer:alice/db
	NotAfter time.Time `json:"not_after,omitzero"`
	Redeemed bool      `json:"redeemed"`       // its issuer has confirmed it
	Text     string    `json:"text,omitempty"` // why not, if it has not
}

// ServeRequest offers what Address names as a service.
type ServeRequest struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	To      []string `json:"to,omitempty"` // names or IDs of peers, "paired"; nobody else may use it
	Anyone  bool     `json:"anyone,omitempty"`
	Replace bool     `json:"replace,omitempty"` // also one of that name with another address
}

// A Service is one that this node offers.
type Service struct {
	Name    string   `json:"name"`
	Address string   `json:"address"` // without secrets
	Carries Carries  `json:"carries,omitempty"`
	To      []string `json:"to,omitempty"` // names, short IDs, "paired"
	Anyone  bool     `json:"anyone,omitempty"`
	From    string   `json:"from"` // "command", "config", "live": for as long as somebody accepts
	Joints  int      `json:"joints"`
	Used    int      `json:"used"` // how often, since the node began
	Error   string   `json:"error,omitempty"`
}

// Carries says what goes through a service.
type Carries string

// What services carry.
const (
	Bytes     Carries = "bytes"
	Messages  Carries = "messages"
	Datagrams Carries = "datagrams" // messages that may be lost or overtake each other
	Terminal  Carries = "terminal"  // bytes, and the size of a window
)

// A RemoteService is one that a peer lets this node use.
type RemoteService struct {
	Name    string  `json:"name"`
	Carries Carries `json:"carries,omitempty"`
}

// GrantRequest gives peers a service or takes it from them.
type GrantRequest struct {
	Service string   `json:"service"`
	To      []string `json:"to"` // names or IDs of peers, "paired", "anyone"
}

// Granted is a service after its grants were changed.
type Granted struct {
	Service Service `json:"service"`
	Cut     int     `json:"cut"` // joints that were ended by the change
}

// DialRequest opens a service of a peer.
type DialRequest struct {
	To      string    `json:"to"`                // NAME/SERVICE, ID/SERVICE or a ticket
	Survive *Duration `json:"survive,omitempty"` // nil = the default, 0 = off
	Timeout Duration  `json:"timeout,omitempty"` // for the opening; 0 = the default
}

// OfferRequest offers a service for as long as somebody accepts its clients.
type OfferRequest struct {
	Service string   `json:"service"`
	To      []string `json:"to,omitempty"` // as in ServeRequest; empty = the grants that there are
	Anyone  bool     `json:"anyone,omitempty"`
	Carries Carries  `json:"carries,omitempty"` // empty = bytes
	Address string   `json:"address,omitempty"` // where it leads, if that is known: whom it was granted to, it was granted with an address
	Replace bool     `json:"replace,omitempty"` // also if it was granted with another one
}

// A Joint is one that goes on: somebody uses a service.
type Joint struct {
	Number  uint64    `json:"number"`
	Peer    string    `json:"peer"`           // its ID
	Name    string    `json:"name,omitempty"` // its name
	Service string    `json:"service"`
	Out     bool      `json:"out"`             // this node uses the peer's service, and not the reverse
	Right   string    `json:"right,omitempty"` // by which the peer uses ours
	Path    State     `json:"path"`
	Addr    string    `json:"addr,omitempty"`
	Since   time.Time `json:"since"`
	Sent    int64     `json:"sent"` // bytes to the peer
	Got     int64     `json:"got"`  // and from it
	SentPS  float64   `json:"sent_per_second"`
	GotPS   float64   `json:"got_per_second"`
	Paused  time.Time `json:"paused,omitzero"` // without any way to the peer since

	Datagrams bool  `json:"datagrams,omitempty"` // messages go as datagrams now: one that is lost delays none
	Dropped   int64 `json:"dropped,omitempty"`   // messages for which there was no room at this side
}

// An Event is something that happened. Events are hints: what is true, the other
// calls tell.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Type    string    `json:"type"` // "peer", "pair", "service", "share", "joint", "ticket", "link", "config", "network", "warning", "gap"
	Peer    string    `json:"peer,omitempty"`
	Service string    `json:"service,omitempty"`
	Text    string    `json:"text"` // one line for people, harmless
}

// Gap is the type of an [Event] in place of those that are not kept any more.
const Gap = "gap"

// AuditQuery chooses entries of the audit log, the latest first. Who wants all asks from
// number 1 on, and again from behind the last number that came, until none comes.
type AuditQuery struct {
	From    int64     `json:"from,omitempty"` // those with this number and greater ones, the oldest first; 0 = the latest first
	Since   time.Time `json:"since,omitzero"`
	Peer    string    `json:"peer,omitempty"`
	Service string    `json:"service,omitempty"`
	Limit   int       `json:"limit,omitempty"` // 0 = 100
}

// An AuditEntry says who used what, by which right, and how it ended.
type AuditEntry struct {
	Number  int64     `json:"number"`
	Time    time.Time `json:"time"`  // of the beginning
	Event   string    `json:"event"` // "use", "refuse", "pair", "grant", "revoke", "ticket", "redeem", "block", "forget", "rotate", "link", "unlink"
	Peer    string    `json:"peer,omitempty"`
	Name    string    `json:"name,omitempty"` // as it was then
	Service string    `json:"service,omitempty"`
	Right   string    `json:"right,omitempty"`
	Path    string    `json:"path,omitempty"`
	Addr    string    `json:"addr,omitempty"`
	Took    Duration  `json:"took,omitempty"`
	Sent    int64     `json:"sent,omitempty"`
	Got     int64     `json:"got,omitempty"`
	End     string    `json:"end,omitempty"` // how it ended; "" while it goes on
}

// A Step is one of what doctor does.
type Step struct {
	What   string   `json:"what"`
	Detail string   `json:"detail,omitempty"`
	Took   Duration `json:"took,omitempty"`
	OK     bool     `json:"ok"`
	Error  string   `json:"error,omitempty"`
	Advice string   `json:"advice,omitempty"`
}

// Reloaded is what a reload has changed, a line each.
type Reloaded struct {
	Config  string   `json:"config,omitempty"`
	Changes []string `json:"changes,omitempty"`
}

// An Account is what a node has carried for a peer as a relay, in bytes.
type Account struct {
	Peer  string `json:"peer"`
	Name  string `json:"name,omitempty"`
	Today int64  `json:"today"`
	Month int64  `json:"month"` // 31 days, today included
}
