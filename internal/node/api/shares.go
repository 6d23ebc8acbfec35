package api

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"
)

// ShareRequest says what is to be shared, and with whom. Without To and Public, whoever
// has the ticket may fetch it.
type ShareRequest struct {
	Paths     []string `json:"paths"`          // absolute; each is an entry at the top
	Name      string   `json:"name,omitempty"` // what to call it; empty = what the paths are called
	To        []string `json:"to,omitempty"`   // names or IDs of peers, "paired": nobody else may, whoever has the ticket
	Public    bool     `json:"public,omitempty"`
	Expires   Duration `json:"expires,omitempty"` // 0 = never
	Uses      int      `json:"uses,omitempty"`    // how many peers may fetch it; 0 = any number
	Hold      []string `json:"hold,omitempty"`    // names or IDs of peers, each of which is to keep a sealed copy
	Exclude   []string `json:"exclude,omitempty"` // patterns of what is left out
	Only      []string `json:"only,omitempty"`    // patterns of what alone is shared
	GitIgnore bool     `json:"gitignore,omitempty"`
	Check     bool     `json:"check,omitempty"` // all that is sent is hashed again
	Up        int64    `json:"up,omitempty"`    // bytes a second; 0 = no limit
	Web       string   `json:"web,omitempty"`   // HOST:PORT, or https://HOST:PORT, at which it is also shown to browsers
	Cert      string   `json:"cert,omitempty"`  // PEM file, absolute, of the certificate for https; empty = one is made
	Key       string   `json:"key,omitempty"`   // PEM file of its key; empty = that is in Cert
}

// States of a [Share].
const (
	ShareHashing = "hashing" // it can be fetched already, as far as it is hashed
	ShareReady   = "ready"   // all of it can be fetched
	ShareFailed  = "failed"  // Error says why
	ShareOver    = "over"    // it has run out, was used up, or is not shared any more
	ShareGetting = "getting" // this node fetches it, and hands on what it has
	ShareHeld    = "held"    // this node keeps a sealed copy for Owner
)

// A Share is one that this node shares, or fetches.
type Share struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Paths  []string `json:"paths,omitempty"`  // what is shared; of one that is fetched, where it goes
	Ticket string   `json:"ticket,omitempty"` // of what is shared now and whatever that becomes; a secret
	Fixed  string   `json:"fixed,omitempty"`  // a ticket of what is shared now and nothing else; a secret. Empty until all is hashed
	Links  []string `json:"links,omitempty"`  // for browsers; secrets, too

	// Fingerprint is what browsers show of a certificate that was made for the links: the
	// SHA-256 of it. Empty: it was not, or they are HTTP.
	Fingerprint string `json:"fingerprint,omitempty"`

	Root     string      `json:"root,omitempty"` // the BLAKE3 of the manifest, once it is known
	State    string      `json:"state"`
	Error    string      `json:"error,omitempty"`
	To       []string    `json:"to,omitempty"` // names, short IDs, "paired"
	Public   bool        `json:"public,omitempty"`
	Owner    string      `json:"owner,omitempty"` // whose sealed copy this is: a name or a short ID
	Since    time.Time   `json:"since"`
	NotAfter time.Time   `json:"not_after,omitzero"`
	Uses     int         `json:"uses,omitempty"`
	Fetched  []string    `json:"fetched,omitempty"` // who has all of it: names or short IDs
	Entries  int         `json:"entries"`           // as far as they are known
	Files    int         `json:"files"`
	Bytes    int64       `json:"bytes"`
	Hashed   int64       `json:"hashed,omitempty"` // bytes that were read to hash them
	Have     int64       `json:"have"`             // bytes that are here
	Sent     int64       `json:"sent"`
	Got      int64       `json:"got"`
	SentPS   float64     `json:"sent_per_second"`
	GotPS    float64     `json:"got_per_second"`
	Left     int         `json:"left,omitempty"`   // what could not be shared
	Notes    []ShareNote `json:"notes,omitempty"`  // the first of them, and of what may surprise
	Unsent   []ShareNote `json:"unsent,omitempty"` // the first files that were asked for and are not sent, such as those that have changed
	Peers    []SharePeer `json:"peers,omitempty"`  // who takes part now
	Path     string      `json:"path,omitempty"`   // what is being hashed
	Banned   []ShareBan  `json:"banned,omitempty"`

	Holders []ShareHolder `json:"holders,omitempty"` // who is to keep a sealed copy
}

