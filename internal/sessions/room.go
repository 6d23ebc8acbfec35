package sessions

// room tells whether one more session may be opened. It needs mu.
func (t *Table[K, S]) room() bool {
	return !t.closed && t.open-t.evicted < t.limits.Open && t.pending.Len() < t.limits.Pending
}

// makeRoom takes a session out of the Table, if there is no room for one more. It
// returns that, for its caller to end, and whether there is room now. It needs mu.
func (t *Table[K, S]) makeRoom() (gone *Entry[K, S], ok bool) {
	if t.room() {
		return nil, true
	}
	gone = t.oldest(oncePending)
	if t.pending.Len() < t.limits.Pending {
		if a := t.oldest(onceAccepted); gone == nil || a != nil && a.stamp < gone.stamp {
			gone = a
		}
	}
	if gone == nil {
		return nil, false
	}
	t.forget(gone)
	gone.leaving = true
	t.evicted++
	return gone, t.room()
}

// maxLooks bounds how many sessions oldest looks at.
const maxLooks = 8

// oldest returns the session of a list that has been idle longest, or nearly so: those
// at the front to which something was sent meanwhile go to the back, and so do those
// that forbid to end. It returns nil if it finds none to end, or if so many are being
// closed that there is no point in ending more. It needs mu.
func (t *Table[K, S]) oldest(which int) (found *Entry[K, S]) {
	l := &t.once[which]
	if t.evicted >= t.limits.Open {
		return nil
	}
	for range min(maxLooks, l.Len()) {
		e := l.Front().Value.(*Entry[K, S])
		touched, held := e.touched.Load(), e.held.Load() != 0
		if !held && touched == e.stamp {
			return e
		}
		if !held && found == nil {
			found = e
		}
		e.stamp = touched
		l.MoveToBack(l.Front())
	}
	return found
}

// again notes that a session has been heard again. It needs mu.
func (t *Table[K, S]) again(e *Entry[K, S]) {
	if e.fresh != nil {
		t.unlist(e)
		e.known.Store(true)
	}
}

// unlist takes e out of the list in once that it is in. It needs mu.
func (t *Table[K, S]) unlist(e *Entry[K, S]) {
	if e.fresh != nil {
		t.once[e.list()].Remove(e.fresh)
		e.fresh = nil
	}
}

// forget takes e out of the map and the lists. It needs mu.
func (t *Table[K, S]) forget(e *Entry[K, S]) {
	if t.entries[e.key] == e {
		delete(t.entries, e.key)
	}
	t.unlist(e)
	if e.waiting != nil {
		t.pending.Remove(e.waiting)
		e.waiting, e.unknown = nil, true
	}
}
