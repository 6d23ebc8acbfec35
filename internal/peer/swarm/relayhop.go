package swarm

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/record"
	pb "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	ma "github.com/multiformats/go-multiaddr"
)

// Limits of what is said before a circuit is there.
const (
	maxHopMessage = 4 << 10
	hopTime       = 10 * time.Second // for a request
	stopTime      = 15 * time.Second // for the other side to agree
	maxToldAddrs  = 16
)

// handle serves a stream of the hop protocol.
func (r *Relay) handle(s network.Stream) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.working.Add(1)
	}
	r.mu.Unlock()
	if closed || !r.n.task(func() { defer r.working.Done(); r.hop(s) }) {
		s.Reset() //nolint:errcheck // it is gone
		if !closed {
			r.working.Done()
		}
	}
}

func (r *Relay) hop(s network.Stream) {
	s.SetDeadline(time.Now().Add(hopTime)) //nolint:errcheck // the streams of libp2p have deadlines
	rd := util.NewDelimitedReader(s, maxHopMessage)
	var m pb.HopMessage
	err := rd.ReadMsg(&m)
	rd.Close()
	s.SetDeadline(time.Now().Add(hopTime + stopTime)) //nolint:errcheck // the streams of libp2p have deadlines
	switch {
	case err != nil:
		answerHop(s, pb.Status_MALFORMED_MESSAGE, nil, nil)
	case overlayOf(s.Conn().RemoteMultiaddr()) == overRelay:
		answerHop(s, pb.Status_PERMISSION_DENIED, nil, nil) // no relay for relays
	case m.GetType() == pb.HopMessage_RESERVE:
		r.hopReserve(s)
	case m.GetType() == pb.HopMessage_CONNECT:
		r.hopConnect(s, &m)
	default:
		answerHop(s, pb.Status_MALFORMED_MESSAGE, nil, nil)
	}
}

// answerHop sends a status and, unless it is good, closes the stream.
func answerHop(s network.Stream, status pb.Status, v *pb.Reservation, l *pb.Limit) bool {
	err := util.NewDelimitedWriter(s).WriteMsg(&pb.HopMessage{Type: pb.HopMessage_STATUS.Enum(), Status: status.Enum(), Reservation: v, Limit: l})
	switch {
	case err != nil:
		s.Reset() //nolint:errcheck // it is gone
	case status != pb.Status_OK:
		s.Close() //nolint:errcheck // nothing is left to be done about it
	}
	return err == nil && status == pb.Status_OK
}

// limits returns what a circuit is told of its limits, nil if there are none.
func (r *Relay) limits(unlimited bool) *pb.Limit {
	if unlimited {
		return nil
	}
	seconds, data := uint32(r.config.Guests.Time/time.Second), uint64(r.config.Guests.Bytes)
	return &pb.Limit{Duration: &seconds, Data: &data}
}

func (r *Relay) hopReserve(s network.Stream) {
	id := s.Conn().RemotePeer()
	isKnown := r.n.rankOf(id) == known
	until, ok := r.reserve(id, isKnown, s.Conn().RemoteMultiaddr())
	if !ok {
		answerHop(s, pb.Status_RESERVATION_REFUSED, nil, nil)
		return
	}
	expire := uint64(until.Unix())
	v := &pb.Reservation{Expire: &expire}
	own, err := ma.NewComponent("p2p", r.n.self.String())
	if err == nil {
		for _, a := range r.n.addrs() {
			if overlayOf(a) != overRelay && len(v.Addrs) < maxToldAddrs {
				v.Addrs = append(v.Addrs, ma.Join(a, own.Multiaddr()).Bytes())
			}
		}
	}
	voucher := &proto.ReservationVoucher{Relay: r.n.self, Peer: id, Expiration: until}
	if sealed, err := record.Seal(voucher, r.n.host.Peerstore().PrivKey(r.n.self)); err == nil {
		v.Voucher, _ = sealed.Marshal() //nolint:errcheck // who needs the voucher sees that there is none
	}
	if answerHop(s, pb.Status_OK, v, r.limits(isKnown)) {
		s.Close() //nolint:errcheck // nothing is left to be done about it
	}
}

func (r *Relay) hopConnect(s network.Stream, m *pb.HopMessage) {
	to, err := util.PeerToPeerInfoV2(m.GetPeer())
	if err != nil {
		answerHop(s, pb.Status_MALFORMED_MESSAGE, nil, nil)
		return
	}
	if !r.reserved(to.ID) {
		answerHop(s, pb.Status_NO_RESERVATION, nil, nil)
		return
	}
	c := r.open(s, to.ID)
	if c == nil {
		answerHop(s, pb.Status_RESOURCE_LIMIT_EXCEEDED, nil, nil)
		return
	}
	defer r.over(c)
	if !r.stopAt(c) {
		answerHop(s, pb.Status_CONNECTION_FAILED, nil, nil)
		return
	}
	if !answerHop(s, pb.Status_OK, nil, r.limits(c.unlimited)) {
		c.reset()
		return
	}
	c.carry(r.stopped)
}

// stopStream opens a stream to the other side of a circuit. Who wants one to itself wants
// to know whether another machine has its key, and gets the oldest connection that it does
// not ask on.
func (r *Relay) stopStream(ctx context.Context, c *relayed) (network.Stream, error) {
	if c.ends[0].id != c.ends[1].id {
		return r.n.host.NewStream(ctx, c.ends[1].id, proto.ProtoIDv2Stop)
	}
	asks := c.ends[0].stream.Conn()
	var oldest network.Conn
	for _, x := range r.n.swarm.ConnsToPeer(c.ends[1].id) {
		if x != asks && (oldest == nil || x.Stat().Opened.Before(oldest.Stat().Opened)) {
			oldest = x
		}
	}
	if oldest == nil {
		return nil, errAlone
	}
	s, err := oldest.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	return agree(ctx, s, proto.ProtoIDv2Stop)
}

var errAlone = errors.New("it has no other connection")

// stopAt asks the other side of a circuit whether it takes it.
func (r *Relay) stopAt(c *relayed) bool {
	ctx, cancel := context.WithTimeout(network.WithNoDial(r.stopped, "relay"), stopTime)
	defer cancel()
	s, err := r.stopStream(ctx, c)
	if err != nil {
		return false
	}
	c.ends[1].stream = s
	c.ends[1].host = hostOf(s.Conn().RemoteMultiaddr())
	s.SetDeadline(time.Now().Add(stopTime)) //nolint:errcheck // the streams of libp2p have deadlines
	from := &pb.Peer{Id: []byte(c.ends[0].id)}
	err = util.NewDelimitedWriter(s).WriteMsg(&pb.StopMessage{Type: pb.StopMessage_CONNECT.Enum(), Peer: from, Limit: r.limits(c.unlimited)})
	var m pb.StopMessage
	if err == nil {
		rd := util.NewDelimitedReader(s, maxHopMessage)
		err = rd.ReadMsg(&m)
		rd.Close()
	}
	if err != nil || m.GetType() != pb.StopMessage_STATUS || m.GetStatus() != pb.Status_OK {
		s.Reset() //nolint:errcheck // it is gone
		return false
	}
	return true
}