// A ShareHolder is a peer that is to keep a sealed copy of a share.
type ShareHolder struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`            // or its short ID
	Has   float64   `json:"has"`             // the part that it has, of 1
	Done  bool      `json:"done"`            // it has all, on its disk: the share can be had without this node
	Until time.Time `json:"until,omitzero"`  // when it gives the copy up, unless this node is heard of before
	Error string    `json:"error,omitempty"` // why it does not have it, and what to do about it; it is tried again

	// Refused tells that it has said why it does not hold it, and that waiting alone will not change that.
	Refused bool `json:"refused,omitempty"`
}

// WithoutTickets returns the share without its tickets: whoever may know of it need not be able to fetch it.
func (s Share) WithoutTickets() Share {
	s.Ticket, s.Fixed = "", ""
	return s
}

// A ShareNote is something that a person should know of a share.
type ShareNote struct {
	Path string `json:"path"` // harmless
	Text string `json:"text"`
	Left bool   `json:"left,omitempty"` // it is not in the share
}

// A SharePeer is somebody who takes part in a share.
type SharePeer struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"` // or its short ID
	Has    float64 `json:"has"`  // the part that it has, of 1
	SentPS float64 `json:"sent_per_second"`
	GotPS  float64 `json:"got_per_second"`
}

// A ShareBan is a peer that is not asked for a share any more, since it has sent something wrong.
type ShareBan struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"` // or its short ID
	When   time.Time `json:"when"`
	File   string    `json:"file,omitempty"` // harmless; empty = the list of what there is
	Offset int64     `json:"offset"`         // where in it what it has sent is wrong
	Text   string    `json:"text"`           // what was wrong
}

// FetchRequest says what is to be fetched, and where it is to go.
//
// What was said in a room never replaces anything, and gets names that cannot mislead; it fails, matching
// [ErrUnreachable], while nobody is there who has it. When it is there, the node hands it on to those who are in the room.
type FetchRequest struct {
	Ticket    string   `json:"ticket,omitempty"`
	Room      string   `json:"room,omitempty"`    // instead of a ticket: what was said in this room
	Message   string   `json:"message,omitempty"` // by this message, named by its ID or the beginning of that; "" = the last file that another has said
	Target    string   `json:"target"`            // a directory, absolute; it is made if it is not there
	List      bool     `json:"list,omitempty"`    // nothing is fetched but the list of what there is
	Only      []string `json:"only,omitempty"`    // patterns of what alone is wanted
	Exclude   []string `json:"exclude,omitempty"` // patterns of what is not
	Overwrite bool     `json:"overwrite,omitempty"`
	Rename    bool     `json:"rename,omitempty"`
	SkipLinks bool     `json:"skip_links,omitempty"` // symbolic links that lead out of the share
	Stay      bool     `json:"stay,omitempty"`       // when all is there, it is handed on until the request ends
	Up        int64    `json:"up,omitempty"`         // bytes a second; 0 = no limit
	Down      int64    `json:"down,omitempty"`
	Forgive   bool     `json:"forgive,omitempty"` // those who have sent wrong data before are asked again
}

// Sorts of a [FetchEvent].
const (
	FetchList     = "list"     // Entries: some of what there is
	FetchProgress = "progress" // Share is how far it is, at least once a second
	FetchNote     = "note"     // Text: something happened, to Peer perhaps
	FetchDone     = "done"     // all is there: Paths; with Stay, it is handed on from now on
)

// A FetchEvent is a step of fetching. A failure is the error of the sequence.
type FetchEvent struct {
	Type    string       `json:"type"`
	Share   *Share       `json:"share,omitempty"`
	Entries []ShareEntry `json:"entries,omitempty"`
	Paths   []string     `json:"paths,omitempty"` // where what was shared is now
	Peer    string       `json:"peer,omitempty"`  // name or short ID
	Text    string       `json:"text,omitempty"`  // one line, harmless
}

