package swarm

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// Limits of what a process keeps of a table for others.
const (
	maxTableRecords = 1 << 15 // in all
	maxTableBytes   = 32 << 20
	maxTableShare   = 64 // that say who has one share
)

const providersPrefix = "/providers/" // of records of who has a share; behind it, the share and the peer

// A tableStore is what a process keeps of a table, in memory. It is bounded: keys cost nothing, so anybody can say any number of
// things that are all well signed. When it is full, one by chance makes room for what is new, so that a flood drives out as
// much of itself as of others. Its methods may be called at the same time.
type tableStore struct {
	mu      sync.Mutex // guards what follows
	groups  map[string]map[string][]byte
	records int
	bytes   int
}

var _ ds.Batching = (*tableStore)(nil)

// split cuts a key into its group, of those that are asked for together, and its name there.
func split(k ds.Key) (group, name string) {
	text := k.String()
	i := strings.LastIndexByte(text, '/')
	return text[:i], text[i+1:]
}

// Put implements [ds.Write].
func (s *tableStore) Put(_ context.Context, k ds.Key, value []byte) error {
	group, name := split(k)
	most := math.MaxInt
	if strings.HasPrefix(group, providersPrefix) {
		most = maxTableShare
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(group, name)
	for len(s.groups[group]) >= most {
		s.removeOne(group)
	}
	for s.records >= maxTableRecords || s.records > 0 && s.bytes+len(value) > maxTableBytes {
		for other := range s.groups {
			s.removeOne(other)
			break
		}
	}
	if s.groups == nil {
		s.groups = map[string]map[string][]byte{}
	}
	if s.groups[group] == nil {
		s.groups[group] = map[string][]byte{}
	}
	s.groups[group][name] = slices.Clone(value)
	s.records++
	s.bytes += len(value)
	return nil
}

// removeOne removes any record of a group. It is called with mu held.
func (s *tableStore) removeOne(group string) {
	for name := range s.groups[group] {
		s.remove(group, name)
		return
	}
}

// remove removes a record, if there is one. It is called with mu held.
func (s *tableStore) remove(group, name string) {
	value, ok := s.groups[group][name]
	if !ok {
		return
	}
	s.records--
	s.bytes -= len(value)
	if delete(s.groups[group], name); len(s.groups[group]) == 0 {
		delete(s.groups, group)
	}
}

// Delete implements [ds.Write].
func (s *tableStore) Delete(_ context.Context, k ds.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(split(k))
	return nil
}

// Get implements [ds.Read].
func (s *tableStore) Get(_ context.Context, k ds.Key) ([]byte, error) {
	group, name := split(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.groups[group][name]; ok {
		return slices.Clone(value), nil
	}
	return nil, ds.ErrNotFound
}

// Has implements [ds.Read].
func (s *tableStore) Has(ctx context.Context, k ds.Key) (bool, error) {
	_, err := s.Get(ctx, k)
	return err == nil, nil
}

// GetSize implements [ds.Read].
func (s *tableStore) GetSize(ctx context.Context, k ds.Key) (int, error) {
	value, err := s.Get(ctx, k)
	return len(value), err
}

// Query implements [ds.Read]. A query for one group does not look at others.
func (s *tableStore) Query(_ context.Context, q query.Query) (query.Results, error) {
	prefix := ds.NewKey(q.Prefix).String()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []query.Entry
	add := func(group string) {
		for name, value := range s.groups[group] {
			all = append(all, query.Entry{Key: group + "/" + name, Value: slices.Clone(value), Size: len(value)})
		}
	}
	switch {
	case strings.HasPrefix(prefix, providersPrefix):
		add(prefix)
	default:
		for group := range s.groups {
			if group == prefix || prefix == "/" || strings.HasPrefix(group, prefix+"/") {
				add(group)
			}
		}
	}
	q.Prefix = ""
	return query.NaiveQueryApply(q, query.ResultsWithEntries(q, all)), nil
}

// Batch implements [ds.BatchingFeature].
func (s *tableStore) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(s), nil }

// Sync implements [ds.Datastore].
func (s *tableStore) Sync(context.Context, ds.Key) error { return nil }

// Close implements [ds.Datastore].
func (s *tableStore) Close() error { return nil }

// A noCache is the cache of a tableStore, which is in memory itself: what is cached is not bounded.
type noCache struct{}

func (noCache) Add(_, _ any) bool                { return false }
func (noCache) Get(any) (any, bool)              { return nil, false }
func (noCache) Contains(any) bool                { return false }
func (noCache) Peek(any) (any, bool)             { return nil, false }
func (noCache) Remove(any) bool                  { return false }
func (noCache) RemoveOldest() (_, _ any, _ bool) { return nil, nil, false }
func (noCache) GetOldest() (_, _ any, _ bool)    { return nil, nil, false }
func (noCache) Keys() []any                      { return nil }
func (noCache) Len() int                         { return 0 }
func (noCache) Purge()                           {}
func (noCache) Resize(int) int                   { return 0 }
