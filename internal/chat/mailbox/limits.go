package mailbox

import (
	"cmp"
	"time"
)

// Defaults of [Limits].
const (
	DefaultBytes = 512 << 20
	DefaultKeep  = 30 * 24 * time.Hour

	// MaxBytes is how many a mailbox may keep.
	MaxBytes = 768 << 20
)

// Limits that are not for users.
const (
	maxStreams  = 1024      // in all
	maxMemory   = 128 << 20 // bytes, for what is in the boxes that are in use and what is being compared
	maxExchange = 2 << 20   // of these for a comparison
	maxCaller   = 16 << 20  // and for all those of one who asks
	keyBytes    = 64        // for each blob in a box

	maxKeys = 8192 // who ask, whose limits are remembered

	idleTime  = 2 * time.Minute // between two questions
	writeTime = time.Minute
	waitTime  = 4 * time.Minute // until NEWS says that there is nothing
	sweepTime = 10 * time.Minute
)

// A Quota is how much something may have. Zero is the default.
type Quota struct {
	Bytes int64
	Blobs int
}

// Limits say how much a mailbox keeps, and for how long. Zero is the default.
type Limits struct {
	Keep time.Duration

	All    Quota // of all; by default DefaultBytes and 512 Ki
	Guests Quota // of all who are no friends together; by default half of All
	Guest  Quota // of one of them; by default an eighth of All
	Box    Quota // of a box; by default an eighth of All, and 16 Ki
	Part   Quota // of a box, by one guest; by default a quarter of Box

	// What is taken in a day (of UTC): so that nobody fills in an hour what is to last for weeks.
	DayAll   Quota // of all; by default half of All
	DayGuest Quota // of a guest; by default half of Guest
	DayBox   Quota // for a box; by default half of Box

	Streams int // of a guest, at once; by default 64
	Asks    int // of a guest at once, and then as many each minute; by default 1200
	Moves   int // blobs of a guest, to or fro, at once, and then as many each minute; by default 16,000
}

func (l *Limits) defaults() {
	set := func(q *Quota, bytes int64, blobs int) {
		q.Bytes, q.Blobs = cmp.Or(q.Bytes, max(bytes, MaxBlob)), cmp.Or(q.Blobs, max(blobs, 1))
	}
	l.Keep = cmp.Or(l.Keep, DefaultKeep)
	set(&l.All, DefaultBytes, 512<<10)
	set(&l.Guests, l.All.Bytes/2, l.All.Blobs/2)
	set(&l.Guest, l.All.Bytes/8, l.All.Blobs/8)
	set(&l.Box, l.All.Bytes/8, 16<<10)
	set(&l.Part, l.Box.Bytes/4, l.Box.Blobs/4)
	set(&l.DayAll, l.All.Bytes/2, l.All.Blobs/2)
	set(&l.DayGuest, l.Guest.Bytes/2, l.Guest.Blobs/2)
	set(&l.DayBox, l.Box.Bytes/2, l.Box.Blobs/2)
	l.Streams, l.Asks, l.Moves = cmp.Or(l.Streams, 64), cmp.Or(l.Asks, 1200), cmp.Or(l.Moves, 16000)
}

// A usage is how much somebody has here.
type usage struct {
	bytes int64
	blobs int
}

// fits tells whether one more blob of a size is within a quota.
func (u usage) fits(size int, q Quota) bool {
	return u.bytes+int64(size) <= q.Bytes && u.blobs < q.Blobs
}

func (u *usage) add(bytes int64, blobs int) {
	u.bytes += bytes
	u.blobs += blobs
}

// room tells whether a blob of somebody may be put into a box. It is called with mu held.
func (s *Server) room(b *box, who owner, size int) outcome {
	l := &s.config.Limits
	switch {
	case !s.all.fits(size, l.All), who.guest() && !s.guests.fits(size, l.Guests):
		return allFull
	case who.guest() && !s.owners[who].fits(size, l.Guest):
		return callerFull
	case !b.used.fits(size, l.Box), who.guest() && !b.parts[who].fits(size, l.Part):
		return boxFull
	}
	d := s.today()
	if !d.all.fits(size, l.DayAll) || !d.boxes[b.key].fits(size, l.DayBox) || who.guest() && !d.owners[who].fits(size, l.DayGuest) {
		return tooOften
	}
	return kept
}

// A day is what was taken in one.
type day struct {
	begin  time.Time
	all    usage
	owners map[owner]usage // of guests
	boxes  map[ID]usage
}

func startOfDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// today returns what was taken today. It is called with mu held.
func (s *Server) today() *day {
	if begin := startOfDay(time.Now()); s.day.begin != begin {
		s.day = day{begin: begin, owners: map[owner]usage{}, boxes: map[ID]usage{}}
	}
	return &s.day
}

// add counts what was taken, or not after all.
func (d *day) add(box ID, who owner, bytes int64, blobs int) {
	d.all.add(bytes, blobs)
	if who.guest() {
		bookIn(d.owners, who, bytes, blobs)
	}
	bookIn(d.boxes, box, bytes, blobs)
}

// book counts what somebody has in a box, which may be nil if it is not in use. It is called with mu held.
func (s *Server) book(b *box, who owner, bytes int64, blobs int) {
	s.all.add(bytes, blobs)
	if who.guest() {
		s.guests.add(bytes, blobs)
	}
	bookIn(s.owners, who, bytes, blobs)
	if b != nil {
		b.used.add(bytes, blobs)
		bookIn(b.parts, who, bytes, blobs)
	}
}

func bookIn[K comparable](all map[K]usage, who K, bytes int64, blobs int) {
	u := all[who]
	u.add(bytes, blobs)
	if all[who] = u; u == (usage{}) {
		delete(all, who)
	}
}
