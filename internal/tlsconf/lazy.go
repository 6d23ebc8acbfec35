package tlsconf

import (
	"crypto/tls"
	"sync"
)

// A Lazy keeps a configuration that is made when it is first needed, so that all
// connections of an end share its session tickets. The zero Lazy is empty.
type Lazy struct {
	mu  sync.Mutex // guards cfg
	cfg *tls.Config
}

// Get returns the configuration, made by create if there is none yet. A failure is
// not kept: the next call tries again.
func (l *Lazy) Get(create func() (*tls.Config, error)) (*tls.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg != nil {
		return l.cfg, nil
	}
	cfg, err := create()
	if err == nil {
		l.cfg = cfg
	}
	return cfg, err
}
