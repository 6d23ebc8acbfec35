package pair

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// tagSize is by how many bytes what is sealed is longer.
const tagSize = 16

// A sealer encrypts the frames of one direction, each with a number of its own.
type sealer struct {
	aead cipher.AEAD
	n    uint64
}

func newSealer(key []byte) sealer {
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes are the key of AES-256
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the right block
	}
	return sealer{aead: aead}
}

func (s *sealer) nonce() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 4, 12), s.n)
	s.n++
	return b
}

func (s *sealer) seal(plain []byte) []byte { return s.aead.Seal(nil, s.nonce(), plain, nil) }

func (s *sealer) open(sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, s.nonce(), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: a message was changed on its way", ErrProtocol)
	}
	return plain, nil
}
