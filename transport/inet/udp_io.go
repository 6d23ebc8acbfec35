package inet

import (
	"errors"
	"net/netip"
)

// receiveOne reads one datagram into p, without a batch's memory.
func (s *udpSocket) receiveOne(p []byte) (n int, from netip.AddrPort, cut bool, err error) {
	n, _, flags, from, err := s.c.ReadMsgUDPAddrPort(p, nil)
	if cut, err = wasCut(flags, err); cut {
		n = len(p) // Windows may say less
	}
	return n, from, cut, err
}

// sendOne sends one datagram, to a target whose local address the system chooses.
func (s *udpSocket) sendOne(p []byte, to target) error {
	var err error
	if to.addr.IsValid() {
		_, err = s.c.WriteToUDPAddrPort(p, to.addr)
	} else {
		_, err = s.c.Write(p)
	}
	if errors.Is(err, errMsgSize) {
		err = tooLong(err)
	}
	return err
}
