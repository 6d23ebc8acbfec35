package relay

import "container/heap"

// idleHeap orders the joints that have Options.Idle by the time at which the loop
// looks at them next. Data does not reorder the heap: when a
// joint is due, its time is corrected.
type idleHeap []*joint

var _ heap.Interface = (*idleHeap)(nil)

func (h idleHeap) Len() int           { return len(h) }
func (h idleHeap) Less(i, k int) bool { return h[i].due.Before(h[k].due) }

func (h idleHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = i, k
}

// Push is for package heap.
func (h *idleHeap) Push(x any) {
	j := x.(*joint)
	j.place = len(*h)
	*h = append(*h, j)
}

// Pop is for package heap.
func (h *idleHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return j
}
