package share

import "encoding/binary"

// Zeros are not sent, but how many: files may have holes that are larger than any disk. Who gets them
// verifies them as whatever comes.

// fewZeros is how many are sent as they are.
const fewZeros = 1 << 10

var someZeros [maxFrame]byte

// zerosBehind returns with how many zeros p ends.
func zerosBehind(p []byte) (n int) {
	for n+8 <= len(p) && binary.NativeEndian.Uint64(p[len(p)-n-8:]) == 0 {
		n += 8
	}
	for n < len(p) && p[len(p)-n-1] == 0 {
		n++
	}
	return n
}

// writeZeros sends bytes of a proof, which are few, and zeros behind them.
func (w *answerWriter) writeZeros(p []byte, zeros int) error {
	b := w.frames[:0]
	if len(p) > 0 {
		b = append(appendFrame(b, frameData, len(p)), p...)
	}
	at := len(b)
	b = binary.AppendUvarint(appendFrame(b, frameZeros, 0), uint64(zeros))
	closeFrame(b[at:])
	w.frames = b
	for rest := b; len(rest) > 0; {
		cut := rest[:w.x.share.cut(len(rest))]
		rest = rest[len(cut):]
		if err := w.x.await(len(cut)); err != nil {
			return err
		}
	}
	if err := w.x.send(b); err != nil {
		return err
	}
	if !w.manifest {
		w.x.sent(len(b))
	}
	return nil
}

// takeZeros takes zeros of the proof.
func (x *session) takeZeros(p []byte) error {
	n, err := parseZeros(p)
	if err != nil {
		return err
	}
	return x.takeData(someZeros[:n], frameHeadN+len(p))
}

func parseZeros(p []byte) (n int, err error) {
	f := fields{p: p}
	zeros := f.number()
	f.bad = f.bad || zeros == 0 || zeros > uint64(len(someZeros))
	return int(min(zeros, uint64(len(someZeros)))), f.end()
}
