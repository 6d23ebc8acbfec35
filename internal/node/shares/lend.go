package shares

import (
	"context"
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// lentFor is how long it is known what was lent, after it has ended too early: what is sent again has
// the same ticket then, and who has some of it goes on.
const lentFor = time.Hour

// Lend shares files for a while with whom they are sent to, until end is called. To forget is for what has
// come, or never will.
func (s *Shares) Lend(ctx context.Context, r api.ShareRequest) (lent api.Share, end func(forget bool) error, err error) {
	made, err := s.newRecord(r)
	if err != nil {
		return lent, nil, err
	}
	made.Lent = true
	records, err := s.load(ctx)
	if err != nil {
		return lent, nil, err
	}
	if len(records) >= maxShares {
		return lent, nil, fmt.Errorf("%d shares are on record already", len(records))
	}
	for _, was := range records {
		if again([]*record{was}, made) != nil && !s.goesOn(was) {
			was.Made = made.Made
			made = was
			break
		}
	}
	x, err := s.begun(ctx, made, true)
	if err != nil {
		return lent, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	end = func(forget bool) (err error) {
		if forget {
			err = s.drop(ctx, made.ID)
		}
		x.stop(errUnshared)
		<-x.done
		return err
	}
	return x.describe(), end, nil
}

// goesOn tells whether a share goes on already.
func (s *Shares) goesOn(r *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sharing[r.ID] != nil
}
