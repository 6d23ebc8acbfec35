package manifest

import "bytes"

// header reads the beginning of a block.
func (d *Decoder) header(r *reader) {
	if m := r.bytes(min(len(magic), len(r.b))); string(m) != magic[:len(m)] {
		r.fail(RuleMagic)
	} else if len(m) < len(magic) {
		r.fail(RuleCut)
	}
	if number := r.uvarint(); number != uint64(d.number) {
		r.fail(RuleNumber)
	}
	parent := r.bytes(int(r.number(MaxPath, RulePath)))
	if r.rule == "" && len(parent) > 0 {
		if rule := pathRule(string(parent)); rule != "" {
			r.fail(rule)
		}
	}
	if r.rule == "" {
		d.place.begin(parent)
	}
}

// accept judges the item that has been read, and moves to it.
func (d *Decoder) accept(r *reader) {
	if r.rule == "" {
		r.rule = d.place.check(&d.item)
	}
	if r.rule != "" {
		return
	}
	first := d.place.first
	d.place.move(&d.item)
	tally, rule := d.tally.with(&d.item, len(d.place.path), d.MaxEntries)
	if rule == "" && first && !d.alone {
		rule = d.follows(d.place.entry(&d.item))
	}
	if r.rule = rule; rule == "" {
		d.tally = tally
	}
}

// follows judges the first entry of a block where the block before has ended, in which
// there must have been no room for it.
func (d *Decoder) follows(e Entry) Rule {
	it, rule := d.before.item(&e)
	if rule == "" {
		rule = d.before.check(&it)
	}
	if rule == "" && d.number > 0 && d.used+len(it.append(nil, d.before.mtime))+1 <= d.blockSize() {
		rule = RuleClosed
	}
	return rule
}

// end reads the end of a block.
func (d *Decoder) end(r *reader, block []byte) {
	switch {
	case d.place.first:
		r.fail(RuleClosed) // every entry fits into an empty block
	case len(bytes.TrimLeft(r.b, "\x00")) > 0:
		r.fail(RulePadding)
	case len(block) < d.blockSize():
		r.fail(RuleCut)
	default:
		d.before, d.place = d.place, d.before
		d.used = len(block) - len(r.b)
		d.number++
	}
}

// footer reads the end of the manifest.
func (d *Decoder) footer(r *reader) {
	room := len(r.b)
	r.bytes(1)
	entries, files, sum := r.uvarint(), r.uvarint(), r.uvarint()
	length := room - len(r.b)
	switch t := d.tally.Totals; {
	case r.rule != "":
	case d.place.first && len(d.place.path) > 0:
		r.fail(RuleParent) // nothing of it follows
	case len(r.b) > 0:
		r.fail(RuleAfter)
	case d.alone:
	case d.place.first && d.number > 0 && d.used+length <= d.blockSize():
		r.fail(RuleClosed)
	case entries != uint64(t.Entries) || files != uint64(t.Files) || sum != uint64(t.Bytes):
		r.fail(RuleFooter)
	}
	d.done = r.rule == ""
}

// fail ends the reading.
func (d *Decoder) fail(rule Rule) {
	var path []byte
	if it := &d.item; it.suffix != nil && it.depth <= len(d.place.ends) {
		start, sibling := d.place.at(it.depth)
		path = append(path, d.place.path[:max(0, start-1)]...)
		if start > 0 {
			path = append(path, '/')
		}
		path = append(append(path, sibling[:min(it.shared, len(sibling))]...), it.suffix...)
	}
	d.err = &Error{d.number, d.tally.Entries, shown(string(path)), rule}
}

func (d *Decoder) blockSize() int {
	if d.size == 0 {
		return BlockSize
	}
	return d.size
}
