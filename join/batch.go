package join

import (
	"errors"

	"github.com/tenon-net/tenon/transport"
)

// batches carries messages many at a time, if the ends can and nobody wants to see
// each. It returns false if they can't, and else when the flow has ended.
func (j *joint) batches(f *flow, src, dst transport.MsgConn) bool {
	if len(j.opt.Taps) > 0 || j.opt.Limit > 0 {
		return false
	}
	if fwd, ok := transport.As[transport.MsgForwarder](src); ok {
		read, write := fwd.ForwardMsgs(dst, func(msgs, bytes int) {
			j.tick()
			f.sent(j, msgs, bytes)
		})
		if !errors.Is(read, errors.ErrUnsupported) {
			f.Read, f.Write = read, write
			return true
		}
	}
	from, ok := transport.As[transport.MsgBatcher](src)
	to, ok2 := transport.As[transport.MsgBatcher](dst)
	if !ok || !ok2 {
		return false
	}
	ms := make([]transport.Msg, transport.MaxBatch)
	for {
		n, err := from.ReadMsgs(ms)
		if err != nil {
			f.Read = err
			return true
		}
		j.tick()
		n, f.Write = to.WriteMsgs(ms[:n])
		bytes := 0
		for _, m := range ms[:n] {
			bytes += len(m.Buf)
		}
		f.sent(j, n, bytes)
		if f.Write != nil {
			throwAway(f, dst, func() error { _, err := from.ReadMsgs(ms); return err })
			return true
		}
	}
}
