package screen

// A list is shown in pages around the entry that is chosen, each of which has two lines.

// scroll moves a place in a list of n by a key, and tells whether the key is for that.
func scroll(at *int, key string, page, n int) bool {
	switch key {
	case "up", "k":
		*at--
	case "down", "j":
		*at++
	case "pgup":
		*at -= page
	case "pgdown":
		*at += page
	case "home":
		*at = 0
	case "end":
		*at = n
	default:
		return false
	}
	*at = max(min(*at, n-1), 0)
	return true
}

// inView is what is to be seen of a list of n around a place, in a window of so many lines below a title.
func inView(at, n, height int) (first, end int) {
	fit := max((height-1)/2, 1)
	first = max(min(at-fit/2, n-fit), 0)
	return first, min(first+fit, n)
}
