package share

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/tree"
)

// maxManifest is how many bytes a manifest may have: a gigabyte, some 20 million entries.
const maxManifest = 1 << 30

// maxGroups is how many groups a share may have, 16 TiB. What is remembered of each is a few
// bits, and a manifest of a hundred bytes can say that there are any number of them.
const maxGroups = 1 << 28

var errTooLarge = errors.New("the share has more than 16 TiB")

// A Blob is a file of a share that is open, as far as it is there. Its methods may be
// called at the same time.
type Blob interface {
	io.ReaderAt
	io.WriterAt // whole groups, each verified
	io.Closer

	// Nodes returns what is known of the file's tree; nil if it has no nodes.
	Nodes() tree.Nodes

	// Trusted tells that the file has not been touched since it was hashed, so that it
	// need not be hashed again to be sent.
	Trusted() bool
}

// A Store has the files of a share. Its methods may be called at the same time.
type Store interface {
	// Open opens a file that is not empty, by its number in the manifest. Errors that
	// match [tree.ErrChanged] say that it is not the one that was shared.
	Open(n int, e manifest.Entry) (Blob, error)

	// Got is told, in any order, of runs of groups that have been written to Blobs.
	Got(r tree.Run)
}

// Config is what one must know to take part in a share.
type Config struct {
	Self   peer.ID
	ID     ID
	Secret []byte // which everybody who takes part can prove to have; may be empty

	// Root is the share's root. While it is not known, it is zero, and what Sharer
	// has signed is believed; see [peer.ContextShare].
	Root   tree.Hash
	Sharer peer.ID

	Store   Store
	InOrder bool // the first groups are wanted first

	// Passing says that the Store passes on what comes and does not keep it: others are
	// not told of it, and groups are asked for in order, as far as Until says.
	Passing bool

	// Own, if not nil, returns where this process may be reached. It is asked now and
	// then, and must not wait; those who take part are told.
	Own func() []string

	// Learnt, if not nil, is told that somebody, who has proved to take part, says where
	// another may be reached, or, if id is its own, where it may be itself. Nobody has
	// looked whether these are addresses that one may dial. It returns those that are
	// believed: no others are told to those who take part. Calls come before the peer is
	// asked for, and must not call the Share.
	Learnt func(from, id peer.ID, addrs []string) []string

	// Up and Down are how many bytes a second may be sent and got for the share, by all
	// sessions together. 0 means any number.
	Up, Down int64

	// Admit, if not nil, decides who may begin to take part; proved tells whether a peer
	// has shown that it has the secret. Without it, that is what decides. Whom the sharer
	// refuses takes the share for ended.
	Admit func(who peer.ID, proved bool) bool

	// Use, if not nil, decides whether a peer may have what is in the files. It is asked once
	// in each session, before the first group is sent. Who may not loses the session, and is
	// one whom Admit has to refuse from then on.
	Use func(who peer.ID) bool

	// Holders keep sealed copies of the share of Sharer, and have no secret: who wants to
	// have it from them must.
	Holders []peer.ID

	// Banned are not talked to: they have sent wrong data before.
	Banned []Ban

	// Events, if not nil, is told what happens. It must not wait, nor call the Share.
	Events func(Event)
}

// A Share is one share that this process takes part in: it has some of it, or fetches
// it, or both. Its methods may be called at the same time.
type Share struct {
	Config
	findKey peer.FindKey

	mu       sync.Mutex // guards what follows
	head     Head       // of which the whole manifest is there
	sized    Head       // final, and its size is proven; for shares whose root is known
	builder  manifest.Builder
	hasher   tree.Hasher // of the manifest, at the sharer
	sharing  bool        // this is the sharer, who has everything
	fixed    bool        // no other root will do: the ticket has it
	nodes    *tree.NodeMap
	layout   layout
	patches  []*patch // files that are being compared with older versions
	patched  bool     // there are some, or were
	ready    []*patch // of these, what can be compared now
	patching bool     // somebody does that
	picker   picker
	sessions map[peer.ID]*session
	fetching *session // whom the manifest is being fetched from
	traffic  Traffic
	moved    time.Time // when the last group came
	alone    bool      // others who fetch the share are not waited for
	stored   int64     // groups of which the Store knows
	until    int64     // the group from which on none is asked for
	given    set       // pieces that were sent to somebody who asked for any
	unsent   set       // pieces of which somebody was told that they cannot be sent
	banned   map[peer.ID]Ban
	troubles map[peer.ID]error // why peers cannot be asked that should be
	closed   bool
	parting  bool          // all are told what is here, and then sessions end
	been     bool          // somebody has let us take part
	ended    error         // why the share has ended for all
	ending   *Ending       // which shows it, if it can be shown
	quit     chan struct{} // closed when nobody shall be asked any more

	limits   limits
	up, down meter
	weighed  int64 // groups whose bytes are counted in
	had      int64 // bytes of groups that are there
	unwanted int64 // bytes of those that are skipped
	failure  error
	said     uint64            // how often somebody has said where it is
	found    chan introduction // others who take part
	over     chan struct{}     // closed when all is there, or never will be
	working  sync.WaitGroup
}

