package mailbox

import (
	"cmp"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/throttle"
	"github.com/tenon-net/tenon/transport"
)

// The defaults of a Server.
const (
	DefaultChannels        = 4096
	DefaultChannelsPerHost = 8
	DefaultStreams         = 2 * DefaultChannels
	DefaultStreamsPerHost  = 32
)

const (
	perChannel = 4                // joiners that wait for their turn, one for each host
	joinEvery  = 3 * time.Second  // a host may join so often, and a channel be joined
	joinBurst  = 10               // after so many times
	openEvery  = 10 * time.Second // a host may open a channel so often
	hosts      = 8192             // that are remembered
)

// A Server is the relay's side. The zero Server is ready. It must not be copied.
type Server struct {
	// Limits; 0 means the defaults. A host is an IPv4 address or an IPv6 network of
	// 56 bits, from which the streams come.
	Channels, ChannelsPerHost, Streams, StreamsPerHost int

	// Trusted tells whose streams no limit for each host applies to; nil = nobody.
	// The limits of all together apply to everybody.
	Trusted func(transport.Stream) bool

	opens, joins throttle.Set[string]
	tries        throttle.Set[int]

	once     sync.Once
	mu       sync.Mutex // guards all below, and the channels
	channels map[int]*channel
	streams  map[string]int // of each host
	all      int            // streams
}

func (s *Server) init() {
	for _, limit := range []struct {
		field *int
		value int
	}{
		{&s.Channels, DefaultChannels}, {&s.ChannelsPerHost, DefaultChannelsPerHost},
		{&s.Streams, DefaultStreams}, {&s.StreamsPerHost, DefaultStreamsPerHost},
	} {
		if *limit.field == 0 {
			*limit.field = limit.value
		}
	}
	s.opens.Every, s.opens.Burst, s.opens.Keys = openEvery, joinBurst, hosts
	s.joins.Every, s.joins.Burst, s.joins.Keys = joinEvery, joinBurst, hosts
	s.tries.Every, s.tries.Burst, s.tries.Keys = joinEvery, joinBurst, s.Channels
	s.channels, s.streams = map[int]*channel{}, map[string]int{}
}

// A client is a stream that a Server has to do with.
type client struct {
	transport.Stream
	host    string
	trusted bool
}

// Handle serves one stream of [Proto], until it is of no use any more; the caller then
// closes it.
func (s *Server) Handle(st transport.Stream) {
	s.once.Do(s.init)
	c := &client{st, Host(st), s.Trusted != nil && s.Trusted(st)}
	err := s.enter(c)
	if err == nil {
		defer s.leave(c)
		err = s.serve(c)
	}
	if err != nil {
		st.SetWriteDeadline(time.Now().Add(asking)) //nolint:errcheck // it may be closed
		refuse(st, err)
	}
}

func (s *Server) enter(c *client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.Streams || !c.trusted && s.streams[c.host] >= s.StreamsPerHost {
		return ErrTooOften
	}
	s.all++
	s.streams[c.host]++
	return nil
}

func (s *Server) leave(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.streams[c.host]--; s.streams[c.host] == 0 {
		delete(s.streams, c.host)
	}
}

func (s *Server) serve(c *client) error {
	if err := c.SetDeadline(time.Now().Add(asking)); err != nil {
		return ErrProtocol
	}
	typ, content, err := readFrame(c, frameOffer, frameJoin)
	switch {
	case err != nil:
		return err
	case content[0] != version:
		return ErrProtocol
	}
	number := binary.BigEndian.Uint32(content[1:])
	if number > MaxChannel {
		return ErrNoChannel
	}
	if typ == frameJoin {
		return s.join(c, int(number))
	}
	return s.offer(c, int(number), [secretSize]byte(content[5:]))
}

// claim returns the channel of an offerer, which is opened if it is not there.
func (s *Server) claim(c *client, number int, secret [secretSize]byte) (*channel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[number]
	if ch != nil && subtle.ConstantTimeCompare(ch.secret[:], secret[:]) != 1 {
		return nil, ErrTaken
	}
	if ch == nil {
		of := 0
		for _, other := range s.channels {
			if other.host == c.host {
				of++
			}
		}
		if len(s.channels) >= s.Channels || !c.trusted && of >= s.ChannelsPerHost {
			return nil, ErrFull
		}
		if !c.trusted && !s.opens.Allow(c.host) {
			return nil, ErrTooOften
		}
		for number == 0 || s.channels[number] != nil {
			number++ // one of the first Channels+1 numbers is free
		}
		ch = newChannel(s, number, secret, c.host)
		s.channels[number] = ch
	}
	return ch, nil
}

// offer has c wait for a joiner, and then moves what it sends.
func (s *Server) offer(c *client, number int, secret [secretSize]byte) error {
	ch, err := s.claim(c, number, secret)
	if err != nil {
		return err
	}
	// It is told that it waits before it does, so that nobody joins it earlier.
	opened := binary.BigEndian.AppendUint32(nil, uint32(ch.number))
	opened = binary.BigEndian.AppendUint16(opened, uint16(max(0, time.Until(ch.ends)/time.Second)))
	err = writeFrame(c, frameOpened, opened)
	var o *offerer
	s.lock(func() {
		if err == nil {
			o = ch.wait(c)
		} else {
			ch.tell()
		}
	})
	if o == nil {
		return cmp.Or(err, ErrExpired)
	}
	// Until somebody joins, the end of the stream is all that may come.
	var b [1 << 10]byte
	var n int
	n, err = c.Read(b[:])
	var r *run
	s.lock(func() {
		if r = o.run; r != nil {
			return
		}
		switch {
		case o.ended != nil:
			err = o.ended
		case n > 0:
			err = ErrProtocol
		}
		ch.left(o, err)
	})
	if r == nil {
		return err
	}
	<-r.ready
	r.carry(r.joiner, c, b[:n], err)
	return nil
}

// join has c wait for its turn, and then moves what it sends.
func (s *Server) join(c *client, number int) error {
	if !c.trusted && !s.joins.Allow(c.host) {
		return ErrTooOften
	}
	r, err := s.queue(c, number)
	if err != nil {
		return err
	}
	defer r.over()
	r.carry(r.offerer, c, nil, r.begin())
	return nil
}

// Close ends all channels. Runs go on.
func (s *Server) Close() error {
	s.once.Do(s.init)
	s.lock(func() {
		for _, ch := range s.channels {
			ch.end(ErrExpired)
		}
	})
	return nil
}

func (s *Server) lock(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// clean tells whether a direction has ended as it should.
func clean(err error) bool { return errors.Is(err, io.EOF) }
