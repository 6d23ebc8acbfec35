package screen

// A view is which lines of a window are seen: those up to one of them, or up to the last.
type view struct {
	anchor string // the entry whose line is the lowest one that is seen; "" = the last one, also when it changes
	below  int    // how many lines of it are hidden below
	height int    // how many lines are seen
	width  int
	*surface
}

// follows tells whether the end is shown, whatever comes.
func (v *view) follows() bool { return v.anchor == "" }

// bottom returns the place of the lowest entry that is seen, and how many of its lines are hidden.
func (t *talk) bottom() (at, below int) {
	if t.anchor != "" {
		if at = t.find(t.anchor); at >= 0 {
			return at, min(t.below, max(len(t.lines(at))-1, 0))
		}
		t.anchor, t.below = "", 0
	}
	return len(t.entries) - 1, 0
}

// scroll moves what is seen by so many lines, up if n is negative.
func (t *talk) scroll(n int) {
	at, below := t.bottom()
	if at < 0 {
		return
	}
	below -= n
	for below < 0 && at < len(t.entries)-1 {
		at++
		below += len(t.lines(at))
	}
	for at > 0 && below >= len(t.lines(at)) {
		below -= len(t.lines(at))
		at--
	}
	t.stand(at, below)
}

// stand has a line be the lowest, as far as there are enough above it.
func (t *talk) stand(at, below int) {
	above := -below
	for i := at; i >= 0 && above < t.height; i-- {
		above += len(t.lines(i))
	}
	for lack := t.height - above; lack > 0; lack-- { // the first line is at the top: not lower than that
		if below--; below < 0 {
			if at++; at >= len(t.entries) {
				break
			}
			below = len(t.lines(at)) - 1
		}
	}
	if at >= len(t.entries)-1 && below <= 0 && t.newest {
		t.anchor, t.below = "", 0
		return
	}
	at = min(at, len(t.entries)-1)
	t.anchor, t.below = t.entries[at].ID, max(below, 0)
}

// end shows the end of what is here.
func (t *talk) end() { t.anchor, t.below = "", 0 }

// top has the entry at a place begin in the upper part.
func (t *talk) top(at, down int) {
	if at < 0 || at >= len(t.entries) {
		return
	}
	seen := down
	for i := at; i < len(t.entries); i++ {
		if seen += len(t.lines(i)); seen >= t.height {
			t.stand(i, seen-t.height)
			return
		}
	}
	t.stand(len(t.entries)-1, 0)
}

// show scrolls as little as needed for an entry to be seen.
func (t *talk) show(at int) {
	if at < 0 {
		return
	}
	first, last := t.seen()
	switch {
	case at < first || at == first && at < last:
		t.top(at, 0)
	case at >= last:
		if low, below := t.bottom(); at > low || at == low && below > 0 {
			t.stand(at, 0)
		}
	}
}

// seen returns the first and the last entry that are seen, at least in part.
func (t *talk) seen() (first, last int) {
	last, below := t.bottom()
	have := -below
	for first = last; first > 0; first-- {
		if have += len(t.lines(first)); have >= t.height {
			break
		}
	}
	return max(first, 0), last
}

// frame returns the lines that are seen, with the place of the entry that each belongs to.
func (t *talk) frame() (lines []line, owners []int) {
	first, last := t.seen()
	_, below := t.bottom()
	for i := first; i <= last; i++ {
		for _, l := range t.lines(i) {
			lines, owners = append(lines, l), append(owners, i)
		}
	}
	lines, owners = lines[:max(len(lines)-below, 0)], owners[:max(len(owners)-below, 0)]
	if extra := len(lines) - t.height; extra > 0 {
		lines, owners = lines[extra:], owners[extra:]
	}
	return lines, owners
}
