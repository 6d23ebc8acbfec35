//go:build linux

package bus

// An inbox is what waits for a member's user. It is guarded by the Conn's mu.
type inbox struct {
	limits
	waiting []entry
	held    int64
	lost    uint64 // dropped here, and at the hub
}

// full tells whether e would be too much.
func (i *inbox) full(e *entry) bool {
	return i.exceeded(len(i.waiting)+1, i.held+e.size())
}

// add queues e. It returns ErrSlow, and drops e, if the rule is to cut and there is no
// room.
func (i *inbox) add(e entry) error {
	if i.rule == cutRule && i.full(&e) {
		return ErrSlow
	}
	i.waiting = append(i.waiting, e)
	i.held += e.size()
	for i.rule == skipRule && i.exceeded(len(i.waiting), i.held) {
		i.take()
		i.lost++
	}
	return nil
}

// take returns the oldest message, if there is one.
func (i *inbox) take() (e entry, ok bool) {
	if len(i.waiting) == 0 {
		return e, false
	}
	e, i.waiting[0] = i.waiting[0], entry{}
	i.waiting = i.waiting[1:]
	i.held -= e.size()
	return e, true
}