// New returns a Share of which nothing is there.
func New(c Config) *Share {
	s := &Share{Config: c, findKey: FindKey(c.ID, c.Secret), nodes: new(tree.NodeMap), sessions: map[peer.ID]*session{}, banned: map[peer.ID]Ban{}, troubles: map[peer.ID]error{}, over: make(chan struct{}), quit: make(chan struct{}), found: make(chan introduction, 8)}
	s.sharing = c.Self == c.Sharer && !c.Self.IsZero()
	s.fixed = c.Root != tree.Hash{}
	for _, b := range c.Banned[:min(len(c.Banned), maxBanned)] {
		s.banned[b.Peer] = b
	}
	s.hasher.Nodes = s.nodes
	s.picker.random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	s.picker.inOrder = c.InOrder || c.Passing
	if s.until = math.MaxInt64; c.Passing {
		s.until = 0
	}
	s.limit()
	return s
}

// Until has groups asked for up to this one, and no others: a Store that is [Config].Passing
// has room for so many.
func (s *Share) Until(group int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = group
	s.picker.groups = min(s.layout.groups, s.until)
	s.kickAll()
}

// Add adds the next bytes of the manifest, which end behind an entry. All files in them
// are in the Store. With the last ones, final, the share has its root. Sign signs for the
// sharer. It is what the sharer calls, and nobody else.
func (s *Share) Add(p []byte, final bool, sign func(c peer.Context, msg []byte) []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.hasher.Write(p); err != nil {
		return err
	}
	hash, err := s.hasher.Sum()
	if err != nil {
		return err
	}
	h := Head{Final: final, Size: s.hasher.Size(), Hash: hash}
	h.Sig = [64]byte(sign(peer.ContextShare, h.signed(s.ID)))
	if err := s.append(p); err != nil {
		return err
	}
	s.sharing = true
	s.picker.groups = s.layout.groups
	all := tree.Run{To: s.layout.groups}
	s.picker.taken.add(all)
	s.stored += s.picker.done.add(all)
	s.had, s.weighed = s.layout.index.Totals().Bytes, s.layout.groups
	s.reached(h)
	return nil
}

// append takes bytes of the manifest, which are verified.
func (s *Share) append(p []byte) error {
	if err := s.builder.Append(p); err != nil {
		return err
	}
	s.layout = s.layout.grown(s.builder.Index())
	if s.layout.groups > maxGroups {
		return errTooLarge
	}
	return nil
}

// reached notes that the manifest is there as far as a head says, and tells all.
func (s *Share) reached(h Head) {
	s.head = h
	if h.Final {
		s.Root = h.Hash
	}
	for _, x := range s.sessions {
		x.kick()
	}
	s.check()
}

// Had says which groups are there though nobody has sent them: from the beginning, as when a
// share goes on that was interrupted, or as copies of others.
func (s *Share) Had(r tree.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picker.skipped.remove(r)
	s.picker.taken.add(r)
	s.stored += s.picker.done.add(r)
	s.reweigh(r)
	s.kickAll()
	s.check()
}

// skip says which groups are not wanted; those that are there stay.
func (s *Share) skip(r tree.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reweigh(r)
	for r.From < r.To {
		lacking := s.picker.done.missing(r.From, r.To)
		s.picker.skipped.add(lacking)
		s.picker.taken.add(lacking)
		r.From = max(lacking.To, r.From+1)
	}
	s.check()
}

// check looks whether everything is there that is wanted.
func (s *Share) check() {
	if s.head.Final && s.stored+s.picker.skipped.count == s.layout.groups {
		s.end(nil)
	}
}

// end ends the waiting.
func (s *Share) end(err error) {
	select {
	case <-s.over:
	default:
		s.failure = err
		close(s.over)
	}
}

// Over returns a channel that is closed when everything is there, or never will be; Err
// tells which.
func (s *Share) Over() <-chan struct{} { return s.over }

// Err returns why not everything is there, or nil.
func (s *Share) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Index returns the manifest as far as it is known.
func (s *Share) Index() manifest.Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layout.index
}

// Close ends all sessions and waits for them; others may ask for the share again, unless it
// has ended for all, which they are told before. What is in the Store stays.
func (s *Share) Close() error {
	s.mu.Lock()
	s.closed = true
	s.leave()
	for _, x := range s.sessions {
		if s.ended == nil {
			x.stream.Close() //nolint:errcheck // its session notices
		}
	}
	s.end(errClosed)
	s.mu.Unlock()
	s.working.Wait()
	return nil
}

// leave has nobody asked any more.
func (s *Share) leave() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
}

var errClosed = errors.New("the share is closed")

// proof is what from shows to, so that to knows that it has the share's secret.
func (s *Share) proof(from, to peer.ID) [32]byte {
	return prove(s.Secret, s.ID, from, to)
}

func prove(secret []byte, share ID, from, to peer.ID) (sum [32]byte) {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("tenon share 1\x00")) //nolint:errcheck // hashes do not fail
	h.Write(share[:])                    //nolint:errcheck // hashes do not fail
	h.Write(from.Bytes())                //nolint:errcheck // hashes do not fail
	h.Write(to.Bytes())                  //nolint:errcheck // hashes do not fail
	return [32]byte(h.Sum(nil))
}

// Traffic is what went over the network for a share, in groups.
type Traffic struct {
	Sent int64
	Got  int64
	Lost int64 // of those that were got: they were there already

	Manifest int64 // groups of the manifest that were sent
	Nodes    int64 // that were sent by themselves; there are that many, and not groups
}

// Traffic tells what went over the network up to now.
func (s *Share) Traffic() Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traffic
}

// Have tells how much is there: groups, and how many are known of.
func (s *Share) Have() (groups, of int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.picker.done.count, s.layout.groups
}