// A ShareEntry is a file, a directory or a link of a share.
type ShareEntry struct {
	Path    string    `json:"path"` // harmless: control characters are shown
	Kind    string    `json:"kind"` // "file", "dir", "symlink"
	Size    int64     `json:"size,omitempty"`
	Mode    string    `json:"mode,omitempty"` // as 0644
	Time    time.Time `json:"time,omitzero"`
	Link    string    `json:"link,omitempty"` // where a link leads
	Hidden  bool      `json:"hidden,omitempty"`
	Program bool      `json:"executable,omitempty"`
	Trusted bool      `json:"trusted,omitempty"` // programs do what is in files of this name
	Taken   bool      `json:"taken,omitempty"`   // something has the name at the target
}

// Share begins to share files.
func (c *Client) Share(ctx context.Context, r ShareRequest) (Share, error) {
	return post[Share](ctx, c, "/v1/shares", r)
}

// Shares lists what this node shares and fetches.
func (c *Client) Shares(ctx context.Context) ([]Share, error) {
	return get[[]Share](ctx, c, "/v1/shares")
}

// WatchShare yields how a share is, several times a second while anything changes, until it is
// over. It is named by its ID, the beginning of that, or its name.
func (c *Client) WatchShare(ctx context.Context, share string) iter.Seq2[Share, error] {
	return stream[Share](ctx, c, http.MethodGet, "/v1/shares/"+segment(share)+"/watch", nil)
}

// Unshare ends a share: nobody gets anything of it any more from here, and those who take
// part are told.
func (c *Client) Unshare(ctx context.Context, share string) error {
	return c.call(ctx, http.MethodDelete, "/v1/shares/"+segment(share), nil, nil)
}

// LeaveShare ends a share that Share was called for, as Unshare does, unless somebody else has called it, too, or it went
// on before. One of a node that is there for one program stays on record.
func (c *Client) LeaveShare(ctx context.Context, share string) error {
	return c.call(ctx, http.MethodPost, "/v1/shares/"+segment(share)+"/leave", nil, nil)
}

// Fetch fetches a share, until all is there. The end of ctx, or of the loop, interrupts it: what is
// there stays, and a later Fetch goes on.
func (c *Client) Fetch(ctx context.Context, r FetchRequest) iter.Seq2[FetchEvent, error] {
	return stream[FetchEvent](ctx, c, http.MethodPost, "/v1/fetch", r)
}

// streamError is the trailer of a stream that says why it is not whole: an [Error].
const streamError = "Tenon-Error"

// FetchTo fetches the only file that is wanted of a share, and writes it, in order, as it comes. An error says that
// not all of it was written.
func (c *Client) FetchTo(ctx context.Context, r FetchRequest, to io.Writer) error {
	return c.copyTo(ctx, http.MethodPost, "/v1/fetch/file", r, to)
}

// copyTo writes what a [StreamWriter] has sent.
func (c *Client) copyTo(ctx context.Context, method, path string, in any, to io.Writer) error {
	resp, err := c.request(ctx, method, path, in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if _, err := io.Copy(to, resp.Body); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return err
	}
	if text := resp.Trailer.Get(streamError); text != "" {
		failed := new(Error)
		if err := json.Unmarshal([]byte(text), failed); err != nil {
			return err
		}
		return failed.hinted()
	}
	return nil
}

// A StreamWriter answers with bytes. Until the first of them, an answer can still be an error.
type StreamWriter struct {
	w     http.ResponseWriter
	Begun bool
}

// NewStreamWriter returns one for a response.
func NewStreamWriter(w http.ResponseWriter) *StreamWriter { return &StreamWriter{w: w} }

// Write sends bytes.
func (s *StreamWriter) Write(p []byte) (int, error) {
	if !s.Begun {
		s.Begun = true
		s.w.Header().Set("Content-Type", "application/octet-stream")
		s.w.Header().Set("Trailer", streamError)
	}
	return s.w.Write(p)
}

// Fail says why the stream ends here.
func (s *StreamWriter) Fail(err error) {
	e, _ := ErrorOf(err)
	text, err := json.Marshal(e)
	if err != nil {
		text = []byte(`{"code":"failed","message":"it failed"}`)
	}
	s.w.Header().Set(streamError, string(text))
}
